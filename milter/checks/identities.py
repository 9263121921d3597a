"""Who a message says it is from, in several places that need not agree.

Lists, forwarders and newsletters send in the name of others with good reason, so most of this
weighs nothing by itself: it is for rules, beside what authentication says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from milter.message.addresses import parse_addresses
from milter.message.guard import Notes
from milter.message.urls.domains import public_suffix, registrable_domain
from policies.domains import domain_key
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message

_FREE_NAMES: Final = """
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com aol.com
icloud.com me.com gmx.com gmx.de gmx.net web.de mail.com mail.ru yandex.ru yandex.com bk.ru
inbox.ru list.ru rambler.ru proton.me protonmail.com zoho.com qq.com 163.com 126.com sina.com
foxmail.com yeah.net naver.com daum.net hanmail.net yahoo.co.jp orange.fr laposte.net free.fr
libero.it virgilio.it uol.com.br bol.com.br terra.com.br rediffmail.com tutanota.com
"""
_FREE: Final = frozenset(_FREE_NAMES.split())
# Below them anybody has a name at once, with mail from it: apps, tenants, addresses at home.
_GIVEN_NAMES: Final = """
000webhostapp.com azurewebsites.net cprapid.com ddns.net duckdns.org firebaseapp.com herokuapp.com
hostingerapp.com mybluehost.me myftp.biz no-ip.org onmicrosoft.com plesk.page servehttp.com web.app
zapto.org
"""
_BELOW_GIVEN: Final = re.compile(rf"\.(?:{'|'.join(map(re.escape, _GIVEN_NAMES.split()))})\Z")
# These have mailboxes under the endings of countries, too: yahoo.co.uk, gmx.at.
_FREE_ABROAD: Final = frozenset(("aol", "gmx", "hotmail", "live", "outlook", "yahoo"))
_COUNTRY: Final = 2
_SHOWN: Final = 120


class IdentitiesCheck:
    """Author, Sender, Reply-To and reverse path at odds; what kind of domain the author has."""

    name = "identities"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("REPLY_TO_ELSEWHERE", "REPLY_TO_FREE_MAIL", "SENDER_ELSEWHERE"),
            *("MAIL_FROM_ELSEWHERE", "FROM_OWN_DOMAIN", "FROM_UNQUALIFIED", "FROM_FREE_HOST"),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is at odds; RFC 5322 §3.6.2 lets all of them differ."""
        if message is None or not message.author_domains:
            return NOTHING
        author = message.author_domains[0]
        found = (
            *_author(author),
            *_reply_to(message, author),
            *_sender(message, author),
            *_envelope(txn, author),
        )
        return Evidence(found) if found else NOTHING


def _author(domain: str) -> Iterator[Finding]:
    # RFC 5321 §2.3.5: names that can be looked up, or addresses. A bare word cannot be answered.
    if "." not in domain and not domain.startswith("["):
        yield Finding("FROM_UNQUALIFIED", domain[:_SHOWN], {"domain": domain})
    elif _BELOW_GIVEN.search(domain):
        yield Finding("FROM_FREE_HOST", domain[:_SHOWN], {"domain": domain})


def _reply_to(message: Message, author: str) -> Iterator[Finding]:
    domain = _first_domain(message, "reply-to")
    if not domain or _same(domain, author):
        return
    details = {"domain": domain}
    own = not is_free(registrable_domain(author)) and not _is_of_a_list(message, author)
    if own and is_free(domain):
        yield Finding("REPLY_TO_FREE_MAIL", f"{author} is answered at {domain}"[:_SHOWN], details)
    else:
        yield Finding("REPLY_TO_ELSEWHERE", f"{author} is answered at {domain}"[:_SHOWN], details)


def is_free(domain: str) -> bool:
    """Return whether everybody may have a mailbox at a registrable domain."""
    name, _, suffix = domain.partition(".")
    abroad = len(suffix.rpartition(".")[2]) == _COUNTRY and public_suffix(domain) == suffix
    return domain in _FREE or (abroad and name in _FREE_ABROAD)


def _is_of_a_list(message: Message, author: str) -> bool:
    """Return whether a list put its own address in the author's place, for DMARC's sake."""
    # RFC 2369 §3.4: where one posts. Who wrote it is answered at his own address, be it free.
    posted_to = b"@" + author.encode("utf-8", "replace")
    return any(posted_to in value.lower() for value in message.values("list-post"))


def _sender(message: Message, author: str) -> Iterator[Finding]:
    domain = _first_domain(message, "sender")
    if domain and not _same(domain, author):
        yield Finding("SENDER_ELSEWHERE", f"{domain} sends for {author}"[:_SHOWN])


def _envelope(txn: Transaction, author: str) -> Iterator[Finding]:
    if txn.mail_from is not None and not _same(txn.mail_from.domain_key, author):
        what = f"bounces for {author} go to {txn.mail_from.domain_key}"
        yield Finding("MAIL_FROM_ELSEWHERE", what[:_SHOWN])
    if author in {domain_key(mailbox.domain) for mailbox in txn.recipients}:
        yield Finding("FROM_OWN_DOMAIN", author[:_SHOWN], {"domain": author})


def _first_domain(message: Message, name: str) -> str:
    addresses = parse_addresses(message.values(name)[:1], Notes(), message.bounds).addresses
    return addresses[0].domain if addresses else ""


def _same(one: str, other: str) -> bool:
    """Return whether two domains belong to one registrant, as far as names tell."""
    return one == other or (registrable_domain(one) or one) == (registrable_domain(other) or other)
