"""Where the links of a message lead taken together, beside who wrote it.

`links` looks at each link by itself. Here it is asked whether any of them leads to the author,
whether one leads anywhere that its owner is known for, and whether hosts were made up for them.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.checks.identities import is_free
from milter.checks.links import CLICKED
from milter.checks.mime_form import is_only_html
from milter.core.transaction import Stage
from milter.message.lookalike import is_one_company, name_of
from milter.message.urls.domains import registrable_domain
from milter.message.urls.fresh import is_fresh
from milter.message.urls.link import Trait, nested_links
from milter.message.urls.services import is_rewriter
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.message.urls.link import Url

# Mail that came over a list, and an answer, speak of the pages of others.
_OF_OTHERS: Final = ("list-id", "list-post", "list-unsubscribe", "in-reply-to", "references")
_LEADS_ON: Final = frozenset((Trait.REDIRECTOR, Trait.SHORTENER))
# Shorter names are found in the hosts of others by chance.
_LEAST_NAME: Final = 4
# Digits among letters; a word with its number (`www2`, `server14`) is given by people.
_MADE_UP: Final = re.compile(r"(?=[a-z0-9]{2,63}\Z)(?=.*[a-z])(?=.*\d)(?![a-z]+\d+\Z).*")
_LEAST_MADE_UP: Final = 2
_MOST_LINKS: Final = 200
_SHOWN: Final = 120


class DestinationsCheck:
    """Whether links lead to the author, to services alone, or to names made up for them."""

    name = "destinations"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset({"LINKS_ELSEWHERE", "LINKS_ONLY_SERVICES", "LINK_HOSTS_MADE_UP"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what the links have in common, or nothing."""
        if message is None:
            return NOTHING
        links = [url for url in message.links if url.source in CLICKED and url.domain]
        if not links:
            return NOTHING
        found = (*_together(message, links), *_made_up(links[:_MOST_LINKS]))
        return Evidence(found) if found else NOTHING


def _together(message: Message, links: Sequence[Url]) -> Iterator[Finding]:
    hosts = ", ".join(dict.fromkeys(url.host for url in links))[:_SHOWN]
    if _is_elsewhere(message, links):
        author = message.author_domains[0][:_SHOWN]
        yield Finding("LINKS_ELSEWHERE", f"{author} leads to {hosts}"[:_SHOWN], {"domain": author})
    if message.html and all(map(_is_of_a_service, links)):
        yield Finding("LINKS_ONLY_SERVICES", hosts)


def _is_elsewhere(message: Message, links: Sequence[Url]) -> bool:
    """Return whether a firm that writes in HTML alone links to no page of its own."""
    if not message.author_domains or any(map(message.count, _OF_OTHERS)):
        return False
    author = registrable_domain(message.author_domains[0]) or message.author_domains[0]
    # People at free providers have no pages there.
    if is_free(author) or not is_only_html(message):
        return False
    name = name_of(author)
    seen = itertools.chain(links, itertools.chain.from_iterable(map(nested_links, links)))
    return not any(_is_of(url, author, name) for url in seen)


def _is_of(url: Url, author: str, name: str) -> bool:
    """Return whether a link leads to its author, as far as names tell: shop.com, shop-mail.net."""
    named = len(name) >= _LEAST_NAME and name in url.host
    return named or url.domain == author or is_one_company(author, url.domain)


def _is_of_a_service(url: Url) -> bool:
    """Return whether what a link leads to is not told by its host, or is anybody's."""
    if not _LEADS_ON.isdisjoint(url.traits):
        return not is_rewriter(url.host)
    return is_fresh(url.host, url.domain)


def _made_up(links: Sequence[Url]) -> Iterator[Finding]:
    """Yield that hosts below one domain are named at random.

    A record for `*.evil.example` makes every name lead to one server, so that each link is new to
    lists of bad addresses.
    """
    below: dict[str, set[str]] = {}
    for url in links:
        label = url.host[: -len(url.domain) - 1]
        if _MADE_UP.match(label):
            below.setdefault(url.domain, set()).add(label)
    for domain, labels in below.items():
        if len(labels) >= _LEAST_MADE_UP:
            shown = ", ".join(sorted(labels))[:_SHOWN]
            yield Finding("LINK_HOSTS_MADE_UP", f"{shown} below {domain}", {"domain": domain})
            return
