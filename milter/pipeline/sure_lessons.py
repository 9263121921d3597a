"""Lessons for the classifier from messages about which everything else is sure; off by default.

A filter that teaches itself drifts, and whoever sends it mail can steer it. So a lesson needs more
than one verdict; `docs/decisions/learning-by-rule.md` says why:

* The classifier's own points and those of memory are taken out. Spam is sure with twice the points
  that mark a message, of two groups of symbols at least. Ham is sure with hardly anything against
  it, from a proven author who is trusted or whom the recipient wrote to.
* The classifier knows enough by lessons of people, leans the same way, and is not sure yet: what
  it would contradict a person has to decide, and what it is sure of teaches nothing.
* So many a day of one identity and of each label, and never about a message that a person labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from milter.checks import origins
from milter.checks.base import fact
from milter.checks.classifier import SURE, ClassifierCheck
from milter.checks.classifier_fields import lesson_of
from milter.core.connection import Direction
from milter.pipeline.remember import OF_MEMORY
from policies.verdict import Action
from reputation.classifier.lessons import Quota, offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.memory.recollection import Recollection
    from milter.pipeline.aftermath import Seen
    from policies.verdict import Contribution, Verdict
    from reputation.classifier.lessons import Lesson
    from reputation.store import Store, Write

QUOTA: Final = Quota(per_identity=3, per_label=200)
_APART: Final = ClassifierCheck.symbols | OF_MEMORY
# Of the points that mark a message.
_SURE_SPAM: Final = 2.0
_SURE_HAM: Final = 0.2
_GROUPS: Final = 2
_GROUP_POINTS: Final = 1.0
_VOUCHED: Final = frozenset({"REPUTATION_GOOD", "KNOWN_CORRESPONDENT", "ANSWER_TO_OURS"})
_EVEN: Final = 0.5


class Counts(Protocol):
    """What is told; `milter.telemetry.metrics.Metrics` is one."""

    def sure_lesson(self, *, spam: bool) -> None:
        """Count a lesson that was offered."""
        ...

    def agreement(self, *, agrees: bool) -> None:
        """Count a message of which the classifier was sure."""
        ...


class SureLessons:
    """Offers lessons from sure messages.

    Args:
        memory: Where lessons are handed over.
        counts: Told of each.
    """

    def __init__(self, memory: Recollection, counts: Counts) -> None:
        self._memory = memory
        self._counts = counts

    def see(self, seen: Seen) -> None:
        """Take one message."""
        spam = sure_label(seen)
        if spam is None:
            return
        lesson = lesson_of(seen.message, spam=spam)
        identity = origins.origin(seen.txn, (seen.evidence,))
        self._memory.store.write(_Offer(lesson, seen.at, identity))
        self._counts.sure_lesson(spam=spam)


@dataclass(frozen=True, slots=True)
class _Offer:
    """Offers a lesson, in the thread that writes; the message itself is let go before."""

    lesson: Lesson
    at: float
    identity: str

    @property
    def size_bytes(self) -> int:
        """What it holds until then."""
        return self.lesson.features.slots.nbytes

    def __call__(self, store: Store) -> tuple[Write, ...]:
        # Written at once: a batch that fails is made again, and by then the message is known.
        offer(store, self.lesson, now=self.at, identity=self.identity, quota=QUOTA)
        return ()


class Agreement:
    """Counts how often a sure classifier and all other evidence say the same.

    Where they part more and more, either the classifier drifted or the mail did.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def see(self, seen: Seen) -> None:
        """Take one message."""
        probability, verdict = _probability(seen), seen.verdict
        if probability is None or 1 - SURE < probability < SURE:
            return
        marks = sum(one.counted for one in _apart(verdict)) >= verdict.required
        self._counts.agreement(agrees=marks == (probability >= SURE))


def sure_label(seen: Seen) -> bool | None:
    """Return whether a message is spam, where that is sure enough to learn it; None: it is not."""
    probability = _probability(seen)
    if probability is None:
        return None
    if _EVEN <= probability < SURE and _is_sure_spam(seen.verdict):
        return True
    if 1 - SURE < probability < _EVEN and _is_sure_ham(seen):
        return False
    return None


def _probability(seen: Seen) -> float | None:
    """Return what the classifier says of mail from outside; None while it knows too little."""
    opinion = fact((seen.evidence,), "classifier")
    if not isinstance(opinion, dict) or opinion["unsure"] or not seen.verdict.required:
        return None
    if seen.txn.connection.direction is Direction.OUTBOUND:
        return None
    return float(str(opinion["probability"]))


def _apart(verdict: Verdict) -> Iterator[Contribution]:
    return (one for one in verdict.contributions if one.symbol not in _APART)


def _is_sure_spam(verdict: Verdict) -> bool:
    groups: dict[str, float] = {}
    for one in _apart(verdict):
        name = one.group or one.symbol
        groups[name] = groups.get(name, 0.0) + one.counted
    agreeing = sum(points >= _GROUP_POINTS for points in groups.values())
    return agreeing >= _GROUPS and sum(groups.values()) >= _SURE_SPAM * verdict.required


def _is_sure_ham(seen: Seen) -> bool:
    verdict = seen.verdict
    if not seen.delivered or verdict.action is not Action.PASS:
        return False
    against = sum(one.counted for one in _apart(verdict))
    found = {finding.symbol for finding in seen.evidence.findings}
    return (
        against <= _SURE_HAM * verdict.required
        and not found.isdisjoint(_VOUCHED)
        and "SPAMTRAP" not in found
        and bool(origins.proven_author(seen.message, (seen.evidence,)))
    )
