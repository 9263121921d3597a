"""The verdict: which action the points lead to, the reply in words, and why.

A symbol that says only that something could not be asked never makes the difference between passing
and a refusal for good: it can defer. This module waits for nothing and knows no message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from policies.replies import filled
from policies.rules import LAST_STAGE, RULE_ERROR, Rule
from policies.scoring import score, total_without
from policies.verdict import Action, Contribution, Refusal, Verdict
from policies.weighing import Weighed, doubted_by, is_temporary, reached, weigh

if TYPE_CHECKING:
    from policies.compile import Policy
    from policies.facts import FactValue
    from policies.findings import Finding

_MAX_SENTENCES: Final = 3
# A reply line holds 512 octets (RFC 5321 §4.5.3.1.5), and the id must fit behind the reason.
_MAX_REASON: Final = 380
_REFUSED: Final = "5.7.1"
# Who asks for it by name wants the client to believe that the message was taken.
_DISCARDED: Final = Refusal(250, "2.0.0", "Ok ({txn_id})")
_CLASSES: Final = {Action.DEFER: 4, Action.REJECT: 5, Action.DISCARD: 2}
# The kind of what has no kind.
_UNSORTED: Final = "other"
_DMARC: Final = "dmarc"
_NO_FACTS: Final[Mapping[str, FactValue]] = {}
_ROUNDING: Final = 0.01
_STEP: Final = attrgetter("step")
# Overrides can combine in more ways than a process should remember.
_MAX_CACHED: Final = 1024

Thresholds = Mapping[Action, float]
EarlyStage = Literal["greeting", "connect", "rcpt"]
_EARLY: Final[tuple[EarlyStage, ...]] = ("greeting", "connect", "rcpt")


def evaluate(
    policy: Policy,
    findings: Iterable[Finding],
    facts: Mapping[str, FactValue] = _NO_FACTS,
    *,
    postmaster: bool = False,
) -> Verdict:
    """Return the verdict about one message; the order of `findings` does not matter.

    Args:
        policy: Counts only the symbols that it has weights for, and those that its rules read.
        findings: All that was seen.
        facts: What is known beside; asked only for what a rule reads.
        postmaster: Whether it is for the postmaster, who is never refused (RFC 5321 §4.5.1).
    """
    if policy.rules is None:
        findings = [finding for finding in findings if finding.symbol in policy.weights]
        if not findings:
            return _of_nothing(policy)
    return _of_findings(policy, tuple(findings), facts, postmaster)


@lru_cache(maxsize=_MAX_CACHED)
def _of_nothing(policy: Policy) -> Verdict:
    """Return the verdict where nothing counts: thresholds are above 0, so it refuses nobody."""
    return _of_findings(policy, (), _NO_FACTS, postmaster=False)


def _of_findings(
    policy: Policy,
    findings: tuple[Finding, ...],
    facts: Mapping[str, FactValue],
    postmaster: bool,
) -> Verdict:
    weighed = weigh(policy, policy.thresholds, findings, facts)
    action = weighed.action
    trace = [*_steps(weighed), _reached(weighed.total, policy.thresholds), *_ruled(weighed)]
    if action >= Action.REJECT and _is_uncertain(policy, policy.thresholds, findings, facts):
        trace.append(
            f"without what could not be asked it would not be {_done(action)}: deferred instead"
        )
        action = Action.DEFER
    if postmaster and action.refuses:
        trace.append(f"the postmaster is never refused: quarantine instead of {action.word}")
        action = Action.QUARANTINE
    return _filled(_verdict(policy, policy.thresholds, weighed, action, trace), facts)


def decide_early(
    policy: Policy,
    findings: Iterable[Finding],
    stage: EarlyStage,
    facts: Mapping[str, FactValue] = _NO_FACTS,
    known: str = "helo",
) -> Verdict | None:
    """Return a refusal before the end of data, or None: the message may come.

    Args:
        policy: Its `early` thresholds decide, and its rules marked `early`; without them nothing is
            refused here.
        findings: What is known so far.
        stage: `connect` stands for connect, HELO and MAIL behind the greeting. The thresholds of
            earlier stages hold too, for what differed between recipients had to wait until now.
        facts: What is known beside.
        known: The latest stage of which facts are known; rules that read later ones wait.
    """
    limits = [policy.early[name] for name in until(stage) if name in policy.early]
    if not limits and stage not in policy.early_rules:
        return None
    thresholds = {Action.REJECT: min(limits)} if limits else {}
    findings = tuple(findings)
    weighed = weigh(policy, thresholds, findings, facts, known=known)
    action = weighed.action
    if action is Action.PASS:
        return None
    if action >= Action.REJECT and _is_uncertain(policy, thresholds, findings, facts, known=known):
        action = Action.DEFER
    trace = [*_steps(weighed), *_ruled(weighed)]
    if weighed.ruled is None:
        least = _g(min(limits))
        trace.append(f"{_g(weighed.total)} reaches the early threshold {least} at {stage}")
    return _filled(_verdict(policy, thresholds, weighed, action, trace), facts)


def until(stage: EarlyStage) -> tuple[EarlyStage, ...]:
    """Return the stages whose early thresholds hold at `stage`, itself the last."""
    return _EARLY[: _EARLY.index(stage) + 1]


def slowed_s(policy: Policy, findings: Iterable[Finding]) -> float:
    """Return the seconds by which a client with these findings is slowed down; 0: not at all."""
    if policy.slow is None:
        return 0.0
    least, seconds = policy.slow
    return seconds if score(policy, findings).total >= least else 0.0


def _is_uncertain(
    policy: Policy,
    thresholds: Thresholds,
    findings: tuple[Finding, ...],
    facts: Mapping[str, FactValue],
    *,
    known: str = LAST_STAGE,
) -> bool:
    """Whether the message is refused for good only because something could not be asked.

    Both what says so and the facts that would be others count for nothing, and an allow that only
    lacks a proof of the author has it: a partner is not refused because a name server was silent.
    """
    unasked = [f for f in findings if is_temporary(policy, f.symbol)]
    if not unasked:
        return False
    certain = tuple(f for f in findings if not is_temporary(policy, f.symbol))
    doubted = frozenset[str]().union(*map(doubted_by, unasked))
    if _DMARC in doubted:
        said = facts.get(_DMARC)
        facts = {**facts, _DMARC: {**(said if isinstance(said, dict) else {}), "aligned": True}}
    weighed = weigh(policy, thresholds, certain, facts, known=known, doubted=doubted)
    return weighed.action < Action.REJECT


def _verdict(
    policy: Policy, thresholds: Thresholds, weighed: Weighed, action: Action, trace: list[str]
) -> Verdict:
    ruled = weighed.ruled
    reason = _reason(weighed)
    decisive = None
    if ruled is None and weighed.action is not Action.PASS:
        decisive = _decisive(policy, thresholds, weighed)
    if decisive is not None:
        trace.append(f"without {decisive.symbol} it would be less")
    return Verdict(
        action=action,
        score=weighed.total,
        required=policy.required,
        policy=policy.name,
        reason=reason,
        contributions=weighed.points.contributions,
        refusal=_refusal(policy, action, reason, ruled or decisive),
        subject_prefix=policy.subject_prefix if action is Action.TAG else None,
        force_subject=policy.force_subject,
        redirect_to=policy.redirect_to if action >= Action.QUARANTINE else None,
        headers=policy.headers,
        explained=policy.explained,
        kind=_kind(weighed),
        trace=tuple(trace),
        rule=ruled.id if ruled else decisive.symbol if decisive else "",
        found=weighed.found,
    )


def _filled(verdict: Verdict, facts: Mapping[str, FactValue]) -> Verdict:
    """Return `verdict` with the places of its reply that facts fill."""
    if verdict.refusal is None:
        return verdict
    return replace(verdict, refusal=filled(verdict.refusal, facts))


def _refusal(
    policy: Policy, action: Action, reason: str, decisive: Rule | Contribution | None
) -> Refusal | None:
    if not action.refuses:
        return None
    own = decisive.refusal if isinstance(decisive, Rule) else None
    if own is not None and decisive is not None and own.code // 100 == _CLASSES[action]:
        return own
    if action is Action.DISCARD:
        return _DISCARDED
    if action is Action.DEFER:
        return policy.defer
    enhanced = decisive.enhanced if isinstance(decisive, Contribution) else ""
    # The door fills the id in by its place, so no peer's text may hold a brace.
    words = reason.replace("{", "(").replace("}", ")")
    said = f"Message refused: {words} ({{txn_id}})" if words else "Message refused ({txn_id})"
    return Refusal(550, enhanced or _REFUSED, said)


def _reason(weighed: Weighed) -> str:
    """Return the sentences of the heaviest symbols that speak against the message."""
    reason = ""
    own = [weighed.ruled.spec.words] if weighed.ruled else []
    said = [c.words for c in weighed.points.contributions if c.counted > 0]
    for sentence in list(filter(None, dict.fromkeys([*own, *said])))[:_MAX_SENTENCES]:
        longer = f"{reason}; {sentence}" if reason else sentence[:_MAX_REASON]
        if len(longer) > _MAX_REASON:
            break
        reason = longer
    return reason


def _decisive(policy: Policy, thresholds: Thresholds, weighed: Weighed) -> Contribution | None:
    """Return the heaviest symbol without which the points would lead to less, if there is one."""
    total, contributions = weighed.total, weighed.counting
    action = reached(total, thresholds)
    least = thresholds.get(action, 0.0)
    for contribution in contributions:
        if contribution.counted <= 0:
            return None
        # Leaving a symbol out takes away at most its weight, less where a group is capped.
        if total - contribution.weight >= least + _ROUNDING:
            continue
        without = total_without(policy, contributions, contribution.symbol)
        if reached(without, thresholds) < action:
            return contribution
    return None


def _kind(weighed: Weighed) -> str:
    points: dict[str, float] = {}
    for contribution in weighed.points.contributions:
        if contribution.counted <= 0:
            break
        if kind := contribution.kind:
            points[kind] = points.get(kind, 0.0) + contribution.counted
    most = min(points, key=lambda kind: (-round(points[kind], 2), kind), default="")
    own = weighed.ruled.spec.kind if weighed.ruled else ""
    return own if own and (own != _UNSORTED or not most) else most


def _steps(weighed: Weighed) -> Iterator[str]:
    yield from map(_STEP, weighed.points.contributions)
    for group, before, counted in weighed.points.bounded:
        yield f"the group {group} counts {_g(counted)} instead of {_g(before)}"
    for finding in weighed.found:
        if finding.symbol == RULE_ERROR:
            yield f"the rule {finding.evidence}"
    if weighed.allowed is not None:
        told = f"{_g(weighed.points.total)} points count as {_g(weighed.total)}"
        yield f"{weighed.allowed.id} allows it ({_needed(weighed.allowed)}): {told}"


def _needed(rule: Rule) -> str:
    return "needs nothing" if rule.needs == "nothing" else f"by {rule.needs}"


def _ruled(weighed: Weighed) -> Iterator[str]:
    if weighed.ruled is not None:
        yield f"{weighed.ruled.id} is true: {weighed.action.word}"


def _done(action: Action) -> str:
    return "rejected" if action is Action.REJECT else "discarded"


def _reached(total: float, thresholds: Thresholds) -> str:
    """Return the sentence about the thresholds on both sides of `total`."""
    if not thresholds:
        return f"{_g(total)} points; this policy has no thresholds"
    rising = sorted(thresholds.items(), key=lambda item: (item[1], item[0]))
    passed = [f"{action.word} ({_g(least)})" for action, least in rising if total >= least]
    missed = [f"{action.word} ({_g(least)})" for action, least in rising if total < least]
    said = [f"reaches {passed[-1]}"] if passed else []
    said += [f"stays below {missed[0]}"] if missed else []
    return f"{_g(total)} points: {' and '.join(said)}"


def _g(points: float) -> str:
    return f"{points:.10g}"
