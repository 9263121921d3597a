"""Policies that run beside the live one: what they need, and what they would have done.

A shadow sees the evidence that was gathered for the live policy, to which its own symbols and facts
are added. Its own patterns are matched for it alone, and a DNS list that the live policy does not
ask is asked only where the shadow says `ask: true`; else its symbols are not known. What a list has
answered means what the shadow says that it means. Nothing of a shadow is ever applied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from policies.evaluate import evaluate
from policies.findings import Finding
from policies.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policies.compile import Plan
    from policies.facts import FactValue
    from policies.patterns import View
    from policies.select import Context, PolicySet
    from policies.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Shadow:
    """A policy that runs beside the live one.

    Attributes:
        name: Of the policy file.
        path: Where that is, as `load_policies` finds it.
        policies: What it judges by.
        until: The last day on which it runs, as 2027-01-31.
        ask: Whether it may ask DNS lists of its own.
        own: Its patterns that the live policy does not have, or has otherwise.
        replaced: Symbols of live patterns and rates that mean something else to it, or nothing.
    """

    name: str
    path: str
    policies: PolicySet
    until: str
    ask: bool
    own: PatternSet
    replaced: frozenset[str]

    def judge(
        self,
        context: Context,
        recipients: Sequence[str],
        findings: Iterable[Finding],
        facts: Mapping[str, FactValue],
        view: Callable[[str], View],
        *,
        postmaster: bool = False,
    ) -> Verdict:
        """Return the severest verdict that the recipients would have got.

        With `postmaster` it is for the postmaster, who is never refused (RFC 5321 §4.5.1).
        """
        seen = [finding for finding in findings if finding.symbol not in self.replaced]
        seen += [Finding(hit.id, f"{hit.view}: {hit.excerpt}") for hit in self.own.match(view)]
        chosen = {
            policy.name: policy
            for recipient in (recipients or (None,))
            for policy in (self.policies.select(context, recipient),)
        }
        verdicts = [
            evaluate(policy, seen, facts, postmaster=postmaster) for policy in chosen.values()
        ]
        return max(verdicts, key=lambda verdict: verdict.action)


def beside_live(
    name: str, path: str, policies: PolicySet, live: Plan, *, until: str, ask: bool
) -> Shadow:
    """Return `policies` as a shadow of the policy that `live` belongs to."""
    known = {spec.id: spec for spec in live.patterns.patterns}
    plan = policies.plan
    own = [spec for spec in plan.patterns.patterns if known.get(spec.id) != spec]
    same = {spec.id for spec in plan.patterns.patterns} - {spec.id for spec in own}
    same |= {rate.symbol for rate in plan.rates}
    replaced = (known.keys() | {rate.symbol for rate in live.rates}) - same
    # No prefilter is put before them, so that each message asks all of them.
    compiled = PatternSet.compile(own)
    return Shadow(name, path, policies, until, ask, compiled, frozenset(replaced))


def widened(live: Plan, shadows: Sequence[Shadow]) -> Plan:
    """Return the plan of the live policy with what its shadows need to know."""
    if not shadows:
        return live
    plans = [shadow.policies.plan for shadow in shadows]
    asked = {(each.zone, each.asks) for each in live.dns_lists}
    lists = list(live.dns_lists)
    for shadow in shadows:
        for each in shadow.policies.plan.dns_lists if shadow.ask else ():
            if (each.zone, each.asks) not in asked:
                asked.add((each.zone, each.asks))
                lists.append(each)
    return replace(
        live,
        symbols=live.symbols.union(*(plan.symbols for plan in plans)),
        facts=live.facts.union(*(plan.facts for plan in plans)),
        dns_lists=tuple(lists),
        shadows=tuple(shadows),
        ranked=tuple(dict.fromkeys(chain(live.ranked, *(plan.ranked for plan in plans)))),
    )
