"""What the evidence of a message leads to under one policy: points, allows, actions of rules.

An allow lowers what counts to just below the lowest threshold; symbols of malware and those marked
`direct` count in full all the same, and what a rule does by itself stands. The severest action
holds. Rules that read the score see it as it was before any allow, so that an allow can never make
things worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.facts import FACTS
from policies.rules import LAST_STAGE
from policies.scoring import Score, score, total_of
from policies.verdict import Action, Contribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.compile import Policy
    from policies.facts import FactValue
    from policies.findings import Finding
    from policies.rules import Rule

Thresholds = Mapping[Action, float]

# Scores have two digits.
_JUST_BELOW: Final = 0.01
# Says in its details which check has failed.
_CHECK_ERROR: Final = "CHECK_ERROR"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A message weighed under one policy.

    Attributes:
        points: All that counted.
        total: The points that are held against the thresholds: what an allow leaves of them.
        counting: The contributions that `total` is made of; all, where nothing was allowed.
        action: The severest of what thresholds and rules lead to.
        ruled: The rule whose action it is; None where the points lead to it.
        allowed: The rule that lowered the points; None where none did.
        found: Findings of the rules.
    """

    points: Score
    total: float
    counting: tuple[Contribution, ...]
    action: Action
    ruled: Rule | None = None
    allowed: Rule | None = None
    found: tuple[Finding, ...] = ()


def weigh(
    policy: Policy,
    thresholds: Thresholds,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    *,
    known: str = LAST_STAGE,
    doubted: frozenset[str] = frozenset(),
) -> Weighed:
    """Return what `findings` and `facts` lead to.

    Args:
        policy: Has the weights and rules.
        thresholds: Those that hold: the policy's, or before the end of data its early ones.
        findings: What checks saw.
        facts: What checks know.
        known: The stage up to which facts are known; before the last one only rules marked `early`
            act by themselves.
        doubted: Facts that nobody knows for certain; of rules that read one only allows count.
    """
    if policy.rules is None:
        points = score(policy, findings)
        action = reached(points.total, thresholds)
        return Weighed(points, points.total, points.contributions, action)
    run = policy.rules.run(findings, facts, known, doubted)
    points = score(policy, [*findings, *run.found])
    if known == LAST_STAGE:
        for rule in policy.rules.last:
            run.take_last(rule, points.total)
    acting = [rule for rule in run.true if rule.action is not None and rule.id not in policy.off]
    allowed = next((rule for rule in acting if rule.action is Action.PASS), None)
    total, counting = points.total, points.contributions
    if allowed is not None and thresholds and total >= min(thresholds.values()):
        total, counting = _lowered(policy, thresholds, points)
    else:
        allowed = None
    if known != LAST_STAGE:
        acting = [rule for rule in acting if rule.early]
    action, ruled = _decided(reached(total, thresholds), acting)
    return Weighed(points, total, counting, action, ruled, allowed, tuple(run.found))


def _lowered(
    policy: Policy, thresholds: Thresholds, points: Score
) -> tuple[float, tuple[Contribution, ...]]:
    """Return what an allow leaves of `points`, and of what that is made."""
    counting = tuple(c for c in points.contributions if stands(policy, c))
    just_below = round(min(thresholds.values()) - _JUST_BELOW, 2)
    return min(points.total, max(just_below, total_of(policy, counting))), counting


def _decided(action: Action, acting: Sequence[Rule]) -> tuple[Action, Rule | None]:
    """Return the most severe of `action`, to which the points led, and what rules ask for."""
    ruled: Rule | None = None
    for rule in acting:
        # Where points and a rule lead to the same, the rule has the better words.
        least = action + 1 if ruled else max(action, Action.TAG)
        if rule.action is not None and rule.action >= least:
            action, ruled = rule.action, rule
    return action, ruled


def reached(total: float, thresholds: Thresholds) -> Action:
    """Return the most severe action whose threshold `total` reaches."""
    return max((a for a, least in thresholds.items() if total >= least), default=Action.PASS)


def is_temporary(policy: Policy, symbol: str) -> bool:
    """Whether `symbol` says only that something could not be asked, and the policy reads it."""
    if symbol in policy.symbols:
        return policy.symbols[symbol].temporary
    return policy.rules is not None and symbol in policy.rules.temporary


def doubted_by(finding: Finding) -> frozenset[str]:
    """Return the facts that are not what they would be, had it been possible to ask."""
    failed = finding.details.get("check", "") if finding.symbol == _CHECK_ERROR else ""
    unasked = {
        fact.name
        for fact in FACTS
        if finding.symbol == fact.unasked or (failed and failed == fact.check)
    }
    return frozenset(
        unasked | {fact.name for fact in FACTS if not unasked.isdisjoint(fact.stands_on)}
    )


def stands(policy: Policy, contribution: Contribution) -> bool:
    """Whether no allow lifts this contribution."""
    spec = policy.symbols[contribution.symbol]
    return spec.kind == "malware" or spec.direct
