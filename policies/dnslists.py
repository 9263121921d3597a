"""What an answer of a DNS list means (RFC 5782 §2.1, RFC 6471 §3.4).

Only answers that the policy maps are listings. Refusals, dead and parked lists, and lists that list
the world answer too; such answers are known here and can be mapped by nobody. This module asks no
DNS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK: Final = IPv4Network("127.0.0.0/8")
# What large lists say instead of an answer; a site must not be able to count one as a listing, for
# on the day the list refuses us it would refuse all mail.
REFUSALS: Final = IPv4Network("127.255.255.0/24")
ERRORS: Final[Mapping[IPv4Address, str]] = {
    IPv4Address("127.0.0.1"): "lists answer 127.0.0.1 when they refuse a query",
    IPv4Address("127.0.0.255"): "lists answer 127.0.0.255 when they block a resolver",
    IPv4Address(
        "127.0.1.255"
    ): "lists answer 127.0.1.255 when they are asked for what they do not hold",
}
ERROR_BIT: Final = 1
BITS: Final = frozenset({2, 4, 8, 16, 32, 64, 128})


class NoListing(Enum):
    """An answer that is no listing."""

    UNKNOWN = "unknown"
    ERROR = "error"


UNKNOWN: Final = NoListing.UNKNOWN
ERROR: Final = NoListing.ERROR


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing: the symbols that the answer stands for, at least one."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DnsList:
    """One DNS list of a policy.

    Attributes:
        zone: The public name; what logs, metrics and replies show.
        asks: What is looked up.
        effect: block or allow.
        codes: Symbols by answer, for a list of codes.
        bits: Symbols by bit of the last octet, for a list of bits; one of the two is empty.
        key: Secret label that stands before the zone in a query; empty when there is none.
    """

    zone: str
    asks: str
    effect: str
    codes: Mapping[IPv4Address, str] = field(default_factory=dict)
    bits: Mapping[int, str] = field(default_factory=dict)
    key: str = field(default="", repr=False)

    @property
    def query_zone(self) -> str:
        """The zone with its key: for the query alone, never shown."""
        return f"{self.key}.{self.zone}" if self.key else self.zone

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol that the list can yield."""
        return frozenset(self.codes.values()) | frozenset(self.bits.values())

    def judge(self, address: str) -> Listed | NoListing:
        """Return what one address of the answer means; `address` is an A record."""
        try:
            answer = IPv4Address(address)
        except AddressValueError:
            return ERROR
        if why_error(answer):
            return ERROR
        if self.bits:
            return self._judge_bits(int(answer) & 0xFF)
        symbol = self.codes.get(answer)
        return Listed((symbol,)) if symbol else UNKNOWN

    def _judge_bits(self, octet: int) -> Listed | NoListing:
        # A refusal sets the error bit, and some lists leave other bits set beside it.
        if octet & ERROR_BIT:
            return ERROR
        symbols = dict.fromkeys(self.bits[bit] for bit in sorted(self.bits) if octet & bit)
        return Listed(tuple(symbols)) if symbols else UNKNOWN


def why_error(answer: IPv4Address) -> str:
    """Return why `answer` can never be a listing; empty when it can."""
    if answer not in LOOPBACK:
        return "an answer outside 127.0.0.0/8 comes from a parked or hijacked list"
    if answer in REFUSALS:
        return "lists answer 127.255.255.x when they refuse a query"
    return ERRORS.get(answer, "")


def parse_code(text: str) -> tuple[IPv4Address, ...]:
    """Return the answers that `127.0.0.2` or the range `127.0.0.10-11` stands for.

    Raises:
        ValueError: It is neither; the text says what to write.
    """
    first, dash, last = text.partition("-")
    try:
        start = IPv4Address(first)
    except AddressValueError as err:
        raise ValueError("an answer is written like 127.0.0.2 or 127.0.0.10-11") from err
    if not dash:
        return (start,)
    low = int(start) & 0xFF
    if not (last.isascii() and last.isdecimal() and len(last) <= 3 and low <= int(last) <= 255):
        raise ValueError(
            "a range is written like 127.0.0.10-11: from a lower last number to a higher"
        )
    return tuple(start + step for step in range(int(last) - low + 1))
