"""What an answer of a DNS list means (RFC 5782 §2.1, RFC 6471 §3.4).

Only answers that the policy maps are listings. Refusals, dead and parked lists, and lists that list
the world answer too; such answers are known here and can be mapped by nobody. This module asks no
DNS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import product
from math import prod
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
_OCTETS: Final = re.compile(r"(0|[1-9][0-9]{0,2})(?:-([1-9][0-9]{0,2}))?")
_MOST_CODES: Final = 1024
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


class Asks(StrEnum):
    """What a list is asked about."""

    CLIENT_IP = "client_ip"
    RECEIVED_IP = "received_ip"
    HELO = "helo"
    REVERSE_NAME = "reverse_name"
    MAIL_FROM_DOMAIN = "mail_from_domain"
    AUTHOR_DOMAIN = "author_domain"
    REPLY_TO_DOMAIN = "reply_to_domain"
    DKIM_DOMAIN = "dkim_domain"
    URL_DOMAIN = "url_domain"
    URL_IP = "url_ip"
    EMAIL_HASH = "email_hash"
    URL_HASH = "url_hash"
    FILE_HASH = "file_hash"

    @property
    def stage(self) -> str:
        """The stage at which it is known."""
        return _STAGES.get(self, "message")

    @property
    def content(self) -> str:
        """What a list that is asked about it holds: addresses, domains or hashes."""
        return _CONTENT.get(self, "domains")


_STAGES: Final = {
    Asks.CLIENT_IP: "connect",
    Asks.REVERSE_NAME: "connect",
    Asks.HELO: "helo",
    Asks.MAIL_FROM_DOMAIN: "mail",
}
_CONTENT: Final = {
    Asks.CLIENT_IP: "addresses",
    Asks.RECEIVED_IP: "addresses",
    Asks.URL_IP: "addresses",
    Asks.EMAIL_HASH: "hashes",
    Asks.URL_HASH: "hashes",
    Asks.FILE_HASH: "hashes",
}
# What nobody but its owner can bring into a message; all else a sender may write as it likes, so
# that no list may speak for a message because of it.
UNFORGED: Final = frozenset({Asks.CLIENT_IP, Asks.REVERSE_NAME, Asks.DKIM_DOMAIN})
STAGE_ORDER: Final = ("connect", "helo", "mail", "message")


@dataclass(frozen=True, slots=True)
class HashForm:
    """How a list of hashes writes what it holds.

    Attributes:
        algorithm: md5, sha1, sha256, sha384, sha512, or blake2 (BLAKE2b of 512 bits).
        encoding: hex; base32 without padding (RFC 4648 §6); base64 (RFC 4648 §4); zbase32, which
            rspamd calls base32. In lower case, for names have no case.
        length: Characters that are asked for; 0: all. A label holds 63 of them.
        of: What of a web address is hashed: all of it (`whole`), or host and path alone
            (`host_path`), without scheme, port, query and fragment.
        keeps_case: Whether a text is hashed as it stands, and not in lower case.
        at: What stands between local part and domain of a mail address that is hashed.
    """

    algorithm: str = "sha1"
    encoding: str = "hex"
    length: int = 0
    of: str = "whole"
    keeps_case: bool = False
    at: str = "@"


@dataclass(frozen=True, slots=True)
class ProbePoints:
    """What a list says of itself (RFC 5782 §5): one name that is in it and one that is not.

    Attributes:
        listed: What stands before the zone in the first question; empty: there is no such name.
        not_listed: Likewise in the second one.
    """

    listed: str = ""
    not_listed: str = ""


# RFC 5782 §5: 127.0.0.2 and 127.0.0.1, the domains TEST and INVALID. Lists of hashes have agreed on
# nothing; of them only a hash is asked that nothing has: that of 40 zeros and its like.
DEFAULT_POINTS: Final = {
    "addresses": ProbePoints("2.0.0.127", "1.0.0.127"),
    "domains": ProbePoints("test", "invalid"),
    "hashes": ProbePoints("", "0" * 40),
}
# RFC 5782 §5: the second test point of a list of IPv6 addresses, ::FFFF:7F00:1.
NOT_LISTED_IPV6: Final = "1.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20


@dataclass(frozen=True, slots=True)
class DnsList:
    """One DNS list of a policy.

    Attributes:
        zone: The public name, `part` included; what logs, metrics and replies show.
        asks: What it is asked about; all of one content.
        effect: block or allow.
        codes: Symbols by answer, for a list of codes.
        bits: Symbols by bit of the last octet, for a list of bits; one of the two is empty.
        errors: Answers by which this list refuses, beside those by which all do.
        key: Secret label that stands before the zone in a query; empty when there is none.
        part: First label of the zone where the key stands behind it; empty as a rule.
        hashed: How it writes hashes; None: what it holds is asked for as it is.
        points: Its test points.
        ipv6: Whether it is asked about IPv6 addresses.
        most: The most questions that one message asks about each of `asks`.
        most_hits: Percent of the last subjects that it may list before it is not believed.
        graded: Whether it answers for most of what it is asked about, with a grade: then only
            answers that have a symbol are hits.
        a_day: Questions a day, over all workers, before it is left alone until midnight UTC; 0: any
            number.
    """

    zone: str
    asks: tuple[Asks, ...]
    effect: str
    codes: Mapping[IPv4Address, str] = field(default_factory=dict)
    bits: Mapping[int, str] = field(default_factory=dict)
    errors: frozenset[IPv4Address] = frozenset()
    key: str = field(default="", repr=False)
    part: str = ""
    hashed: HashForm | None = None
    points: ProbePoints = DEFAULT_POINTS["addresses"]
    ipv6: bool = True
    most: int = 20
    most_hits: int = 90
    graded: bool = False
    a_day: int = 0

    @property
    def query_zone(self) -> str:
        """The zone with its key: for the query alone, never shown."""
        behind = self.zone.removeprefix(f"{self.part}.") if self.part else self.zone
        return ".".join(filter(None, (self.part, self.key, behind)))

    @property
    def content(self) -> str:
        """What it holds: addresses, domains or hashes."""
        return self.asks[0].content

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
        if why_error(answer) or answer in self.errors:
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
    """Return the answers that `127.0.0.2`, or a range such as `127.0.2-20.3`, stands for.

    Raises:
        ValueError: It is neither; the text says what to write.
    """
    octets = [_OCTETS.fullmatch(octet) for octet in text.split(".")]
    if len(octets) != 4 or not all(octets):
        raise ValueError("an answer is written like 127.0.0.2 or 127.0.0.10-11")
    spans = [(int(o[1]), int(o[2] or o[1])) for o in octets if o]
    if any(low > 255 or high > 255 for low, high in spans):
        raise ValueError("an answer is written like 127.0.0.2, with no number over 255")
    if any(low > high for low, high in spans):
        raise ValueError("a range is written like 127.0.0.10-11: from a lower number to a higher")
    if prod(high - low + 1 for low, high in spans) > _MOST_CODES:
        raise ValueError(f"a range stands for at most {_MOST_CODES} answers")
    ranges = [range(low, high + 1) for low, high in spans]
    return tuple(IPv4Address(bytes(octets)) for octets in product(*ranges))
