"""Whether a message is refused for good already, whatever else may be found.

Asked so that nothing is asked in vain: what is found later may speak for a message as well as
against it, so all that could still lower its points is taken as found.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from policies.findings import Finding
from policies.scoring import score, total_of
from policies.verdict import Action
from policies.weighing import is_temporary, stands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.compile import Policy
    from policies.facts import FactValue
    from policies.rules import Rule


def is_settled(
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    known: str | None,
) -> bool:
    """Return whether `policy` rejects a message with `findings`, whatever is found beside them.

    Says "no" where it would take much work to know.

    Args:
        policy: Of recipients other than postmaster, who is never refused.
        findings: What checks saw so far.
        facts: What checks know so far.
        known: The latest stage of which all is known, for rules; None: not even of the first one.
    """
    rules = _active(policy)
    # What is discarded is not rejected, and who sends it reads another reply.
    if any(rule.action is Action.DISCARD for rule in rules):
        return False
    certain = [finding for finding in findings if not is_temporary(policy, finding.symbol)]
    if policy.rules is not None and known is not None:
        if len(certain) < len(findings):
            return False
        run = policy.rules.run(certain, facts, known)
        if any(rule.action is Action.REJECT and rule in rules for rule in run.true):
            return True
        certain += run.found
    return _least(policy, certain, rules) >= policy.thresholds.get(Action.REJECT, float("inf"))


def _active(policy: Policy) -> list[Rule]:
    every = policy.rules.by_id.values() if policy.rules is not None else ()
    return [rule for rule in every if rule.action is not None and rule.id not in policy.off]


def _least(policy: Policy, findings: Sequence[Finding], rules: Sequence[Rule]) -> float:
    """Return the fewest points that a message with `findings` can come to."""
    against = {f.symbol for f in findings if policy.weights.get(f.symbol, 0.0) > 0}
    most = fsum(policy.weights[symbol] for symbol in against)
    if most < policy.thresholds.get(Action.REJECT, float("inf")):
        # Most messages: no need to know it more exactly.
        return most
    lowering = [Finding(symbol) for symbol, weight in policy.weights.items() if weight < 0]
    points = score(policy, [*findings, *lowering])
    if not any(rule.action is Action.PASS for rule in rules):
        return points.total
    return total_of(policy, [each for each in points.contributions if stands(policy, each)])
