"""Configuration of the daemon: reading is in `read`, refusals in `check`."""

from milter.settings.model import (
    Dns,
    Http,
    Limits,
    Listener,
    Log,
    Memory,
    Network,
    NextHop,
    Section,
    Settings,
    Spf,
    TlsFiles,
)

__all__ = [
    "Dns",
    "Http",
    "Limits",
    "Listener",
    "Log",
    "Memory",
    "Network",
    "NextHop",
    "Section",
    "Settings",
    "Spf",
    "TlsFiles",
]
