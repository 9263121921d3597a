"""What would have changed a verdict: the nearest other evidence that leads to another action.

Every way that is told was tried: the changed evidence was evaluated under the same policy. One
symbol less, or an aligned signature, is one change; two symbols are tried only where no single
change makes a difference, so that no smaller change of this kind exists than those that are told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

from policies.evaluate import evaluate
from policies.findings import Finding
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policies.compile import Policy
    from policies.facts import FactValue
    from policies.verdict import Verdict

# So many symbols are left out one by one, and so many two by two: 40 and 28 evaluations.
_MAX_SINGLE: Final = 40
_MAX_PAIRED: Final = 8
_MAX_TOLD: Final = 6
# Scores have two digits.
_ROUNDED: Final = 0.01
_DONE: Final[Mapping[Action, str]] = {
    Action.PASS: "passed",
    Action.TAG: "been tagged",
    Action.QUARANTINE: "been quarantined",
    Action.DEFER: "been deferred",
    Action.REJECT: "been rejected",
    Action.DISCARD: "been discarded",
}
_SIGNED: Final = ("DKIM_PASS", "DMARC_PASS")


@dataclass(frozen=True, slots=True)
class Way:
    """Other evidence, and what it leads to.

    Attributes:
        action: What would have been done.
        words: The sentence for people.
        without: Symbols that would not have been found.
        added: Symbols that would have been found.
        facts: Facts that would have been others.
    """

    action: Action
    words: str
    without: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    facts: Mapping[str, FactValue] = field(default_factory=dict)


def ways(
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    *,
    postmaster: bool = False,
) -> list[Way]:
    """Return the nearest ways to another action, those that change the fewest points first."""
    verdict = evaluate(policy, findings, facts, postmaster=postmaster)
    symbols = _that_matter(policy, findings, verdict)
    single = [*_left_out(symbols[:_MAX_SINGLE], 1, verdict), *_signed(findings, facts, verdict)]
    told = list(_leading_elsewhere(single, policy, findings, facts, verdict, postmaster))
    if not told:
        paired = list(_left_out(symbols[:_MAX_PAIRED], 2, verdict))
        told = list(_leading_elsewhere(paired, policy, findings, facts, verdict, postmaster))
    told += _worse(policy, findings, facts, verdict, postmaster)
    counted = {one.symbol: one.counted for one in verdict.contributions}
    weights = {symbol: abs(points) for symbol, points in {**policy.weights, **counted}.items()}
    told.sort(key=lambda way: _moved(way, weights))
    return told[:_MAX_TOLD]


def tried(
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    way: Way,
    *,
    postmaster: bool = False,
) -> Verdict:
    """Return the verdict that the evidence changed by `way` leads to."""
    kept = [finding for finding in findings if finding.symbol not in way.without]
    present = {finding.symbol for finding in kept}
    kept += [Finding(symbol) for symbol in way.added if symbol not in present]
    return evaluate(policy, kept, {**facts, **way.facts}, postmaster=postmaster)


def _leading_elsewhere(  # noqa: PLR0917 - the arguments of one evaluation
    candidates: Sequence[Way],
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    verdict: Verdict,
    postmaster: bool,
) -> Iterator[Way]:
    for way in candidates:
        other = tried(policy, findings, facts, way, postmaster=postmaster)
        if other.action is not verdict.action:
            words = f"would have {_DONE[other.action]} {way.words}"
            yield Way(other.action, words, way.without, way.added, way.facts)


def _moved(way: Way, weights: Mapping[str, float]) -> tuple[bool, float]:
    """Return how near a way is: those to more trouble last, then by the points that change."""
    worse = not way.without and not way.facts
    return worse, sum(weights.get(symbol, 0.0) for symbol in (*way.without, *way.added))


def _worse(
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    verdict: Verdict,
    postmaster: bool,
) -> list[Way]:
    """Return the lightest symbol that would have led to more, if one alone does."""
    found = {finding.symbol for finding in findings}
    gap = _gap(policy, verdict)
    missing = [
        symbol
        for symbol, points in policy.weights.items()
        if points > 0 and symbol not in found and (points >= gap or _is_read(policy, symbol))
    ]
    for symbol in sorted(missing, key=lambda symbol: (policy.weights[symbol], symbol)):
        way = Way(verdict.action, _more(policy, symbol), added=(symbol,))
        other = tried(policy, findings, facts, way, postmaster=postmaster)
        if other.action > verdict.action:
            words = f"would have {_DONE[other.action]} {way.words}"
            return [Way(other.action, words, added=(symbol,))]
    return []


def _more(policy: Policy, symbol: str) -> str:
    """Return what one symbol more means: points, as a rule, which many others would bring too."""
    if _is_read(policy, symbol):
        return f"with {symbol} as well"
    return f"with {policy.weights[symbol]:g} points more, such as those of {symbol}"


def _gap(policy: Policy, verdict: Verdict) -> float:
    """Return the points without which no symbol that only adds points leads to more.

    Caps, floors and allows leave at most what it weighs; of hundreds of symbols few weigh enough.
    """
    if policy.rules is not None and policy.rules.last:
        return 0.0
    further = [least for action, least in policy.thresholds.items() if action > verdict.action]
    return min(further, default=math.inf) - verdict.score - _ROUNDED


def _is_read(policy: Policy, symbol: str) -> bool:
    """Whether a rule reads it, so that it can do more than add points."""
    if policy.rules is None:
        return False
    readings = (rule.condition.reading for rule in policy.rules.by_id.values())
    return any(reading.every_symbol or symbol in reading.symbols for reading in readings)


def _that_matter(policy: Policy, findings: Sequence[Finding], verdict: Verdict) -> list[str]:
    """Return the symbols that count or that a rule reads, the heaviest first."""
    found = {finding.symbol for finding in findings}
    counted = sorted(verdict.contributions, key=lambda one: (-abs(one.counted), one.symbol))
    matter = dict.fromkeys(one.symbol for one in counted if one.symbol in found)
    if policy.rules is not None:
        for rule in policy.rules.by_id.values():
            matter |= dict.fromkeys(sorted(rule.condition.reading.symbols & found))
    return list(matter)


def _left_out(symbols: Sequence[str], size: int, verdict: Verdict) -> Iterator[Way]:
    for without in combinations(symbols, size):
        yield Way(verdict.action, f"without {' and '.join(without)}", without)


def _signed(
    findings: Sequence[Finding], facts: Mapping[str, FactValue], verdict: Verdict
) -> Iterator[Way]:
    """Yield the message with a signature of its author's domain."""
    dmarc, domain = facts.get("dmarc"), facts.get("author_domain")
    known = dmarc if isinstance(dmarc, dict) else {}
    if known.get("aligned") or not isinstance(domain, str) or not domain:
        return
    signatures = facts.get("dkim")
    before = signatures if isinstance(signatures, list) else []
    changed: dict[str, FactValue] = {
        "dmarc": {**known, "result": "pass", "aligned": True},
        "dkim": [*before, {"result": "pass", "domain": domain}],
    }
    failed = {f.symbol for f in findings if f.symbol.startswith("DMARC_")} - set(_SIGNED)
    words = "with an aligned DKIM signature"
    yield Way(verdict.action, words, tuple(sorted(failed)), _SIGNED, changed)
