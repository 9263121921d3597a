"""Addresses of sockets as configuration writes them: host:port, [v6]:port or unix:/path.

They are read here, not resolved and not opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from milter.core.errors import ParseError

_UNIX: Final = "unix:"
_HOST_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]\s/]*)):(?P<port>[0-9]{1,5})"
)
_LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


@dataclass(frozen=True, slots=True)
class Place:
    """A path of a unix socket, or host and port; an empty host stands for all of this machine."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return it as configuration writes it."""
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host.lower() in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def takes_in(self, other: Place) -> bool:
        """Return whether who listens here listens on `other`, too; names are not looked up."""
        if self.path or other.path or not self.port or self.port != other.port:
            return False
        if not self.host:
            return True
        try:
            here, there = ip_address(self.host), ip_address(other.host)
        except ValueError:
            return False
        return here == there or (here.is_unspecified and here.version == there.version)


def parse_place(text: str) -> Place:
    """Return the place that `text` names.

    Raises:
        ParseError: It is none of the three forms.
    """
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path or "\0" in path:
            raise ParseError("a path is needed after `unix:`", len(_UNIX))
        return Place(path=path)
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ParseError("host:port, [v6]:port or unix:/path is needed")
    if match["v6"]:
        _check_v6(match["v6"])
    return Place(match["v6"] or match["host"], int(match["port"]))


def _check_v6(text: str) -> None:
    try:
        ip_address(text)
    except ValueError as err:
        raise ParseError("an IPv6 address is needed in the brackets", 1) from err
