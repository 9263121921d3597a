"""What a message gives lists to be asked about: addresses, domains, mail and web addresses.

Where a message has more than a list is asked about, the choice is deliberate. Of web addresses
different registrable domains come first, for one bad domain is enough and a sender who writes a
hundred links to good ones must not be able to hide it; among equals the order is drawn by a digest
over the id of the transaction, which the sender cannot know beforehand and the log keeps.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from milter.checks.dnslists.questions import Subject, of_address, of_domain, of_text
from milter.message.addresses import parse_addresses
from milter.message.guard import Notes
from milter.message.urls.domains import registrable_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milter.core.connection import IpAddress
    from milter.message.addresses import Address
    from milter.message.document import Message
    from policies.ranges import AddressRanges

# More of one kind are not even looked at; far more than any list is asked about.
_MOST: Final = 1_000
_MOST_TEXT: Final = 1_000_000
_MAIL_ADDRESS: Final = re.compile(
    r"(?<![A-Za-z0-9._%+=-])[A-Za-z0-9][A-Za-z0-9._%+=-]{0,63}@"
    r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
# Google reads neither dots nor what stands behind a plus (msbl.org/ebl-design.html).
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


def addresses(found: Iterable[IpAddress], never_ask: AddressRanges) -> list[Subject]:
    """Return the addresses that lists may be asked about, each once."""
    subjects = [of_address(ip) for ip in found if ip not in never_ask]
    return list(dict.fromkeys(subjects))


def domains(found: Iterable[str]) -> list[Subject]:
    """Return the registrable domains of `found`, each once.

    That is what lists of domains hold, and who registers a domain can make up any name below it.
    """
    subjects = (of_domain(registrable_domain(name)) for name in found)
    return list(dict.fromkeys(s for s in subjects if s is not None))


def reply_domains(message: Message) -> list[str]:
    """Return the domains that answers go to."""
    return [address.domain for address in reply_to(message)]


def reply_to(message: Message) -> Sequence[Address]:
    """Return the mailboxes of Reply-To."""
    return parse_addresses(message.values("reply-to"), Notes(), message.bounds).addresses


def url_hosts(urls: Iterable[str]) -> list[str]:
    """Return the hosts of web addresses, addresses without brackets, each once."""
    hosts: dict[str, None] = {}
    for url in urls:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            continue
        if host:
            hosts.setdefault(host)
    return list(hosts)


def hosts_as_addresses(hosts: Iterable[str]) -> list[IpAddress]:
    """Return those of `hosts` that are addresses."""
    found = []
    for host in hosts:
        try:
            found.append(ip_address(host))
        except ValueError:
            continue
    return found


def drawn(subjects: Sequence[Subject], secret: str) -> list[Subject]:
    """Return `subjects` in an order that depends on `secret`, so that no place is the last."""
    return sorted(subjects, key=lambda subject: _drawn(subject.name, secret))


def urls_to_hash(urls: Iterable[str], secret: str) -> list[Subject]:
    """Return web addresses, those of different registrable domains first.

    As SpamAssassin asks for them: whole, in lower case.
    """
    of: dict[str, list[str]] = {}
    for url in urls:
        for host in url_hosts([url]):
            of.setdefault(registrable_domain(host) or host, []).append(url.lower())
    rows = [sorted(set(row), key=lambda url: _drawn(url, secret)) for row in of.values()]
    rows.sort(key=lambda row: _drawn(row[0], secret))
    longest = max(map(len, rows), default=0)
    ordered = [row[place] for place in range(longest) for row in rows if place < len(row)]
    return [of_text(url) for url in ordered[:_MOST]]


def mail_addresses(message: Message) -> list[Subject]:
    """Return the mail addresses to which a message asks to answer, those of the header first."""
    header = [*message.authors.addresses, *reply_to(message)]
    found = dict.fromkeys(f"{a.local_part}@{a.domain}".lower() for a in header if a.domain)
    left = _MOST_TEXT
    for part in message.texts:
        for match in _MAIL_ADDRESS.finditer(part.text, 0, left):
            found.setdefault(match[0].lower())
        left -= len(part.text)
        if left <= 0 or len(found) >= _MOST:
            break
    return [of_text(plain) for plain in dict.fromkeys(map(plain_mail_address, found))]


def plain_mail_address(address: str) -> str:
    """Return `address`, in lower case, without what mail servers do not look at.

    >>> plain_mail_address("j.doe+shop@googlemail.com")
    'jdoe@gmail.com'
    """
    local_part, _, domain = address.lower().rpartition("@")
    plain = local_part.partition("+")[0] or local_part
    if domain in _GMAIL:
        return f"{plain.replace('.', '')}@gmail.com"
    return f"{plain}@{domain}"


def _drawn(text: str, secret: str) -> bytes:
    data, key = text.encode("utf-8", "replace"), secret.encode()[:64]
    return blake2b(data, key=key, digest_size=8).digest()
