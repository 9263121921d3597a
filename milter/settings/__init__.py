"""Configuration of the daemon: reading is in `read`, refusals in `check`."""

from milter.settings.history import History
from milter.settings.http import Http
from milter.settings.model import (
    Dns,
    Limits,
    Listener,
    Log,
    Memory,
    Network,
    NextHop,
    Settings,
    Spf,
    TlsFiles,
)
from milter.settings.networks import Networks
from milter.settings.reload import Guard, Reload
from milter.settings.section import Section

__all__ = [
    "Dns",
    "Guard",
    "History",
    "Http",
    "Limits",
    "Listener",
    "Log",
    "Memory",
    "Network",
    "Networks",
    "NextHop",
    "Reload",
    "Section",
    "Settings",
    "Spf",
    "TlsFiles",
]
