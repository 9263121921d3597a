"""Of whom something is remembered: the kinds of subjects, and their keys in the store."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from reputation.keys import keyed_hash

IpAddress = IPv4Address | IPv6Address

# What one customer is commonly given: a block of 256 addresses, or a network of RFC 4291 §2.5.4.
_HOST_BITS: Final = 64
_MAX_NAME: Final = 320


class Kind(StrEnum):
    """What a subject is."""

    # An enumeration hashes names, in Python.
    __hash__ = str.__hash__

    ADDRESS = "address"
    NETWORK = "network"
    ASN = "asn"
    COUNTRY = "country"
    HELO = "helo"
    MAIL_FROM_DOMAIN = "mail_from_domain"
    DKIM_DOMAIN = "dkim_domain"
    AUTHOR_DOMAIN = "author_domain"
    CLAIMED_DOMAIN = "claimed_domain"
    URL_DOMAIN = "url_domain"
    PAIR = "pair"


# Names that whoever sends may write as he likes: what is good of such mail is not to their credit.
CLAIMED: Final = frozenset({Kind.HELO, Kind.CLAIMED_DOMAIN})
# Identities that somebody vouched for; only these can be trusted.
PROVEN: Final = frozenset({Kind.MAIL_FROM_DOMAIN, Kind.DKIM_DOMAIN, Kind.AUTHOR_DOMAIN, Kind.PAIR})
# Shared with neighbours.
NEARBY: Final = frozenset({Kind.NETWORK, Kind.ASN, Kind.COUNTRY, Kind.URL_DOMAIN})
_DOMAINS: Final = (
    *(Kind.AUTHOR_DOMAIN, Kind.CLAIMED_DOMAIN, Kind.MAIL_FROM_DOMAIN, Kind.DKIM_DOMAIN),
    *(Kind.URL_DOMAIN, Kind.HELO),
)


class Subject(NamedTuple):
    """One of whom something is remembered; a tuple, because each message has several.

    Attributes:
        kind: What it is.
        name: In small letters, domains as A-labels; both ends of a pair parted by a blank.
    """

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def key(self, secret: bytes | None) -> bytes:
        """Return the key in the store: with a secret only a hash of it."""
        plain = f"{self.kind}:{self.name[:_MAX_NAME]}".encode(errors="surrogateescape")
        return plain if secret is None else keyed_hash(secret, plain)


def network_of(client: IpAddress) -> str:
    """Return the network of `client`: its /24, or /64.

    >>> network_of(IPv4Address("192.0.2.77"))
    '192.0.2.0/24'
    """
    # Asked for every message, and `ipaddress` takes its time.
    if isinstance(client, IPv4Address):
        return f"{str(client).rpartition('.')[0]}.0/24"
    return f"{IPv6Address(int(client) >> _HOST_BITS << _HOST_BITS)}/64"


def plain_ip(text: str) -> str:
    """Return the address of a client in the one spelling in which it is kept; else `text`.

    >>> plain_ip("[2001:DB8:0::7]")
    '2001:db8::7'
    """
    try:
        client = ip_address(text.strip("[]"))
    except ValueError:
        return text
    return str(getattr(client, "ipv4_mapped", None) or client)


def pair(sender: str, recipient: str) -> Subject:
    """Return the subject of mail from one mailbox to another."""
    return Subject(Kind.PAIR, f"{sender.lower()} {recipient.lower()}")


def parse_subjects(text: str) -> tuple[Subject, ...]:
    """Return the subjects that a person means.

    `author_domain:example.org` is one. An address alone means it and its network, a network of the
    size that is remembered itself, a name every kind of domain, and two mailboxes with a blank
    between them a pair.

    Raises:
        ValueError: It means none.
    """
    kind, colon, name = text.strip().lower().partition(":")
    if colon and kind in set(Kind):
        if not name:
            raise ValueError(f"`{kind}:` needs a name behind it")
        return (Subject(Kind(kind), name.strip()),)
    text = text.strip().lower()
    try:
        client = ip_address(text)
    except ValueError:
        pass
    else:
        return (Subject(Kind.ADDRESS, str(client)), Subject(Kind.NETWORK, network_of(client)))
    if "/" in text:
        return (Subject(Kind.NETWORK, _network(text)),)
    first, blank, second = text.partition(" ")
    if blank and "@" in first and "@" in second:
        return (pair(first, second.strip()),)
    if not text or " " in text or "@" in text or ":" in text:
        raise ValueError("an IP address, a domain, one or two mailboxes, or a kind as in helo:NAME")
    return tuple(Subject(kind, text.rstrip(".")) for kind in _DOMAINS)


def _network(text: str) -> str:
    with suppress(ValueError):
        network = ip_network(text, strict=False)
        if str(network) == (known := network_of(network.network_address)):
            return known
    raise ValueError("a /24, or a /64 of IPv6: no other networks are remembered")


def mentioned(text: str) -> tuple[str, ...]:
    """Return the names by which a message mentions what a person means: one, or two of a pair.

    None for a subject that is written with its kind, and for a network.
    """
    kind, colon, _ = text.strip().lower().partition(":")
    if (colon and kind in set(Kind)) or "/" in text:
        return ()
    return tuple(text.strip().lower().strip("<>").rstrip(".").split())
