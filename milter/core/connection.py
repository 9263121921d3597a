"""Who is connected: the client after PROXY, XCLIENT or XFORWARD have said who it really is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from milter.core.ids import SessionId

IpAddress = IPv4Address | IPv6Address


class Addresses(Protocol):
    """Any set of addresses."""

    def __contains__(self, address: IpAddress, /) -> bool: ...


class Direction(StrEnum):
    """Which way mail goes through a listener."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Tls:
    """The encryption between the client and us."""

    version: str
    cipher: str


class Connection(NamedTuple):
    """One client connection, as far as it is known; replaced whole when more becomes known.

    A tuple, because every message makes several, and each has many fields.

    Attributes:
        session_id: Ours; the same for every transaction of the connection.
        listener: Name of the listener that took the connection.
        direction: Of the listener.
        client_ip: Address of the client; None where there is none to speak of (a unix socket
            whose peer did not say for whom it speaks).
        client_port: Port of the client; 0 when unknown.
        told_name: Name that a trusted upstream found for the address and confirmed (XCLIENT or
            XFORWARD NAME); None when nobody said. Our own lookup is evidence, not identity.
        helo_name: Argument of HELO or EHLO, as the client wrote it; empty before it.
        esmtp: Whether the client said EHLO.
        protocol: SMTP, ESMTP or what a trusted upstream said.
        tls: Set when the connection to us is encrypted.
        account: Login of an authenticated client (XCLIENT LOGIN); empty when there is none.
        ident: The upstream's own id of its session (XFORWARD IDENT); empty when there is none.
        local_source: Whether a trusted upstream said SOURCE=LOCAL: mail that came from no network.
        destination_ip: Address the client connected to (PROXY, XCLIENT DESTADDR); None if unknown.
        destination_port: Port the client connected to; 0 when unknown.
        early_talker: Whether the client spoke before our greeting.
        relays: Hosts of our own that passed the mail on to us, the latest first; as a rule none.
            With some, address and HELO name are those of the client before them, as far as these
            hosts tell.
        told_reverse_name: Name that the mail server's reverse lookup gave, confirmed or not (milter
            macro `{client_ptr}`); None when nobody said.
    """

    session_id: SessionId
    listener: str
    direction: Direction
    client_ip: IpAddress | None = None
    client_port: int = 0
    told_name: str | None = None
    helo_name: str = ""
    esmtp: bool = False
    protocol: str = ""
    tls: Tls | None = None
    account: str = ""
    ident: str = ""
    local_source: bool = False
    destination_ip: IpAddress | None = None
    destination_port: int = 0
    early_talker: bool = False
    relays: tuple[IpAddress, ...] = ()
    told_reverse_name: str | None = None


# The same mail servers and clients come again and again.
@lru_cache(maxsize=1024)
def normal_address(text: str) -> IpAddress:
    """Return the address in `text` without scope id, an IPv4-mapped one as IPv4.

    Raises:
        ValueError: `text` is no address.
    """
    address = ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def parse_literal(text: str) -> IpAddress | None:
    """Return the address of `[192.0.2.1]` or `[IPv6:2001:db8::1]`; None for anything else."""
    inside = text[1:-1] if text.startswith("[") and text.endswith("]") else ""
    # RFC 5321 §4.1.3: the tag is what tells IPv6 literals from others.
    tagged = inside[:5].lower() == "ipv6:"
    try:
        return IPv6Address(inside[5:]) if tagged else IPv4Address(inside)
    except ValueError:
        return None
