"""A verdict in the words of rspamd's clients. Pure.

What they call actions is milder in places: `add header` is all that they know between passing a
message and refusing it, so the header fields tell a quarantined message from a tagged one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from milter.doors.redirection import redirection
from milter.pipeline.report import header_edits
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.core.address import Mailbox
    from milter.pipeline.offline import Judged
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.report import Json, Named
    from policies.verdict import Verdict

NO_ACTION: Final = "no action"
GREYLIST: Final = "greylist"
ADD_HEADER: Final = "add header"
REWRITE_SUBJECT: Final = "rewrite subject"
SOFT_REJECT: Final = "soft reject"
REJECT: Final = "reject"
ACTIONS: Final = (NO_ACTION, GREYLIST, ADD_HEADER, REWRITE_SUBJECT, SOFT_REJECT, REJECT)

_BY_ACTION: Final = {
    Action.PASS: NO_ACTION,
    Action.TAG: ADD_HEADER,
    Action.QUARANTINE: ADD_HEADER,
    Action.DEFER: SOFT_REJECT,
    Action.REJECT: REJECT,
    Action.DISCARD: REJECT,
}
_GREYLISTING: Final = "GREYLIST"
# In `remove_headers`: every field of the name.
_ALL: Final = 0


def rspamd_reply(judged: Judged) -> dict[str, Json]:
    """Return the object that answers `/checkv2`."""
    outcome, evidence = judged.outcome, judged.judgement.evidence
    verdict = outcome.verdict
    reply: dict[str, Json] = {
        "is_skipped": False,
        "action": action_of(outcome),
        "score": verdict.score,
        "required_score": verdict.required,
        "thresholds": _thresholds(judged.policy.thresholds),
        "symbols": _symbols(verdict),
        "messages": _messages(outcome),
        "urls": list(_hosts(evidence.facts.get("urls", []))),
        "emails": [],
        "message-id": _message_id(judged),
        "time_real": round(judged.judgement.duration_s, 4),
        "milter": milter_block(outcome, judged),
    }
    if outcome.edits.subject is not None:
        _, _, instead = outcome.edits.subject
        value = instead.partition(b":")[2].strip().decode("utf-8", "replace")
        reply["subject"] = value
    return reply


def action_of(outcome: Outcome) -> str:
    """Return what rspamd calls the action."""
    verdict = outcome.verdict
    if verdict.action is Action.DEFER and verdict.rule.startswith(_GREYLISTING):
        return GREYLIST
    if verdict.action is Action.TAG and outcome.edits.subject is not None:
        return REWRITE_SUBJECT
    return _BY_ACTION[verdict.action]


def milter_block(outcome: Outcome, judged: Judged) -> dict[str, Json]:
    """Return the header fields to add and to remove, and what else a milter would be told."""
    if outcome.verdict.action is Action.DISCARD:
        return {"reject": "discard"}
    edits = header_edits(outcome.edits, judged.message)
    block: dict[str, Json] = {}
    if added := _added(edits["add"]):
        block["add_headers"] = added
    if removed := _removed(edits["remove"], judged):
        block["remove_headers"] = removed
    if outcome.redirect_to is not None:
        block |= _redirected(judged.judgement.txn.recipients, outcome.redirect_to)
    return block


def _redirected(recipients: Sequence[Mailbox], target: Mailbox) -> dict[str, Json]:
    change = redirection([(mailbox, target) for mailbox in recipients])
    lists: dict[str, list[Json]] = {
        "add_rcpt": [str(mailbox) for mailbox in change.added],
        "del_rcpt": [str(recipients[place]) for place in change.deleted],
    }
    return {name: mailboxes for name, mailboxes in lists.items() if mailboxes}


def _added(fields: Sequence[Named]) -> dict[str, Json]:
    """Return the fields by name; `order` says which stands first."""
    added: dict[str, Json] = {}
    for order, field in enumerate(fields):
        name = str(field["name"])
        one: Json = {"value": field["value"], "order": order}
        before = added.get(name)
        if before is None:
            added[name] = one
        else:
            added[name] = [*(before if isinstance(before, list) else [before]), one]
    return added


def _removed(fields: Sequence[Named], judged: Judged) -> dict[str, Json]:
    """Return the fields by name: all of them, or which ones, counted from 1."""
    starts = {field["offset"] for field in fields}
    seen: Counter[str] = Counter()
    numbers: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for one in judged.judgement.message.fields:
        seen[one.name] += 1
        if one.start in starts:
            numbers.setdefault(one.name, []).append(seen[one.name])
    for field in fields:
        names.setdefault(str(field["name"]).lower(), str(field["name"]))
    return {name: _which(numbers.get(key, []), seen[key]) for key, name in sorted(names.items())}


def _which(numbers: list[int], present: int) -> Json:
    if len(numbers) in {0, present}:
        return _ALL
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _symbols(verdict: Verdict) -> dict[str, Json]:
    return {
        one.symbol: {
            "name": one.symbol,
            "score": one.counted,
            "metric_score": one.weight,
            "description": one.description,
            "options": [one.told] if one.evidence else [],
        }
        for one in verdict.contributions
    }


def _messages(outcome: Outcome) -> dict[str, Json]:
    if outcome.reply is None:
        return {}
    # The client puts code and enhanced code in front of it.
    refusal, words = outcome.verdict.refusal, outcome.reply.text
    enhanced = f"{refusal.enhanced} " if refusal and refusal.enhanced else ""
    return {"smtp_message": words.removeprefix(enhanced)}


def _thresholds(thresholds: Mapping[Action, float]) -> dict[str, Json]:
    told: dict[str, Json] = {_BY_ACTION[action]: score for action, score in thresholds.items()}
    # Of quarantine and tag, which have one name there, the lower one marks.
    marks = [thresholds[one] for one in (Action.TAG, Action.QUARANTINE) if one in thresholds]
    if marks:
        told[ADD_HEADER] = min(marks)
    return told


def _hosts(urls: object) -> Sequence[str]:
    if not isinstance(urls, list):
        return ()
    hosts = [str(url.get("host", "")) for url in urls if isinstance(url, dict)]
    return list(dict.fromkeys(filter(None, hosts)))


def _message_id(judged: Judged) -> str:
    for field in judged.judgement.message.fields:
        if field.name == "message-id":
            value = judged.message[field.value_start : field.end].decode("utf-8", "replace")
            return "".join(value.split()).strip("<>")
    return ""
