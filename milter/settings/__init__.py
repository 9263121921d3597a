"""Configuration of the daemon: the model here, reading in `read`, cross-field refusals in `check`."""

from milter.settings.model import (
    Dns,
    Http,
    Limits,
    Listener,
    Log,
    Network,
    NextHop,
    Section,
    Settings,
    TlsFiles,
)

__all__ = [
    "Dns",
    "Http",
    "Limits",
    "Listener",
    "Log",
    "Network",
    "NextHop",
    "Section",
    "Settings",
    "TlsFiles",
]
