"""What an answer of a DNS list comes to, in one word, and the findings it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import ListAnswer
from milter.dns.resolver import Outcome
from policies.dnslists import ERROR, Listed
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from milter.dns.resolver import Answer
    from policies.dnslists import DnsList

_NO_NEW_ANSWER: Final = "no new answer"


def said(dns_list: DnsList, asks: str, subject: str, answer: Answer) -> ListAnswer:
    """Return what `dns_list` said; findings are made of this alone, now and when judged again."""
    if answer.outcome.temporary:
        return ListAnswer(dns_list.zone, asks, subject, trouble=answer.outcome.value)
    if answer.stale:
        # What a list said before it fell silent is not what it says: it may be dead, and nobody
        # could be taken off it any more.
        return ListAnswer(dns_list.zone, asks, subject, trouble=_NO_NEW_ANSWER)
    records = answer.records if answer.outcome is Outcome.ANSWER else ()
    return ListAnswer(dns_list.zone, asks, subject, tuple([str(record) for record in records]))


def outcome_of(dns_list: DnsList, answer: ListAnswer) -> str:
    """Return listed, unknown, not_listed, error or temperror.

    A list that refuses us may say more beside it: none of that is to be believed.
    """
    if answer.trouble:
        return "temperror"
    if not answer.records:
        return "not_listed"
    judged = [dns_list.judge(record) for record in answer.records]
    if ERROR in judged:
        return "error"
    return "listed" if any(isinstance(one, Listed) for one in judged) else "unknown"


def findings_of(dns_list: DnsList, answer: ListAnswer, outcome: str) -> list[Finding]:
    """Return a finding for each symbol of the answer.

    RFC 5782 §2.3: a list may hold an address for several reasons, with an answer for each.
    """
    if outcome == "not_listed":
        return []
    details = {"listed": answer.subject, "zone": dns_list.zone, "asked": answer.asks}
    if answer.asks == "client_ip":
        details["client_ip"] = answer.subject
    about = f"{dns_list.zone} for {answer.subject} ({answer.asks})"
    if outcome == "temperror":
        return [Finding("DNS_LIST_TEMPERROR", f"{answer.trouble} from {about}", details)]
    if outcome == "error":
        return [Finding("DNS_LIST_ERROR", f"{', '.join(answer.records)} from {about}", details)]
    seen: dict[str, list[str]] = {}
    for record in answer.records:
        judged = dns_list.judge(record)
        symbols = judged.symbols if isinstance(judged, Listed) else ("DNS_LIST_UNKNOWN",)
        for symbol in symbols:
            seen.setdefault(symbol, []).append(record)
    return [
        Finding(symbol, f"{', '.join(answers)} from {about}", details)
        for symbol, answers in seen.items()
    ]


def is_of_a_list(finding: Finding) -> bool:
    """Whether a list said it."""
    return finding.details.keys() >= {"zone", "asked"}


def findings_anew(lists: Iterable[DnsList], answers: Collection[ListAnswer]) -> Iterator[Finding]:
    """Yield what `lists` make of answers, whichever lists of their zones have asked for them."""
    for dns_list in lists:
        for answer in answers:
            if answer.zone == dns_list.zone and answer.asks in dns_list.asks:
                yield from findings_of(dns_list, answer, outcome_of(dns_list, answer))
