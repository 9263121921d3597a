"""Names that look like those of others (X.1236 8.2.2): of author, Reply-To and links.

Protected are the domains that the site names, those of the recipients, and widely imitated ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.checks.identities import is_free
from milter.checks.links import CLICKED
from milter.core.transaction import Stage
from milter.message.addresses import parse_addresses
from milter.message.guard import Notes
from milter.message.lookalike import (
    Level,
    Protected,
    brands,
    is_one_company,
    name_of,
    protected,
    unsigned,
    whole_names,
)
from milter.message.text.fold import skeleton
from milter.message.urls.domains import domain_in_host, registrable_domain
from policies.domains import domain_key
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.core.transaction import Transaction
    from milter.message.addresses import Address
    from milter.message.document import Message
    from milter.message.lookalike import Likeness

_SYMBOLS: Final = {
    Level.HIGH: "LOOKALIKE_HIGH",
    Level.MEDIUM: "LOOKALIKE_MEDIUM",
    Level.LOW: "LOOKALIKE_LOW",
}
_LINK: Final = "link"
_MAX_LINKS: Final = 50
_MAX_AUTHORS: Final = 5
_MAX_WORDS: Final = 12
# What companies put beside their names where they write as themselves; in skeletons.
_SERVICE_WORDS: Final = """
account accounts alert alerts app assistance bank billing card care center centre client cloud
customer delivery department desk express finance help helpdesk id info invoice live login member
members notice notification notifications official online order orders parcel pay payment payments
portal premium protection refund rewards secure security service services shipping shop sign
subscription support team tracking transfer update updates verification verify wallet
konto kundendienst kundenservice paket sicherheit versand zahlung client compte colis livraison
securite atencion cliente clientes cuenta seguridad atendimento conta seguranca clienti sicurezza
klantenservice
"""
_SERVICE: Final = frozenset(map(skeleton, _SERVICE_WORDS.split()))
# Marks of trade, which compatibility would make letters of.
_MARKS: Final = str.maketrans("\u2122\u2120", "  ")
_WORDS: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ADDRESS: Final = re.compile(r"[^\s@<>\"(),;:]{1,64}@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)
_HOW: Final = {
    "letters": "letters that look alike",
    "edit": "one letter apart",
    "suffix": "same name, other suffix",
    "words": "with words added",
    "subdomain": "as a subdomain",
}


class LookalikeCheck:
    """Domains and display names that look like protected ones, and what gives them away.

    Args:
        domains: Those of the site that are imitated.
    """

    name = "lookalike"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *_SYMBOLS.values(),
            *("FROM_NAME_BRAND", "FROM_NAME_OWN", "FROM_NAME_ADDRESS", "FROM_DOMAIN_IN_HOST"),
        }
    )

    def __init__(self, domains: Iterable[str] = ()) -> None:
        self._domains = frozenset(map(domain_key, domains))
        self._brands = Protected((*brands(), *self._domains), least=3)

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return the highest likeness of each level, and what display names pretend."""
        if message is None:
            return NOTHING
        own = frozenset(domain_key(mailbox.domain) for mailbox in txn.recipients[:_MAX_AUTHORS])
        indexes = (self._brands, protected(own)) if own else (self._brands,)
        seen: dict[str, Finding] = {}
        for where, host in _hosts(message):
            for index in indexes:
                if (likeness := index.likeness(host)) is not None:
                    finding = _finding(where, likeness)
                    seen.setdefault(finding.symbol, finding)
            if where != _LINK and (inner := domain_in_host(host)):
                found = Finding("FROM_DOMAIN_IN_HOST", host, {"host": host, "domain": inner})
                seen.setdefault(found.symbol, found)
        for author in message.authors.addresses[:_MAX_AUTHORS]:
            for finding in _display(author, indexes):
                seen.setdefault(finding.symbol, finding)
        return Evidence(tuple(seen.values())) if seen else NOTHING


def _display(author: Address, indexes: tuple[Protected, ...]) -> Iterator[Finding]:
    """Yield what the name of an author pretends: another address, a company, one of us."""
    name = author.display_name
    if not name:
        return
    domain = registrable_domain(author.domain) or author.domain
    if match := _ADDRESS.search(name):
        claimed = registrable_domain(match[1].lower())
        if claimed and claimed != domain:
            what = f"{name[:80]} <{author.local_part}@{author.domain}>"
            yield Finding("FROM_NAME_ADDRESS", what, {"domain": claimed})
    # Whoever shows an address at a free provider does not claim to be the provider.
    name = _ADDRESS.sub(lambda found: " " if is_free(found[1].lower()) else found[0], name)
    for symbol, index in zip(("FROM_NAME_BRAND", "FROM_NAME_OWN"), indexes, strict=False):
        imitated = next((index.names[each] for each in _names_in(name) if each in index.names), "")
        if not imitated and symbol == "FROM_NAME_BRAND":
            imitated = _whole(name)
        if imitated and not _may_bear(domain, imitated):
            what = f"{name[:80]} writes from {author.domain}"
            yield Finding(symbol, what, {"domain": imitated})


def _whole(display_name: str) -> str:
    """Return the domain of a company whose name is a word, where the name is that company's."""
    words = _WORDS.findall(skeleton(display_name.translate(_MARKS)))[:_MAX_WORDS]
    rest = [word for word in words if word not in _SERVICE]
    if len(rest) != 1:
        return ""
    alone, serving = whole_names()
    return (serving if len(words) > 1 else alone).get(rest[0], "")


def _may_bear(domain: str, imitated: str) -> bool:
    """Return whether an author at `domain` may have the name of the domain `imitated`."""
    # At those where everybody has a mailbox, nobody writes for the company.
    one_company = is_one_company(domain, imitated) and not is_free(domain)
    return one_company or name_of(imitated) in domain


def _names_in(display_name: str) -> Iterator[str]:
    """Yield what may be a name among the words of another: each word, and two or three of them."""
    bare = display_name.translate(_MARKS)
    # In most type a capital I is a small L; `PayPalService` is read as two words.
    ways = (bare, bare.replace("I", "l"), _HUMP.sub(" ", bare))
    plain = [skeleton(written) for written in dict.fromkeys(ways)]
    for written in dict.fromkeys((*plain, unsigned(plain[0]))):
        words = _WORDS.findall(written)[:_MAX_WORDS]
        for start in range(len(words)):
            for count in range(1, 4):
                yield "".join(words[start : start + count])


def _hosts(message: Message) -> Iterator[tuple[str, str]]:
    for domain in message.author_domains[:_MAX_AUTHORS]:
        yield "author", domain
    replies = parse_addresses(message.values("reply-to"), Notes(), message.bounds)
    for address in replies.addresses[:_MAX_AUTHORS]:
        yield "Reply-To", address.domain
    clicked = dict.fromkeys(
        url.host for url in message.links if url.source in CLICKED and url.domain
    )
    for host in list(clicked)[:_MAX_LINKS]:
        yield _LINK, host


def _finding(where: str, likeness: Likeness) -> Finding:
    what = f"{where} {likeness.domain} like {likeness.protected} ({_HOW[likeness.how]})"
    return Finding(
        _SYMBOLS[likeness.level], what, {"domain": likeness.domain, "name": likeness.protected}
    )
