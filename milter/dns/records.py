"""Names and the data of records, read out of a packet (RFC 1035 §3.3, §4.1.4; RFC 3596 §2.2).

Only ParseError leaves here, and IndexError where the packet ends too early, of which `wire` makes
the other. Data of rare types is dnspython's business. No socket, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from milter.core.errors import ParseError
from milter.dns.resolver import Rdata, Rrtype

# Takes a packet, and where in it the data begins and ends.
Read = Callable[[bytes, int, int], Rdata]

# One jump reaches any name that was written before, so more than a few are an attack on our time.
_MAX_JUMPS: Final = 16
_MAX_NAME_BYTES: Final = 255
_ADDRESSES_KEPT: Final = 1024
_PLAIN: Final = re.compile(rb"[a-z0-9_-]+")


def reader(rrtype: Rrtype) -> Read:
    """Return what reads the data of this type."""
    return _READERS.get(rrtype, _start_of_authority)


# Lists say the same few addresses of all the world.
@lru_cache(maxsize=_ADDRESSES_KEPT)
def dotted(octets: bytes) -> str:
    """Return four octets as people write them."""
    a, b, c, d = octets
    return f"{a}.{b}.{c}.{d}"


def read_name(packet: bytes, pos: int) -> tuple[bytes, int]:
    """Return the name at `pos` without compression, and where what follows it begins.

    A jump leads to before the part that it ends, so none can be taken twice (RFC 1035 §4.1.4).
    """
    parts: list[bytes] = []
    size, after, begin = 1, 0, pos
    for _ in range(_MAX_JUMPS + 1):
        while 0 < (length := packet[pos]) < 64:
            parts.append(packet[pos : pos + length + 1])
            size += length + 1
            pos += length + 1
            if size > _MAX_NAME_BYTES:
                raise ParseError("a name of more than 255 octets", pos)
        if not length:
            parts.append(b"\0")
            return b"".join(parts), after or pos + 1
        target = (length & 63) << 8 | packet[pos + 1]
        if length < 192 or target >= begin:
            raise ParseError("a label that is neither text nor a jump back", pos)
        after = after or pos + 2
        pos = begin = target
    raise ParseError("a name of too many jumps", pos)


def read_target(packet: bytes, start: int, end: int) -> bytes:
    """Return the name that is all of the data between `start` and `end`."""
    name, after = read_name(packet, start)
    if after != end:
        raise ParseError("a name is not as long as its record", start)
    return name


def _text(name: bytes) -> str:
    """Return a name on the wire as text without a final dot; what is unusual in it is escaped.

    It is in lower case: where it jumps to the question it has the capitals that we mixed ourselves.
    """
    labels: list[str] = []
    name, pos = name.lower(), 0
    while length := name[pos]:
        label = name[pos + 1 : pos + 1 + length]
        labels.append(label.decode("ascii") if _PLAIN.fullmatch(label) else _escaped(label))
        pos += length + 1
    return ".".join(labels)


def _escaped(label: bytes) -> str:
    """Return a label as master files write it (RFC 1035 §5.1), so that its dots part no labels."""
    return "".join(
        f"\\{chr(c)}" if c in b'"().;\\@$' else chr(c) if 32 < c < 127 else f"\\{c:03d}"
        for c in label
    )


def _ipv4(packet: bytes, start: int, end: int) -> str:
    if end - start != 4:
        raise ParseError("an A record has four octets", start)
    return dotted(packet[start:end])


def _ipv6(packet: bytes, start: int, end: int) -> str:
    if end - start != 16:
        raise ParseError("an AAAA record has sixteen octets", start)
    return str(IPv6Address(packet[start:end]))


def _strings(packet: bytes, start: int, end: int) -> tuple[bytes, ...]:
    strings: list[bytes] = []
    while start < end:
        after = start + 1 + packet[start]
        if after > end:
            raise ParseError("a string of a TXT record ends too early", start)
        strings.append(packet[start + 1 : after])
        start = after
    if not strings:
        raise ParseError("a TXT record without a string", start)
    return tuple(strings)


def _target(packet: bytes, start: int, end: int) -> str:
    return _text(read_target(packet, start, end))


def _exchange(packet: bytes, start: int, end: int) -> tuple[int, str]:
    return int.from_bytes(packet[start : start + 2]), _target(packet, start + 2, end)


def _start_of_authority(packet: bytes, start: int, end: int) -> str:
    kind = dns.rdataclass.IN, dns.rdatatype.SOA
    try:
        return dns.rdata.from_wire(*kind, packet, start, end - start).to_text()
    except dns.exception.DNSException as err:
        raise ParseError("a malformed SOA record", start) from err


_READERS: Final[dict[str, Read]] = {
    "A": _ipv4,
    "AAAA": _ipv6,
    "TXT": _strings,
    "MX": _exchange,
    "PTR": _target,
    "CNAME": _target,
    "NS": _target,
}
