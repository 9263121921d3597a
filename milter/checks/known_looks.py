"""Whether author or Reply-To look like somebody that our users write to (X.1236 8.2.2).

By the domains that somebody of the recipient's domain wrote to, and by the names of those whom the
recipient wrote to. Memory keeps hashes, so it is known that there is one, and not which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.message.addresses import parse_addresses
from milter.message.guard import Notes
from milter.message.likeness import itself, telling, trace_of_person, traces_of
from milter.message.lookalike import Level
from policies.findings import Finding
from reputation import correspondents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from reputation.store import Store

_SYMBOLS: Final = {
    Level.HIGH: "LOOKALIKE_KNOWN_HIGH",
    Level.MEDIUM: "LOOKALIKE_KNOWN_MEDIUM",
    Level.LOW: "LOOKALIKE_KNOWN_LOW",
}
SYMBOLS: Final = frozenset({*_SYMBOLS.values(), "FROM_NAME_KNOWN"})
_HOW: Final = {
    "letters": "letters that look alike",
    "edit": "one letter apart",
    "suffix": "same name, other suffix",
    "words": "with words added",
}
_MOST_RECIPIENTS: Final = 5
_MOST_PEOPLE: Final = 20


def domains_written_to(txn: Transaction) -> tuple[str, ...]:
    """Return what to remember of the domains that a message of ours goes to."""
    domains = dict.fromkeys(one.domain_key for one in txn.recipients[:_MOST_PEOPLE])
    return tuple(trace for domain in domains for trace in traces_of(domain))


def people_written_to(message: Message) -> tuple[str, ...]:
    """Return what to remember of the names that a message of ours is addressed to."""
    values = [*message.values("to"), *message.values("cc")]
    named = parse_addresses(values, Notes(), message.bounds).addresses[:_MOST_PEOPLE]
    traces = (trace_of_person(each.display_name) for each in named if each.display_name)
    return tuple(dict.fromkeys(trace for trace in traces if trace))


def look(
    store: Store, txn: Transaction, message: Message, *, is_known: bool, now: float
) -> Iterator[Finding]:
    """Yield whom of their correspondents the author looks like to the recipients.

    Args:
        store: Asked.
        txn: To whom the message comes.
        message: It.
        is_known: Whether one of them wrote to the author already.
        now: When.

    Raises:
        StoreError: The store does not answer.
    """
    author = next(iter(message.authors.addresses), None)
    recipients = txn.recipients[:_MOST_RECIPIENTS]
    homes = tuple(dict.fromkeys(one.domain_key for one in recipients))
    if author is None or is_known or author.domain in homes:
        return
    for domain in _domains(message, author.domain):
        traces, own = telling(domain), itself(domain)
        known = correspondents.known_traces(store, homes, [own, *traces], now)
        found = next((traces[trace] for trace in traces if trace in known), None)
        if found is not None and own not in known:
            level, how = found
            what = f"{domain} like one that {homes[0]} writes to ({_HOW[how]})"
            yield Finding(_SYMBOLS[level], what, {"domain": domain})
            break
    if person := trace_of_person(author.display_name):
        ours = [one.plain for one in recipients]
        if correspondents.known_traces(store, ours, [person], now):
            what = f"{author.display_name[:80]} writes from {author.local_part}@{author.domain}"
            yield Finding("FROM_NAME_KNOWN", what)


def _domains(message: Message, author: str) -> tuple[str, ...]:
    """Return the domain of the author and that of the first who is to be answered, each once."""
    replies = parse_addresses(message.values("reply-to")[:1], Notes(), message.bounds).addresses
    return tuple(dict.fromkeys((author, *(each.domain for each in replies[:1]))))
