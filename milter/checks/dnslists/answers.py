"""What an answer of a DNS list comes to, in one word, and the findings it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.dns.resolver import Outcome
from policies.dnslists import ERROR, Listed
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.checks.dnslists.questions import Subject
    from milter.dns.resolver import Answer
    from policies.dnslists import Asks, DnsList


def outcome_of(dns_list: DnsList, answer: Answer) -> str:
    """Return listed, unknown, not_listed, error or temperror.

    A list that refuses us may say more beside it: none of that is to be believed.
    """
    if answer.outcome.temporary:
        return "temperror"
    if answer.outcome is not Outcome.ANSWER:
        return "not_listed"
    judged = [dns_list.judge(str(record)) for record in answer.records]
    if ERROR in judged:
        return "error"
    return "listed" if any(isinstance(one, Listed) for one in judged) else "unknown"


def findings_of(
    dns_list: DnsList, ask: Asks, subject: Subject, answer: Answer, outcome: str
) -> list[Finding]:
    """Return a finding for each symbol of the answer.

    RFC 5782 §2.3: a list may hold an address for several reasons, with an answer for each.
    """
    if outcome == "not_listed":
        return []
    details = {"listed": subject.text, "zone": dns_list.zone, "asked": ask.value}
    if ask == "client_ip":
        details["client_ip"] = subject.text
    about = f"{dns_list.zone} for {subject.text} ({ask.value})"
    if outcome == "temperror":
        return [Finding("DNS_LIST_TEMPERROR", f"{answer.outcome.value} from {about}", details)]
    records = [str(record) for record in answer.records]
    if outcome == "error":
        return [Finding("DNS_LIST_ERROR", f"{', '.join(records)} from {about}", details)]
    seen: dict[str, list[str]] = {}
    for record in records:
        judged = dns_list.judge(record)
        symbols = judged.symbols if isinstance(judged, Listed) else ("DNS_LIST_UNKNOWN",)
        for symbol in symbols:
            seen.setdefault(symbol, []).append(record)
    return [
        Finding(symbol, f"{', '.join(answers)} from {about}", details)
        for symbol, answers in seen.items()
    ]
