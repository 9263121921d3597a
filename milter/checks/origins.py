"""Whom a message comes from, as far as somebody vouches for it; what memory goes by.

A name that nobody vouches for is kept apart from the same name that somebody does: spoofing a
domain neither uses nor changes its standing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.checks.base import fact
from milter.checks.networks import LOCAL
from milter.core.address import domain_key
from reputation.subjects import Kind, Subject, network_of, pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from policies.facts import FactValue

_MOST_SIGNERS: Final = 5
_MOST_URL_DOMAINS: Final = 5
_MOST_RECIPIENTS: Final = 10
_MOST_IDS: Final = 20
_MESSAGE_ID: Final = re.compile(rb"<([^<>\s]{1,250})>")
_PASS: Final = "pass"  # noqa: S105 - a result, no password


class Proof(NamedTuple):
    """What the checks of identities found, read once.

    Attributes:
        spf_domain: The domain of the reverse path, or of HELO for the null one, if authorised.
        signers: The domains whose signatures passed.
        dmarc_domain: The author's domain, if an identity that passed is aligned with it.
    """

    spf_domain: str
    signers: tuple[str, ...]
    dmarc_domain: str

    def vouches_for(self, domain: str) -> bool:
        """Return whether `domain` stands behind the message that bears its name."""
        # A domain without a DMARC record can vouch for itself all the same: by its own signature,
        # or by SPF for its own name.
        return bool(domain) and domain in (self.dmarc_domain, self.spf_domain, *self.signers)


def proof(known: Sequence[Evidence]) -> Proof:
    """Return what `known` proves of identities."""
    spf, dmarc = fact(known, "spf"), fact(known, "dmarc")
    return Proof(
        domain_key(str(spf["domain"])) if isinstance(spf, dict) and _passed(spf) else "",
        _signers(known),
        str(dmarc["domain"]) if isinstance(dmarc, dict) and dmarc.get("aligned") else "",
    )


def subjects(txn: Transaction, message: Message, known: Sequence[Evidence]) -> tuple[Subject, ...]:
    """Return the subjects of a message, each once."""
    proven = proof(known)
    found = [
        *_client(txn),
        *_domains(message, proven),
        *(Subject(Kind.URL_DOMAIN, domain) for domain in _url_domains(known)),
    ]
    author = _author(message, proven)
    if author:
        found += [pair(author, one.plain) for one in txn.recipients[:_MOST_RECIPIENTS]]
    return tuple(dict.fromkeys(found))


def proven_author(message: Message, known: Sequence[Evidence]) -> str:
    """Return the author's mailbox where the domain stands behind the message; else nothing.

    Of several authors none is proven: DMARC speaks of one domain.
    """
    return _author(message, proof(known))


def origin(txn: Transaction, known: Sequence[Evidence]) -> str:
    """Return what tries of the same sender have in common, whichever address they come from.

    The domain that SPF authorises, or the author's own where it is proven: pools of a large sender
    try again from another address. Else the network of the client.
    """
    proven = proof(known)
    if proven.spf_domain:
        return f"spf:{proven.spf_domain}"
    if proven.dmarc_domain:
        return f"dmarc:{proven.dmarc_domain}"
    client = txn.connection.client_ip
    return f"net:{network_of(client)}" if client is not None else ""


def named_messages(message: Message) -> tuple[str, ...]:
    """Return the ids in In-Reply-To and References (RFC 5322 §3.6.4)."""
    fields = [*message.values("in-reply-to"), *message.values("references")]
    found = [one.decode("latin-1") for value in fields for one in _MESSAGE_ID.findall(value)]
    # The last ones of References are the nearest.
    return tuple(dict.fromkeys(found[-_MOST_IDS:]))


def own_id(message: Message) -> str:
    """Return the Message-ID without its brackets; empty where there is none."""
    found = [one for value in message.values("message-id") for one in _MESSAGE_ID.findall(value)]
    return found[0].decode("latin-1") if found else ""


def _client(txn: Transaction) -> Iterator[Subject]:
    client = txn.connection.client_ip
    # Addresses that exist in many networks at once say nothing of anybody.
    if client is None or client in LOCAL:
        return
    yield Subject(Kind.ADDRESS, str(client))
    yield Subject(Kind.NETWORK, network_of(client))
    helo = domain_key(txn.connection.helo_name)
    if helo and not helo.startswith("["):
        yield Subject(Kind.HELO, helo)


def _domains(message: Message, proven: Proof) -> Iterator[Subject]:
    if proven.spf_domain:
        yield Subject(Kind.MAIL_FROM_DOMAIN, proven.spf_domain)
    for domain in proven.signers[:_MOST_SIGNERS]:
        yield Subject(Kind.DKIM_DOMAIN, domain)
    for domain in message.author_domains[:1]:
        aligned = proven.vouches_for(domain)
        yield Subject(Kind.AUTHOR_DOMAIN if aligned else Kind.CLAIMED_DOMAIN, domain)


def _author(message: Message, proven: Proof) -> str:
    addresses = message.authors.addresses
    if len(addresses) != 1 or not proven.vouches_for(addresses[0].domain):
        return ""
    return f"{addresses[0].local_part}@{addresses[0].domain}".lower()


def _passed(found: Mapping[str, FactValue]) -> bool:
    return found.get("result") == _PASS


def _signers(known: Sequence[Evidence]) -> tuple[str, ...]:
    signatures = fact(known, "dkim")
    passed = [
        domain_key(str(one["domain"]))
        for one in (signatures if isinstance(signatures, list) else ())
        if isinstance(one, dict) and _passed(one)
    ]
    return tuple(dict.fromkeys(passed))


def _url_domains(known: Sequence[Evidence]) -> list[str]:
    urls = fact(known, "urls")
    named = [
        str(one["domain"])
        for one in (urls if isinstance(urls, list) else ())
        if isinstance(one, dict) and one.get("domain")
    ]
    return list(dict.fromkeys(named))[:_MOST_URL_DOMAINS]
