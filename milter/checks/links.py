"""Where the links of a message lead, and how they hide it.

One sign alone is common in wanted mail (shorteners, counting redirectors), so the weights are
small; what a link pretends to be is judged beside it, in `lookalike`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.lookalike import brands
from milter.message.text.forms import folded
from milter.message.urls.domains import domain_in_host, registrable_domain
from milter.message.urls.find import find_urls
from milter.message.urls.fresh import is_fresh
from milter.message.urls.link import Source, Trait, Url, nested_links, read_found
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from policies.facts import FactValue

_TRAIT_SYMBOLS: Final = {
    Trait.ODD_IP: "LINK_ODD_ADDRESS",
    Trait.IP: "LINK_RAW_ADDRESS",
    Trait.USERINFO: "LINK_USERINFO",
    Trait.ENCODED_HOST: "LINK_DISGUISED",
    Trait.ODD_SLASHES: "LINK_DISGUISED",
    Trait.SHORTENER: "LINK_SHORTENER",
    Trait.PORT: "LINK_PORT",
}
# Sources that a person clicks on; pictures and styles are fetched, not visited.
CLICKED: Final = frozenset(
    (Source.TEXT, Source.LINK, Source.FORM, Source.REFRESH, Source.FILE, Source.CODE)
)
_MAX_LABEL_TEXT: Final = 200
# Words that call to open an address are few; longer ones are a text with an address at its end.
_MAX_CALL: Final = 120
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_LEADS_ON: Final = frozenset((Trait.REDIRECTOR, Trait.SHORTENER))
_SHOWN: Final = 120
_MANY_REDIRECTORS: Final = 3
_MAX_CHAIN: Final = 3


class LinksCheck:
    """What is odd about the links, and the fact `urls`."""

    name = "links"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset(
        {
            *_TRAIT_SYMBOLS.values(),
            *("LINK_TEXT_MISMATCH", "LINK_REDIRECTORS", "LINK_NESTED_DOMAIN", "LINK_DATA"),
            *("LINK_DOMAIN_IN_HOST", "LINK_REFRESH", "LINK_FRESH_HOST"),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return a finding for each kind of oddity, with the first link that has it."""
        if message is None or not message.links:
            return NOTHING
        links = message.links
        own = frozenset(filter(None, map(registrable_domain, message.author_domains)))
        seen: dict[str, Finding] = {}
        for url in links:
            for finding in _odd(url, own):
                seen.setdefault(finding.symbol, finding)
        redirectors = {url.host for url in links if not _LEADS_ON.isdisjoint(url.traits)}
        if len(redirectors) >= _MANY_REDIRECTORS:
            seen["LINK_REDIRECTORS"] = Finding("LINK_REDIRECTORS", ", ".join(sorted(redirectors)))
        return Evidence(tuple(seen.values()), {"urls": _facts(links)})


def _odd(url: Url, own: frozenset[str]) -> Iterator[Finding]:
    if url.source not in CLICKED:
        return
    for trait in url.traits:
        # Addresses of one's own network are spoken of among technicians, and lead spam nowhere.
        if trait is Trait.IP and not ip_address(url.host.strip("[]")).is_global:
            continue
        if symbol := _TRAIT_SYMBOLS.get(trait):
            yield Finding(symbol, _shown(url), {"host": url.host})
    if url.scheme == "data" and not url.href.startswith("data:image/"):
        yield Finding("LINK_DATA", url.href[:60])
    if url.source is Source.REFRESH and url.is_web:
        yield Finding("LINK_REFRESH", _shown(url), {"host": url.host})
    if url.host and url.is_web:
        yield from _names(url, own)


def _names(url: Url, own: frozenset[str]) -> Iterator[Finding]:
    if inner := domain_in_host(url.host):
        yield Finding("LINK_DOMAIN_IN_HOST", url.host, {"host": url.host, "domain": inner})
    if is_fresh(url.host, url.domain):
        yield Finding("LINK_FRESH_HOST", url.host, {"host": url.host})
    carried = next((each.domain for each in nested_links(url) if each.domain), url.domain)
    if carried != url.domain:
        yield Finding("LINK_NESTED_DOMAIN", f"{url.domain} leads on to {carried}")
    claimed = claimed_domain(url.text) if url.text else ""
    if claimed and not _leads_to(url, claimed, own):
        what = f"shows {claimed}, leads to {url.host}"
        yield Finding("LINK_TEXT_MISMATCH", what, {"domain": claimed, "host": url.host})


def _leads_to(url: Url, claimed: str, own: frozenset[str], depth: int = 0) -> bool:
    """Return whether `url` may lead to the domain `claimed`.

    Anybody can write a second address into his own: that it leads on to there is believed of known
    redirectors, and of hosts of the author's organisation where the other domain is none that is
    widely imitated.
    """
    if url.domain == claimed:
        return True
    if Trait.REDIRECTOR in url.traits:
        inner = [] if depth >= _MAX_CHAIN else list(nested_links(url))
        # Where it says nothing, nobody knows.
        return not inner or any(_leads_to(each, claimed, own, depth + 1) for each in inner)
    believed = url.domain in own and claimed not in brands()
    return believed and any(each.domain == claimed for each in nested_links(url))


def claimed_domain(text: str) -> str:
    """Return the registrable domain of the address that the words of a link are; empty if none.

    Words with a name among them are no claim: `our page on github.com explains`. An address with
    its scheme at their end is one: `Log in at https://bank.example/login`.
    """
    words = text.strip()
    if "." not in words or len(words) > _MAX_LABEL_TEXT:
        return ""
    if not words.isascii():
        words = folded(words)
    if " " in words:
        last = words.rpartition(" ")[2]
        words = last if _SCHEME.match(last) and len(words) <= _MAX_CALL else ""
    found = find_urls(words)
    if not found or len(found[0].written) < len(words) - 2:
        return ""
    url = read_found(found[0])
    return url.domain if url else ""


def _shown(url: Url) -> str:
    return (url.written or url.href)[:_SHOWN]


def _facts(links: Sequence[Url]) -> list[FactValue]:
    return [
        {
            "url": url.href,
            "scheme": url.scheme,
            "host": url.host,
            "domain": url.domain,
            "text": url.text,
            "source": url.source.value,
            "traits": [*sorted(url.traits)],
        }
        for url in links
    ]
