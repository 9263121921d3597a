"""Lessons on their way: a message and its label, through the store, to whoever learns.

A lesson carries slots and no text. Every machine takes all lessons from the same stream in the same
order, and so reaches the same weights. What a message is known as and the lesson about it are
written in one step: whoever is killed leaves no message known that nobody learned.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from reputation.classifier.features import SLOTS, Features, domain_number
from reputation.classifier.model import contradicts
from reputation.errors import StoreError
from reputation.keys import keyed_hash
from reputation.store import LABELS, Append, Drop, Retention

if TYPE_CHECKING:
    from reputation.classifier.model import State
    from reputation.store import Store

STREAM: Final = "lessons"
DIGEST_BYTES: Final = 16

# Doubles hold so much of a secret exactly.
_ID_BYTES: Final = 6
_REPORTERS: Final = "lesson-reporters"
_CONTRARY: Final = "lesson-reporters-contrary"
_BY_RULE: Final = "lessons-by-rule"
_DAY_S: Final = 86_400
# As long as one may change one's mind about a message.
_LABEL_KEPT_S: Final = 400 * _DAY_S
_HEAD: Final = 2 + DIGEST_BYTES
# How many of the slots are words, the domain, the weight.
_BODY: Final = struct.Struct("<2If")
# What one user says, or a rule, counts less than an administrator: whoever labels everything the
# same would else turn the verdicts of all within a week.
OF_A_USER: Final = 0.2
_HAM, _SPAM = b"h", b"s"
_MOST_ATTEMPTS: Final = 5
# A stream keeps what is needed to begin again from the base, see `learner`.
# In a small file they leave the room to what protects mail, such as who was deferred.
KEEP: Final = Retention(
    entries=50_000, total_bytes=256 * 2**20, age_s=float(_LABEL_KEPT_S), share=1 / 8
)


class Heard(StrEnum):
    """What became of a report."""

    LEARNED = "learned"
    KNOWN = "known"
    CHANGED = "changed"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One message with its label.

    Attributes:
        digest: Of the message, `DIGEST_BYTES` long.
        spam: The label.
        changed: Whether the other label was learned before.
        features: What the message has.
        domain: The number of the domain that says so (`features.domain_number`); 0: none.
        weight: How much it counts; 1 for what an administrator says.
    """

    digest: bytes
    spam: bool
    changed: bool
    features: Features
    domain: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who says so, and how often a day that is listened to.

    Attributes:
        name: The account, as a mailbox where its domain shall learn by it too; of an administrator,
            who is always listened to: empty.
        per_day: Lessons a day.
        contrary_per_day: Lessons a day of the label that the classifier finds less likely: enough
            for mail that it mistook, too few to teach it the opposite.
    """

    name: str = ""
    per_day: int = 50
    contrary_per_day: int = 5

    @property
    def domain(self) -> int:
        """The number of its domain; 0: it has none."""
        domain = self.name.rpartition("@")[2].lower() if "@" in self.name else ""
        return domain_number(domain) if domain else 0


@dataclass(frozen=True, slots=True)
class Quota:
    """How many lessons a day are taken that no person gave.

    Attributes:
        per_identity: From one identity, of each label.
        per_label: Of each label, from all together.
    """

    per_identity: int
    per_label: int


def report(
    store: Store,
    lesson: Lesson,
    *,
    now: float,
    reporter: Reporter | None = None,
    taught: State | None = None,
) -> Heard:
    """Hand `lesson` to all that learn, unless it is known already; `changed` is found out here.

    Args:
        store: Through which it goes.
        lesson: The lesson.
        now: When it is told.
        reporter: By whom; None: an administrator.
        taught: What was learned so far, to see what contradicts it; None: nothing does.

    Raises:
        StoreError: The store does not answer; the message may be reported again.
    """
    label, other = (_SPAM, _HAM) if lesson.spam else (_HAM, _SPAM)
    for _ in range(_MOST_ATTEMPTS):
        known = store.records(LABELS, [lesson.digest], now).get(lesson.digest)
        if known == label:
            return Heard.KNOWN
        if not _listened_to(store, lesson, reporter, taught, now):
            return Heard.TOO_MANY
        changed = known == other
        domain = lesson.domain or (reporter.domain if reporter else 0)
        weight = OF_A_USER if reporter and reporter.name else 1.0
        handed = replace(lesson, changed=changed, domain=domain, weight=weight)
        if _hand_over(store, handed, known, now):
            return Heard.CHANGED if changed else Heard.LEARNED
    raise StoreError("the same message is reported by too many at once")


def offer(store: Store, lesson: Lesson, *, now: float, identity: str, quota: Quota) -> bool:
    """Hand over a lesson that no person gave; return whether it was wanted.

    A label that somebody gave is never changed, and whoever gives one later changes this one. A
    lesson that is offered again is known by then.

    Args:
        store: Through which it goes.
        lesson: The lesson.
        now: When it is offered.
        identity: Whom the message came from.
        quota: How many are taken.

    Raises:
        StoreError: The store does not answer.
    """
    label = _SPAM if lesson.spam else _HAM
    if store.records(LABELS, [lesson.digest], now):
        return False
    whose = keyed_hash(_secret(store), label, _bytes(identity))
    drops = [_drop(whose, quota.per_identity), _drop(label, quota.per_label)]
    if store.take(drops, now).full:
        return False
    return _hand_over(store, replace(lesson, weight=OF_A_USER), None, now)


def _hand_over(store: Store, lesson: Lesson, known: bytes | None, now: float) -> bool:
    """Make the label of `lesson` what is known of its message, and hand it over, in one step.

    Nothing happens where the message is not known as `known` any more; returns whether it was.
    """
    return store.replace(
        LABELS,
        lesson.digest,
        old=known,
        new=_SPAM if lesson.spam else _HAM,
        now=now,
        expires_at=now + _LABEL_KEPT_S,
        also=Append(STREAM, now, packed(lesson), (), KEEP),
    )


def packed(lesson: Lesson) -> bytes:
    """Return `lesson` as bytes."""
    # In rising order the steps are small, and small numbers are packed well.
    steps = np.diff(np.sort(lesson.features.slots), prepend=0).astype("<u4")
    flags = bytes((int(lesson.spam), int(lesson.changed)))
    head = _BODY.pack(lesson.features.words, lesson.domain, lesson.weight)
    return flags + lesson.digest + zlib.compress(head + steps.tobytes(), level=1)


def unpacked(data: bytes) -> Lesson:
    """Return the lesson that `packed` made bytes of.

    Raises:
        StoreError: It is none.
    """
    try:
        plain = zlib.decompressobj().decompress(data[_HEAD:], _BODY.size + 4 * SLOTS)
        words, domain, weight = _BODY.unpack_from(plain)
        slots = np.cumsum(np.frombuffer(plain, "<u4", offset=_BODY.size), dtype=np.int64)
    except (zlib.error, ValueError, struct.error) as err:
        raise StoreError("a lesson that cannot be read", temporary=False) from err
    if len(data) < _HEAD or words > len(slots) or (len(slots) and slots.max() >= SLOTS):
        raise StoreError("a lesson that cannot be read", temporary=False)
    if not 0 < weight <= 1:
        raise StoreError("a lesson that cannot be read", temporary=False)
    features = Features(slots, words)
    return Lesson(data[2:_HEAD], data[0] == 1, data[1] == 1, features, domain, weight)


def stream_id(store: Store) -> int:
    """Return a number, never 0, that the stream of lessons of `store` has and no other.

    Raises:
        StoreError: The store does not answer.
    """
    return 1 + int.from_bytes(store.secret(STREAM)[-_ID_BYTES:])


def digest_of(payload: bytes) -> bytes:
    """Return the digest of a packed lesson, without unpacking the rest."""
    return payload[2:_HEAD]


def _listened_to(
    store: Store, lesson: Lesson, reporter: Reporter | None, taught: State | None, now: float
) -> bool:
    if reporter is None or not reporter.name:
        return True
    name = keyed_hash(_secret(store), _bytes(reporter.name))
    drops = [_drop(name, reporter.per_day, _REPORTERS)]
    if taught is not None and contradicts(taught, lesson.features, spam=lesson.spam):
        drops.append(_drop(name, reporter.contrary_per_day, _CONTRARY))
    return not store.take(drops, now).full


def _secret(store: Store) -> bytes:
    """Return what hides whom lessons are of, who else could be read in the store for a day."""
    return store.secret(_REPORTERS)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _drop(key: bytes, per_day: int, space: str = _BY_RULE) -> Drop:
    return Drop(space, key, 1, capacity=per_day, leak_per_s=per_day / _DAY_S)
