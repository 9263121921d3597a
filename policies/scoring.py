"""Points: what the findings of a message add up to under one policy.

A symbol counts once, however often it was found. Groups cap what their symbols add and bound what
they take away. Sums do not depend on the order of findings. This module decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import fsum, inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from policies.verdict import Contribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policies.compile import Bounds, Policy
    from policies.findings import Finding

_MAX_EVIDENCE: Final = 10
_SYMBOL: Final = attrgetter("symbol")
_COUNTED: Final = attrgetter("counted")
_WEIGHT: Final = attrgetter("weight")
_NO_DETAILS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Score:
    """The points of one message.

    Attributes:
        total: The sum of what counted, rounded to two digits.
        contributions: Each symbol that counted, heaviest first, then by name.
        bounded: Groups whose bound held, with the sum before it and the sum that counted.
    """

    total: float
    contributions: tuple[Contribution, ...]
    bounded: tuple[tuple[str, float, float], ...]


def score(policy: Policy, findings: Iterable[Finding]) -> Score:
    """Return the points of `findings`, those that `policy` counts."""
    contributions = _uncapped(policy, findings)
    sums = _bounded_sums(policy, contributions)
    counted = {group: bound(total, policy.groups[group]) for group, total in sums.items()}
    bounded = sorted(group for group, total in sums.items() if counted[group] != total)
    if bounded:
        shares = {group: counted[group] / sums[group] for group in bounded}
        contributions = [
            replace(one, counted=_rounded(one.weight * shares[one.group]))
            if one.group in shares
            else one
            for one in contributions
        ]
    contributions.sort(key=_SYMBOL)
    contributions.sort(key=_COUNTED, reverse=True)
    free = [one.weight for one in contributions if one.group not in sums]
    total = _rounded(fsum([*free, *counted.values()]))
    lifted = _least(policy, contributions)
    told = tuple((group, _rounded(sums[group]), _rounded(counted[group])) for group in bounded)
    return Score(max(total, lifted), tuple(contributions), told)


def _uncapped(policy: Policy, findings: Iterable[Finding]) -> list[Contribution]:
    """Return what each symbol counts where no bound holds."""
    weights, plain = policy.weights, policy.plain
    counting: dict[str, Contribution] = {}
    special: dict[str, list[Finding]] = {}
    for finding in findings:
        symbol = finding.symbol
        # Most of what rules find is the same for every message.
        if symbol in plain and not finding.evidence and not finding.details:
            counting[symbol] = plain[symbol]
        elif symbol in weights:
            special.setdefault(symbol, []).append(finding)
    for symbol, found in special.items():
        counting[symbol] = _contribution(policy, symbol, found)
    return list(counting.values())


def _bounded_sums(policy: Policy, contributions: Iterable[Contribution]) -> dict[str, float]:
    """Return the sum of each group that has bounds."""
    if not policy.groups:
        return {}
    points: dict[str, list[float]] = {}
    for one in contributions:
        if one.group in policy.groups:
            points.setdefault(one.group, []).append(one.weight)
    return {group: fsum(weights) for group, weights in points.items()}


def _least(policy: Policy, contributions: Sequence[Contribution]) -> float:
    """Return what the points come to at least, whatever lists that allow have said.

    A list knows the client, not the message: it lifts neither what is direct nor malware.
    """
    if min(map(_WEIGHT, contributions), default=0.0) >= 0.0:
        return -inf
    symbols = policy.symbols
    if not any(symbols[c.symbol].allows for c in contributions):
        return -inf
    firm = [c for c in contributions if symbols[c.symbol].firm]
    if not firm:
        return -inf
    others = [c for c in contributions if not (symbols[c.symbol].firm or symbols[c.symbol].allows)]
    return _rounded(_sum(policy, firm) + min(_sum(policy, others), 0.0))


def total_without(policy: Policy, contributions: Iterable[Contribution], *left_out: str) -> float:
    """Return the sum of `contributions` as if the symbols `left_out` had not been found."""
    return total_of(policy, [c for c in contributions if c.symbol not in left_out])


def total_of(policy: Policy, contributions: Iterable[Contribution]) -> float:
    """Return the sum of `contributions`, bounds of groups applied, rounded to two digits."""
    counted = list(contributions)
    return max(_rounded(_sum(policy, counted)), _least(policy, counted))


def _sum(policy: Policy, contributions: Iterable[Contribution]) -> float:
    sums: dict[str, list[float]] = {}
    for contribution in contributions:
        sums.setdefault(contribution.group, []).append(contribution.weight)
    return fsum(bound(fsum(points), policy.groups.get(group)) for group, points in sums.items())


def bound(total: float, bounds: Bounds | None) -> float:
    """Return `total` within `bounds`."""
    if bounds is None:
        return total
    if bounds.cap is not None and total > bounds.cap:
        return bounds.cap
    if bounds.floor is not None and total < bounds.floor:
        return bounds.floor
    return total


def _contribution(policy: Policy, symbol: str, findings: Sequence[Finding]) -> Contribution:
    evidence, details = findings[0].evidence, findings[0].details
    if len(findings) > 1:
        evidence, details = _joined(findings)
    spec, weight = policy.symbols[symbol], policy.weights[symbol]
    made = Contribution(
        symbol=symbol,
        weight=weight,
        counted=_rounded(weight),
        group=spec.group,
        evidence=evidence,
        description=spec.describe,
        words=spec.sentence(details),
        kind=spec.kind,
        enhanced=spec.enhanced,
        reasons=findings[0].reasons,
    )
    if not evidence and not details:
        policy.plain[symbol] = made
    return made


def _joined(findings: Sequence[Finding]) -> tuple[str, Mapping[str, str]]:
    """Return the evidence of all and the details of one that has some, whatever their order."""
    distinct = sorted({finding.evidence for finding in findings} - {""})
    more = len(distinct) - _MAX_EVIDENCE
    evidence = "; ".join(distinct[:_MAX_EVIDENCE]) + (f"; and {more} more" if more > 0 else "")
    known = (sorted(finding.details.items()) for finding in findings if finding.details)
    details = min(known, default=[])
    return evidence, dict(details) or _NO_DETAILS


def _rounded(points: float) -> float:
    # The addition turns -0.0 into 0.0, which would show as "-0".
    return round(points, 2) + 0.0
