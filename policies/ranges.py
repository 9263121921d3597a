"""Sets of IP addresses, as ranges of plain numbers that are found by bisection.

A tree of Python objects takes some hundred bytes for each network; two rows of machine words take
eight for IPv4 and thirty-two for IPv6, and one look-up is two calls into C.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network, IPv6Network

IpAddress = IPv4Address | IPv6Address
Span = tuple[IpAddress, IpAddress]

_LOW: Final = (1 << 64) - 1
# The longest text of an address, IPv4 inside IPv6 (RFC 4291 §2.2).
_LONGEST: Final = 45


def parse_ip(text: str) -> IpAddress | None:
    """Return the address that `text` is; None when it is none."""
    if len(text) > _LONGEST:
        return None
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None


def plain_address(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv4-mapped one (RFC 4291 §2.5.5.2), else `address`."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


class AddressRanges:
    """A set of addresses. It holds a million networks and never changes.

    Ranges do not overlap and rise. Of IPv6 the upper and the lower halves stand in rows of their
    own, for no machine word holds both.
    """

    __slots__ = ("_ends4", "_ends6", "_high6", "_low6", "_starts4")

    def __init__(
        self,
        spans4: Iterable[tuple[int, int]] = (),
        spans6: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._starts4, self._ends4 = array("I"), array("I")
        for start, end in spans4:
            self._starts4.append(start)
            self._ends4.append(end)
        self._high6, self._low6, self._ends6 = array("Q"), array("Q"), (array("Q"), array("Q"))
        for start, end in spans6:
            self._high6.append(start >> 64)
            self._low6.append(start & _LOW)
            self._ends6[0].append(end >> 64)
            self._ends6[1].append(end & _LOW)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> AddressRanges:
        """Return the set of all addresses from the first to the last of each span, in any order."""
        numbers: tuple[list[int], list[int]] = ([], [])
        for first, last in spans:
            start, end = plain_address(first), plain_address(last)
            if start.version == end.version == 4:
                numbers[0].append(int(start) << 32 | int(end))
            else:
                numbers[1].append(int(first) << 128 | int(last))
        return cls(_joined(numbers[0], 32), _joined(numbers[1], 128))

    @classmethod
    def of_networks(cls, networks: Iterable[IPv4Network | IPv6Network]) -> AddressRanges:
        """Return the set of all addresses of `networks`."""
        return cls.of((each.network_address, each.broadcast_address) for each in networks)

    def __len__(self) -> int:
        """Return how many ranges there are; those that touch are one."""
        return len(self._starts4) + len(self._high6)

    def __contains__(self, address: IpAddress) -> bool:
        """Return whether `address` is in the set, a mapped address by what it maps."""
        plain = plain_address(address)
        number = int(plain)
        if plain.version == 4:
            place = bisect_right(self._starts4, number) - 1
            return place >= 0 and number <= self._ends4[place]
        high, low = number >> 64, number & _LOW
        above = bisect_right(self._high6, high)
        place = bisect_right(self._low6, low, self._first(high, above), above) - 1
        return place >= 0 and (high, low) <= (self._ends6[0][place], self._ends6[1][place])

    def _first(self, high: int, above: int) -> int:
        """Return the first range whose start has the upper half `high`; `above` when none has."""
        return bisect_right(self._high6, high - 1, 0, above) if high else 0


def _joined(numbers: list[int], width: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges in `numbers`, start above end in one number, rising and not touching."""
    numbers.sort()
    mask = (1 << width) - 1
    start, end = -1, -2
    for number in numbers:
        first, last = number >> width, number & mask
        if first <= end + 1 and start >= 0:
            end = max(end, last)
            continue
        if start >= 0:
            yield start, end
        start, end = first, last
    if start >= 0:
        yield start, end
