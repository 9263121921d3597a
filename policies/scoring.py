"""Points: what the findings of a message add up to under one policy.

A symbol counts once, however often it was found. Groups cap what their symbols add and bound what
they take away. Sums do not depend on the order of findings. This module decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, inf
from typing import TYPE_CHECKING, Final

from policies.verdict import Contribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policies.compile import Bounds, Policy
    from policies.findings import Finding

_MAX_EVIDENCE: Final = 10
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
    found = _by_symbol(policy.weights, findings)
    sums = _group_sums(policy, found)
    counted = {group: bound(total, policy.groups.get(group)) for group, total in sums.items()}
    shares = {
        group: counted[group] / total if total and counted[group] != total else 1.0
        for group, total in sums.items()
    }
    contributions = [
        _contribution(policy, symbol, findings_, shares[policy.symbols[symbol].group])
        for symbol, findings_ in found.items()
    ]
    contributions.sort(key=_heaviest_first)
    bounded = sorted(
        (group, _rounded(sums[group]), _rounded(counted[group]))
        for group in sums
        if counted[group] != sums[group]
    )
    total = _rounded(fsum(counted.values()))
    lifted = _least(policy, contributions)
    return Score(max(total, lifted), tuple(contributions), tuple(bounded))


def _least(policy: Policy, contributions: Iterable[Contribution]) -> float:
    """Return what the points come to at least, whatever lists that allow have said.

    A list knows the client, not the message: it lifts neither what is direct nor malware.
    """
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


def _by_symbol(
    weights: Mapping[str, float], findings: Iterable[Finding]
) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.symbol in weights:
            found.setdefault(finding.symbol, []).append(finding)
    return found


def _group_sums(policy: Policy, found: Iterable[str]) -> dict[str, float]:
    points: dict[str, list[float]] = {}
    for symbol in found:
        points.setdefault(policy.symbols[symbol].group, []).append(policy.weights[symbol])
    return {group: fsum(weights) for group, weights in points.items()}


def _contribution(
    policy: Policy, symbol: str, findings: Sequence[Finding], share: float
) -> Contribution:
    evidence, details = findings[0].evidence, findings[0].details
    if len(findings) > 1:
        evidence, details = _joined(findings)
    if share == 1.0 and not evidence and not details:
        # Most of what rules find is the same for every message.
        known = policy.plain.get(symbol)
        if known is None:
            known = policy.plain[symbol] = _made(policy, symbol, "", _NO_DETAILS, 1.0)
        return known
    return _made(policy, symbol, evidence, details, share)


def _made(
    policy: Policy, symbol: str, evidence: str, details: Mapping[str, str], share: float
) -> Contribution:
    spec, weight = policy.symbols[symbol], policy.weights[symbol]
    return Contribution(
        symbol=symbol,
        weight=weight,
        counted=_rounded(weight * share),
        group=spec.group,
        evidence=evidence,
        description=spec.describe,
        words=spec.sentence(details),
        kind=spec.kind,
        enhanced=spec.enhanced,
    )


def _joined(findings: Sequence[Finding]) -> tuple[str, Mapping[str, str]]:
    """Return the evidence of all and the details of one, whatever their order."""
    distinct = sorted({finding.evidence for finding in findings} - {""})
    more = len(distinct) - _MAX_EVIDENCE
    evidence = "; ".join(distinct[:_MAX_EVIDENCE]) + (f"; and {more} more" if more > 0 else "")
    details = min((sorted(finding.details.items()) for finding in findings), default=[])
    return evidence, dict(details) or _NO_DETAILS


def _heaviest_first(contribution: Contribution) -> tuple[float, str]:
    return (-contribution.counted, contribution.symbol)


def _rounded(points: float) -> float:
    # The addition turns -0.0 into 0.0, which would show as "-0".
    return round(points, 2) + 0.0
