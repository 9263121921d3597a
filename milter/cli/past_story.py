"""A recorded message in words: what happened, and what would have changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.counterfactuals import ways
from reputation.history.told import not_taken, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milter.doors.replay import Replayed
    from policies.symbols import SymbolSpec
    from reputation.history.record import Record, Shadowed

_RECIPIENTS: Final = 3
_NO_SYMBOLS: Final[Mapping[str, SymbolSpec]] = {}


def story(record: Record, table: Mapping[str, SymbolSpec] = _NO_SYMBOLS) -> Iterator[str]:
    """Yield the lines that tell of a message.

    Args:
        record: Of it.
        table: What is known of symbols, for their words.
    """
    yield sentence(record)
    by = f"policy {record.policy}" if record.policy else "decided by no policy"
    yield f"  {by}, version {record.version}, gatepost {record.gatepost}"
    yield from _titled("message", _facts(record))
    yield from _titled("symbols", _symbols(record, table))
    counted = {one.symbol for one in record.symbols}
    uncounted = (f for f in (*record.found, *record.ruled) if f.symbol not in counted)
    yield from _titled("seen, not counted", (f"{f.symbol}  {f.evidence}" for f in uncounted))
    yield from _titled("how the score became the action", iter(record.trace))
    yield from _titled("decided by", iter([record.rule] if record.rule else []))
    yield from _titled("what DNS lists answered", _answers(record))
    yield from _titled("recipients by what was done for them", _shares(record))
    yield from _titled("what shadow policies would have done", _shadows(record))
    yield from _titled("no longer known", iter(record.cut))


def again(
    record: Record, replayed: Replayed, version: str, named: str | None = None
) -> Iterator[str]:
    """Yield what other policies make of a message, and what would have changed that.

    Args:
        record: Of it.
        replayed: The verdict.
        version: Of these policies.
        named: The policy that was asked for; None: those of today are asked.
    """
    verdict, policy = replayed.verdict, replayed.group.policy
    unknown = ", ".join(replayed.unknown)
    would = f"it would be {verdict.action.word}, {verdict.score:g} points"
    without = f", as far as can be known without {unknown}" if unknown else ""
    if named is not None:
        yield f"  by {named} {would}{without}"
    elif version != record.version:
        yield f"  the policies have changed since: {record.version} was then, {version} is now"
        yield f"  now {would}{without}"
    if unknown:
        yield f"  not known then and not to be known now: {unknown}"
    rising = sorted(policy.thresholds.items(), key=lambda item: item[1])
    told = ", ".join(f"{action.word} {least:g}" for action, least in rising)
    yield from _titled("thresholds", iter([f"{told or 'none'}, by {policy.name}"]))
    evidence = replayed.evidence
    found = ways(
        policy, evidence.findings, dict(evidence.facts), postmaster=replayed.group.postmaster
    )
    yield from _titled("what would have changed it", (way.words for way in found))


def route(record: Record) -> str:
    """Return from whom a message was to whom; of many recipients the first ones."""
    more = " ..." if record.rcpt_count > _RECIPIENTS else ""
    return f"{record.mail_from or '<>'} -> {', '.join(record.recipients[:_RECIPIENTS])}{more}"


def untaken(record: Record) -> str:
    """Return what was said of mail that no policy refused and that did not come through."""
    if not record.policy:
        return f"({record.reason}: {record.reply})"
    return f"(not delivered: {record.reply})" if not_taken(record) else ""


def _titled(title: str, rows: Iterator[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if not number:
            yield f"  {title}"
        yield f"    {row}".rstrip()


def _facts(record: Record) -> Iterator[str]:
    told = {
        "subject": record.subject,
        "Message-ID": record.message_id,
        "queue ids": ", ".join(record.queue_ids),
        "size": f"{record.size_bytes} bytes",
        "listener": f"{record.listener} ({record.direction})",
        "kept": "the message itself: gatepost history show --message"
        if record.message_kept
        else "",
    }
    return (f"{name}: {value}" for name, value in told.items() if value)


def _symbols(record: Record, table: Mapping[str, SymbolSpec]) -> Iterator[str]:
    evidence = {each.symbol: each.evidence for each in (*record.found, *record.ruled)}
    for one in record.symbols:
        capped = "" if one.counted == one.weight else f" (weight {one.weight:g})"
        yield f"{one.counted:+6.2f}  {one.symbol}{capped}"
        words = table[one.symbol].describe if one.symbol in table else ""
        for said in (evidence.get(one.symbol, ""), words):
            if said:
                yield f"        {said}"


def _answers(record: Record) -> Iterator[str]:
    for each in record.answers:
        said = ", ".join(each.records) or (each.trouble or "not listed")
        yield f"{each.zone} for {each.subject} ({each.asks}): {said}"


def _shadows(record: Record) -> Iterator[str]:
    for each in record.shadows:
        yield f"{each.shadow}: {each.action}, {each.score:g} points, by {causes(each)}"


def causes(shadowed: Shadowed) -> str:
    """Return in words by what a shadow policy came to something else."""
    return ", ".join(shadowed.by) or "thresholds"


def _shares(record: Record) -> Iterator[str]:
    if len(record.shares) > 1:
        for each in record.shares:
            done = f"{each.action}, {each.score:g} points by {each.policy}"
            yield f"{done}: {', '.join(each.recipients)}"
