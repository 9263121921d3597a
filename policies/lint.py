"""What is not wrong in a policy and yet not meant: traps, dead parts, what cannot be explained.

Mistakes are found when a policy is loaded, and it is not loaded with any. What is told here leaves
a policy usable: rules that refuse by themselves, allows that anybody can use, patterns that match
everything, parts that can do nothing, parts without a description or a test. This module reads no
file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

from policies.engine import PatternSpec
from policies.evaluate import evaluate
from policies.findings import Finding
from policies.lint_patterns import of_pattern
from policies.lint_rules import of_rules
from policies.lint_types import Level, Remark, at_key, at_value
from policies.loader import beside
from policies.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from policies.compile import Policy
    from policies.loader import LoadedPolicy
    from policies.patterns import View
    from policies.positions import Loc
    from policies.schema import Judging

__all__ = ["Level", "Remark", "lint"]

# Short texts that have nothing in common but that they are texts.
_ORDINARY: Final = (
    *("a", "7", "-", "See you at five", "Re: minutes of Tuesday's meeting"),
    *("https://www.example.org/a?b=1", "a@example.org", "周六的会议", "فاتورة", "invoice.pdf"),
)
# As other languages write patterns; letters match in either case here.
_BETWEEN_SLASHES: Final = re.compile(r"/.*[^\\]/[gimsuxy]*", re.DOTALL)
# Who means a comment leaves a blank behind the `#`.
_COMMENT: Final = re.compile(r"\s+#[^\s#]")
# Parts that need tests.
_RULED: Final[tuple[Literal["rules", "patterns"], ...]] = ("rules", "patterns")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a policy stands in.

    Attributes:
        checks: Names of the checks there are; the facts of others are always empty.
        today: As 2027-01-31; empty where nobody knows.
        is_file: Whether there is a file at a path.
    """

    checks: Collection[str]
    today: str = ""
    is_file: Callable[[str], bool] = bool


def lint(loaded: LoadedPolicy, around: Surroundings) -> list[Remark]:
    """Return what there is to say of a policy, in the order of the files."""
    remarks = chain(
        of_rules(loaded, around.checks),
        _patterns(loaded),
        _cut_short(loaded),
        _rejecting_alone(loaded),
        _overrides(loaded),
        _marks(loaded),
        _idle(loaded),
        _tests(loaded),
        _files_of_tests(loaded, around.is_file),
        _ended(loaded, around.today),
    )
    return sorted(remarks, key=lambda remark: (remark.path, remark.line, remark.column))


def _patterns(loaded: LoadedPolicy) -> Iterator[Remark]:
    seen: dict[tuple[str, str], str] = {}
    read = _read(loaded)
    for index, entry in enumerate(loaded.file.patterns):
        loc = ("patterns", index)
        spec = PatternSpec(entry.id, entry.in_.lower(), entry.match)
        twin = seen.setdefault((spec.view, spec.text), entry.id)
        if twin != entry.id:
            what = f"{entry.id} looks for the same as {twin}: both count for one thing"
            yield at_value(loaded, (*loc, "match"), Level.WARNING, "same-pattern", what)
        if _BETWEEN_SLASHES.fullmatch(spec.text):
            what = f"{entry.id} looks for slashes: write the pattern without them and their flags"
            yield at_value(loaded, (*loc, "match"), Level.WARNING, "slashes", what)
        for code, what in of_pattern(spec):
            yield at_value(loaded, (*loc, "match"), Level.WARNING, code, what)
        if _matches_everything(spec):
            what = f"{entry.id} matches nearly every text"
            yield at_value(loaded, (*loc, "match"), Level.WARNING, "matches-everything", what)
        if not entry.weight and entry.id not in read and not _weighed(loaded, entry.id):
            what = f"{entry.id} has no points and no rule reads it: it does nothing"
            yield at_value(loaded, (*loc, "weight"), Level.WARNING, "dead", what)


def _cut_short(loaded: LoadedPolicy) -> Iterator[Remark]:
    """Yield patterns and conditions behind which a comment begins that was meant to be text."""
    said: list[Loc] = [("patterns", i, "match") for i in range(len(loaded.file.patterns))]
    said += [("rules", i, "when") for i in range(len(loaded.file.rules))]
    for loc in said:
        node = loaded.positions.node(loc)
        if node.style or not isinstance(node.content, str):
            continue
        behind = node.mark.file.text[node.mark.index :].partition("\n")[0][len(node.content) :]
        if _COMMENT.match(behind):
            what = f"`{behind.strip()}` is a comment, no part of the text: put the text in quotes"
            yield at_value(loaded, loc, Level.WARNING, "comment", what)


def _matches_everything(spec: PatternSpec) -> bool:
    pattern = PatternSet.compile([spec])
    texts: list[View] = [text.encode() if spec.view == "raw" else text for text in _ORDINARY]
    return all(pattern.match({spec.view: text}.__getitem__) for text in texts)


def _read(loaded: LoadedPolicy) -> frozenset[str]:
    rules = loaded.policies.plan.rules
    if rules is None:
        return frozenset()
    readings = [rule.condition.reading for rule in rules.by_id.values()]
    if any(reading.every_symbol for reading in readings):
        return loaded.policies.plan.symbols
    return frozenset().union(*(reading.symbols for reading in readings))


def _weighed(loaded: LoadedPolicy, symbol: str) -> bool:
    said: list[Judging] = [loaded.file, *loaded.file.overrides]
    return any(judging.weights.get(symbol) for judging in said)


def _rejecting_alone(loaded: LoadedPolicy) -> Iterator[Remark]:
    """Yield symbols that refuse by themselves, by the weights that this policy gives them."""
    policy = loaded.policies.all_single()[0]
    if evaluate(policy, ()).action.refuses:
        # A rule refuses what nothing is known of, and `of_rules` tells that one.
        return
    for symbol, weight in policy.weights.items():
        spec = policy.symbols[symbol]
        if weight <= 0 or spec.direct or spec.temporary or not _refuses(policy, symbol):
            continue
        loc = _place_of_weight(loaded, symbol)
        if loc is None:
            continue
        what = (
            f"{symbol} alone is refused ({weight:g} points): a single mistake of it costs a "
            "wanted message"
        )
        yield at_value(loaded, loc, Level.WARNING, "rejects-alone", what)


def _refuses(policy: Policy, symbol: str) -> bool:
    without = {action: least for action, least in policy.thresholds.items() if action.refuses}
    return bool(without) and evaluate(policy, [Finding(symbol)]).action.refuses


def _place_of_weight(loaded: LoadedPolicy, symbol: str) -> Loc | None:
    """Return where the weight of `symbol` is said; None where the shipped table says it."""
    if symbol in loaded.file.weights:
        return ("weights", symbol)
    for index, pattern in enumerate(loaded.file.patterns):
        if pattern.id == symbol:
            return ("patterns", index, "weight")
    for index, rule in enumerate(loaded.file.rules):
        if rule.id == symbol:
            return ("rules", index, "weight")
    for index, entry in enumerate(loaded.file.dns_lists):
        for key, answers in (("codes", entry.codes), ("bits", entry.bits)):
            for answer, listed in (answers or {}).items():
                if listed.symbol == symbol:
                    return ("dns_lists", index, key, str(answer), "weight")
    return None


def _overrides(loaded: LoadedPolicy) -> Iterator[Remark]:
    seen: dict[str, int] = {}
    base, *changed = loaded.policies.all_single()
    for index, override in enumerate(loaded.file.overrides):
        loc = ("overrides", index)
        match = override.match.model_dump_json(exclude_none=True)
        if match in seen:
            line, _ = loaded.positions.value(("overrides", seen[match]))
            what = f"for the same messages as the override on line {line}: applied over it"
            yield at_value(loaded, (*loc, "match"), Level.NOTE, "same-override", what)
        seen[match] = index
    keys = {policy.marks_key for policy in changed}
    if changed and keys == {base.marks_key}:
        what = "no override changes anything"
        yield at_key(loaded, ("overrides",), Level.WARNING, "dead", what)


def _marks(loaded: LoadedPolicy) -> Iterator[Remark]:
    said: Sequence[tuple[Loc, Judging]] = [
        ((), loaded.file),
        *((("overrides", i), override) for i, override in enumerate(loaded.file.overrides)),
    ]
    for loc, judging in said:
        if judging.actions.tag.subject_prefix:
            place = (*loc, "actions", "tag", "subject_prefix")
            what = "a changed Subject breaks DKIM signatures for everybody behind this server"
            yield at_value(loaded, place, Level.WARNING, "breaks-dkim", what)


def _idle(loaded: LoadedPolicy) -> Iterator[Remark]:
    """Find a policy that passes everything, as one does whose `extends` was forgotten."""
    rules = loaded.policies.plan.rules
    acting = rules is not None and any(rule.action for rule in rules.by_id.values())
    if not acting and not any(policy.weights for policy in loaded.policies.all_single()):
        what = "nothing counts here, so every message passes: is `extends: balanced` missing?"
        yield at_value(loaded, ("name",), Level.WARNING, "passes-everything", what)


def _tests(loaded: LoadedPolicy) -> Iterator[Remark]:
    parts = [part for part in _RULED if loaded.own(part)]
    if parts and not loaded.file.tests:
        what = "no tests: say under `tests` what must come of which message"
        part = parts[0]
        yield at_key(loaded, (part,), Level.WARNING, "no-tests", what)


def _files_of_tests(loaded: LoadedPolicy, is_file: Callable[[str], bool]) -> Iterator[Remark]:
    for index, case in enumerate(loaded.file.tests):
        named: list[tuple[Loc, str | None]] = [
            (("tests", index, "message"), case.message),
            (("tests", index, "with", "dns"), case.with_.dns),
        ]
        for loc, path in named:
            if path and not is_file(beside(loaded.positions.path(loc), path)):
                what = f"there is no file {path}: the test cannot be run"
                yield at_value(loaded, loc, Level.WARNING, "no-file", what)


def _ended(loaded: LoadedPolicy, today: str) -> Iterator[Remark]:
    for index, shadow in enumerate(loaded.file.shadow):
        if shadow.until < today:
            loc = ("shadow", index, "until")
            what = f"{shadow.policy} ended on {shadow.until} and runs no more: take it out"
            yield at_value(loaded, loc, Level.WARNING, "ended", what)
