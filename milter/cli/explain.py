"""A judgement in words, for the person who asks why (`gatepost scan`, plain and with --explain).

Peers chose parts of what is printed; nothing of it can move the cursor of a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from milter.cli.note import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.auth.results import AuthResult
    from milter.pipeline.offline import Judged
    from policies.verdict import Contribution

_STYLES: Final = {
    "pass": "green",
    "tag": "yellow",
    "quarantine": "magenta",
    "defer": "cyan",
    "reject": "red",
    "discard": "red",
}
_NO_REASON: Final = "nothing spoke against it"


def printable(text: str) -> str:
    """Return `text` with every character that does not print as `?`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def summary(name: str, judged: Judged) -> Text:
    """Return the verdict on one line: action, score, file and reason."""
    verdict = judged.outcome.verdict
    action = verdict.action.word
    return Text.assemble(
        (f"{action:<10}", _STYLES.get(action, "")),
        f" {verdict.score:>6.2f}  {printable(name)}  ",
        (printable(verdict.reason) or _NO_REASON, "dim" if not verdict.reason else ""),
    )


def explanation(name: str, judged: Judged) -> Text:
    """Return the whole story of one verdict."""
    lines = [summary(name, judged), Text(f"  policy {judged.outcome.verdict.policy}")]
    for title, rows in _sections(judged):
        body = [Text(f"    {printable(row)}") for row in rows]
        if body:
            lines += [Text(f"  {title}", "bold"), *body]
    return Text("\n").join(lines)


def _sections(judged: Judged) -> Iterator[tuple[str, Iterator[str]]]:
    outcome = judged.outcome
    yield "in short", note(judged)
    yield "reply", iter([str(outcome.reply)] if outcome.reply else [])
    yield "goes instead to", iter([str(outcome.redirect_to)] if outcome.redirect_to else [])
    yield "symbols", _symbols(outcome.verdict.contributions)
    yield "seen, not counted by this policy", _uncounted(judged)
    yield "how the score became the action", iter(outcome.verdict.trace)
    yield "decided by", iter([outcome.verdict.rule] if outcome.verdict.rule else [])
    yield "thresholds", _thresholds(judged)
    yield "what would have changed it", (way.words for way in judged.ways())
    yield "authentication", (_result(result) for result in judged.judgement.evidence.auth)
    for story in judged.judgement.evidence.stories:
        yield f"what {story.teller} asked and decided", story.lines()
    yield "header fields put in front", _added(outcome.edits.add)
    yield "header fields removed", _removed(judged)
    yield "Subject becomes", _subject(judged)
    yield "other recipients' policies", _others(judged)


def _thresholds(judged: Judged) -> Iterator[str]:
    """Yield the thresholds that held; the name of the policy names its overrides."""
    rising = sorted(judged.policy.thresholds.items(), key=lambda item: item[1])
    told = ", ".join(f"{action.word} {least:g}" for action, least in rising)
    yield f"{told or 'none'}, by {judged.policy.name}"


def _symbols(contributions: tuple[Contribution, ...]) -> Iterator[str]:
    for one in contributions:
        capped = "" if one.counted == one.weight else f" (weight {one.weight:g}, group {one.group})"
        yield f"{one.counted:+6.2f}  {one.symbol}{capped}"
        for said in (one.told, one.description, one.words and f"told: {one.words}"):
            if said:
                yield f"        {said}"


def _uncounted(judged: Judged) -> Iterator[str]:
    counted = {one.symbol for one in judged.outcome.verdict.contributions}
    for finding in judged.judgement.evidence.findings:
        if finding.symbol not in counted:
            yield f"{finding.symbol}  {finding.told}".rstrip()


def _result(result: AuthResult) -> str:
    properties = "".join(f" {name}={value}" for name, value in result.properties)
    reason = f" ({result.reason})" if result.reason else ""
    return f"{result.method}={result.result}{properties}{reason}"


def _added(block: bytes) -> Iterator[str]:
    for line in block.decode("utf-8", "replace").split("\r\n"):
        if line:
            # A folded line shows that it goes on.
            yield line.replace("\t", "    ")


def _removed(judged: Judged) -> Iterator[str]:
    for start, end in judged.outcome.edits.remove:
        yield " ".join(judged.message[start:end].decode("utf-8", "replace").split())[:200]


def _subject(judged: Judged) -> Iterator[str]:
    edit = judged.outcome.edits.subject
    if edit is not None:
        yield edit[2].decode("utf-8", "replace").partition(":")[2].strip()


def _others(judged: Judged) -> Iterator[str]:
    for outcome in judged.judgement.outcomes:
        if outcome is not judged.outcome:
            verdict = outcome.verdict
            yield f"{verdict.policy}: {verdict.action.word}, {verdict.score:g} points"
