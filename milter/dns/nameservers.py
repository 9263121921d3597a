"""Which name servers are asked: those of the configuration, or those of the system."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import dns.resolver

from milter.core.errors import ParseError
from milter.settings.places import parse_place

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT: Final = 53


def nameservers(configured: Sequence[str]) -> list[tuple[str, int]]:
    """Return address and port of the configured name servers; none: those of the system.

    Raises:
        ParseError: One of `configured` is no address.
    """
    return [parse_nameserver(text) for text in configured] or system_nameservers()


def parse_nameserver(text: str) -> tuple[str, int]:
    """Return address and port of `host:port`, `[v6]:port` or an address alone (port 53).

    Raises:
        ParseError: `text` is none of these, or the host is no IP address.
    """
    alone = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    with contextlib.suppress(ValueError):
        return str(ip_address(alone)), PORT
    try:
        place = parse_place(text)
        address = str(ip_address(place.host))
    except (ParseError, ValueError) as err:
        raise ParseError(f"a name server is an IP address with a port, not {text!r}") from err
    if not place.port:
        raise ParseError(f"{text!r} has no port between 1 and 65535")
    return address, place.port


def system_nameservers() -> list[tuple[str, int]]:
    """Return the servers of resolv.conf; the local host where there are none (resolv.conf(5))."""
    try:
        servers = dns.resolver.Resolver(configure=True).nameservers
    except dns.resolver.NoResolverConfiguration:
        servers = []
    return [(str(server), PORT) for server in servers] or [("127.0.0.1", PORT)]
