"""What a DNS list is asked: addresses, domains and hashes as names below its zone.

RFC 5782 §2.1 and §2.4 for addresses, RFC 5782 §3 for domains; hashes as SpamAssassin and rspamd ask
for them. Which subjects a message has is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.dns.names import canonical_name
from policies.ranges import plain_address

if TYPE_CHECKING:
    from milter.core.connection import IpAddress
    from policies.dnslists import DnsList, HashForm

# RFC 1035 §2.3.4: a label holds at most 63 octets.
_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that lists are asked about.

    Attributes:
        text: What is shown: an address, a domain, a mail address, a web address.
        name: What stands before the zone; of a hash what is hashed.
        ipv6: Whether it is an IPv6 address.
    """

    text: str
    name: str
    ipv6: bool = False


def of_address(ip: IpAddress) -> Subject:
    """Return `ip` as a subject, a mapped address as what it maps.

    >>> from ipaddress import IPv4Address
    >>> of_address(IPv4Address("192.0.2.99")).name
    '99.2.0.192'
    """
    plain = plain_address(ip)
    reverse, _, _ = plain.reverse_pointer.rsplit(".", 2)
    return Subject(str(plain), reverse, plain.version == 6)


def of_domain(domain: str) -> Subject | None:
    """Return `domain` as a subject; None where it is no name with at least two labels.

    An address in brackets or dots is no domain: lists of domains answer such questions with an
    error, and some count who asks them.
    """
    name = canonical_name(domain)
    if name is None or "." not in name or name.rpartition(".")[2].isdecimal() or "[" in name:
        return None
    return Subject(name, name)


def of_text(text: str) -> Subject:
    """Return a mail address or a web address, to be hashed, as a subject."""
    return Subject(text, text)


def query_name(dns_list: DnsList, subject: Subject) -> str | None:
    """Return the name that `dns_list` is asked about `subject`, its key in it; None: too long."""
    hashed = dns_list.content == "hashes"
    before = hashed_name(subject.name, dns_list.hashed) if hashed else subject.name
    return canonical_name(f"{before}.{dns_list.query_zone}")


def hashed_name(text: str, form: HashForm) -> str:
    """Return `text` hashed as a list wants it; what is hashed is in lower case.

    RFC 4648 §6 for base32, its padding left out.
    """
    digest = hashlib.new(form.algorithm, text.lower().encode(), usedforsecurity=False).digest()
    if form.encoding == "base32":
        written = base64.b32encode(digest).decode("ascii").rstrip("=").lower()
    else:
        written = digest.hex()
    return written[: form.length or _LABEL]
