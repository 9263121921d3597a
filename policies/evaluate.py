"""The verdict: which action the points lead to, the reply in words, and why.

A symbol that says only that something could not be asked never makes the difference between passing
and a refusal for good: it can defer. This module waits for nothing and knows no message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from policies.scoring import Score, score, total_of, total_without
from policies.verdict import Action, Contribution, Refusal, Verdict

if TYPE_CHECKING:
    from policies.compile import Policy
    from policies.findings import Finding

_MAX_SENTENCES: Final = 3
# A reply line holds 512 octets (RFC 5321 §4.5.3.1.5), and the id must fit behind the reason.
_MAX_REASON: Final = 380
_REFUSED: Final = "5.7.1"
_ROUNDING: Final = 0.01
# Overrides can combine in more ways than a process should remember.
_MAX_CACHED: Final = 1024

Thresholds = Mapping[Action, float]


def evaluate(policy: Policy, findings: Iterable[Finding], *, postmaster: bool = False) -> Verdict:
    """Return the verdict about one message; the order of `findings` does not matter.

    Args:
        policy: Counts only the symbols that it has weights for.
        findings: All that was seen.
        postmaster: Whether it is for the postmaster, who is never refused (RFC 5321 §4.5.1).
    """
    counted = [finding for finding in findings if finding.symbol in policy.weights]
    return _of_findings(policy, counted, postmaster) if counted else _of_nothing(policy)


@lru_cache(maxsize=_MAX_CACHED)
def _of_nothing(policy: Policy) -> Verdict:
    """Return the verdict where nothing counts: thresholds are above 0, so it refuses nobody."""
    return _of_findings(policy, (), postmaster=False)


def _of_findings(policy: Policy, findings: Iterable[Finding], postmaster: bool) -> Verdict:
    points = score(policy, findings)
    thresholds = policy.thresholds
    action = _action(policy, thresholds, points)
    trace = [*_sums(points), _reached(points.total, thresholds)]
    if action is Action.DEFER and _at(points.total, thresholds) is Action.REJECT:
        trace.append("without what could not be asked it would not be rejected: deferred instead")
    if postmaster and action.refuses:
        trace.append(f"the postmaster is never refused: quarantine instead of {action.word}")
        action = Action.QUARANTINE
    return _verdict(policy, thresholds, points, action, trace)


def decide_early(
    policy: Policy, findings: Iterable[Finding], stage: Literal["connect", "rcpt"]
) -> Verdict | None:
    """Return a refusal before the end of data, or None: the message may come.

    Args:
        policy: Its `early` thresholds decide; without them nothing is refused here.
        findings: What is known so far.
        stage: `connect` stands for connect, HELO and MAIL. At `rcpt` both thresholds hold, for what
            differed between recipients had to wait until now.
    """
    limits = [
        policy.early[name]
        for name in (("connect",) if stage == "connect" else ("connect", "rcpt"))
        if name in policy.early
    ]
    if not limits:
        return None
    thresholds = {Action.REJECT: min(limits)}
    points = score(policy, findings)
    action = _action(policy, thresholds, points)
    if action is Action.PASS:
        return None
    return _verdict(
        policy,
        thresholds,
        points,
        action,
        [
            *_sums(points),
            f"{_g(points.total)} reaches the early threshold {_g(min(limits))} at {stage}",
        ],
    )


def _at(total: float, thresholds: Thresholds) -> Action:
    """Return the most severe action whose threshold `total` reaches."""
    reached = [action for action, least in thresholds.items() if total >= least]
    return max(reached, default=Action.PASS)


def _action(policy: Policy, thresholds: Thresholds, points: Score) -> Action:
    action = _at(points.total, thresholds)
    if action is Action.REJECT:
        certain = [c for c in points.contributions if not policy.symbols[c.symbol].temporary]
        if len(certain) < len(points.contributions):
            without = _at(total_of(policy, certain), thresholds)
            return action if without is Action.REJECT else Action.DEFER
    return action


def _verdict(
    policy: Policy, thresholds: Thresholds, points: Score, action: Action, trace: list[str]
) -> Verdict:
    reason = _reason(points.contributions)
    decisive = _decisive(policy, thresholds, points) if action is not Action.PASS else None
    if decisive is not None:
        trace.append(f"without {decisive.symbol} it would be less")
    return Verdict(
        action=action,
        score=points.total,
        required=policy.required,
        policy=policy.name,
        reason=reason,
        contributions=points.contributions,
        refusal=_refusal(policy, action, reason, decisive),
        subject_prefix=policy.subject_prefix if action is Action.TAG else None,
        force_subject=policy.force_subject,
        redirect_to=policy.redirect_to if action is Action.QUARANTINE else None,
        headers=policy.headers,
        kind=_kind(points.contributions),
        trace=tuple(trace),
    )


def _refusal(
    policy: Policy, action: Action, reason: str, decisive: Contribution | None
) -> Refusal | None:
    if action is Action.DEFER:
        return policy.defer
    if action is not Action.REJECT:
        return None
    enhanced = decisive.enhanced if decisive is not None and decisive.enhanced else _REFUSED
    # The door fills the id in by its place, so no peer's text may hold a brace.
    words = reason.replace("{", "(").replace("}", ")")
    said = f"Message refused: {words} ({{txn_id}})" if words else "Message refused ({txn_id})"
    return Refusal(550, enhanced, said)


def _reason(contributions: Iterable[Contribution]) -> str:
    """Return the sentences of the heaviest symbols that speak against the message."""
    reason = ""
    sentences = dict.fromkeys(c.words for c in contributions if c.counted > 0 and c.words)
    for sentence in list(sentences)[:_MAX_SENTENCES]:
        longer = f"{reason}; {sentence}" if reason else sentence[:_MAX_REASON]
        if len(longer) > _MAX_REASON:
            break
        reason = longer
    return reason


def _decisive(policy: Policy, thresholds: Thresholds, points: Score) -> Contribution | None:
    """Return the heaviest symbol without which the points would lead to less, if there is one."""
    action = _at(points.total, thresholds)
    least = thresholds.get(action, 0.0)
    for contribution in points.contributions:
        if contribution.counted <= 0:
            return None
        # Leaving a symbol out takes away at most its weight, less where a group is capped.
        if points.total - contribution.weight >= least + _ROUNDING:
            continue
        without = total_without(policy, points.contributions, contribution.symbol)
        if _at(without, thresholds) < action:
            return contribution
    return None


def _kind(contributions: Iterable[Contribution]) -> str:
    points: dict[str, float] = {}
    for contribution in contributions:
        if contribution.kind and contribution.counted > 0:
            points[contribution.kind] = points.get(contribution.kind, 0.0) + contribution.counted
    return min(points, key=lambda kind: (-round(points[kind], 2), kind), default="")


def _sums(points: Score) -> Iterator[str]:
    for contribution in points.contributions:
        yield f"{contribution.symbol} {contribution.counted:+g}"
    for group, before, counted in points.bounded:
        yield f"the group {group} counts {_g(counted)} instead of {_g(before)}"


def _reached(total: float, thresholds: Thresholds) -> str:
    """Return the sentence about the thresholds on both sides of `total`."""
    if not thresholds:
        return f"{_g(total)} points; this policy has no thresholds"
    rising = sorted(thresholds.items(), key=lambda item: (item[1], item[0]))
    reached = [f"{action.word} ({_g(least)})" for action, least in rising if total >= least]
    missed = [f"{action.word} ({_g(least)})" for action, least in rising if total < least]
    said = [f"reaches {reached[-1]}"] if reached else []
    said += [f"stays below {missed[0]}"] if missed else []
    return f"{_g(total)} points: {' and '.join(said)}"


def _g(points: float) -> str:
    return f"{points:.10g}"
