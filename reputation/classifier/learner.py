"""The one who learns: follows the lessons and changes the weights.

Beside the weights lie bases, states as of a round number of lessons (`bases`):

* a writer that was killed in the middle of a change, or a machine that lost its power, begins again
  from the last base and takes the lessons behind it once more;
* who changes their mind gets the state of a learner that never heard the wrong label: the lessons
  behind a base are taken again without it. Where the wrong label is older than all bases, or
  lessons behind them are gone, the message is learned with its new label until that is believed.

Bases end at the same lessons on every machine, so that all of them reach the same weights. They are
shared (`sharing`): a machine that joins late, or was away for so long that lessons are gone, begins
with those of the others.

A store that was lost begins its numbers again. What is known then is kept as base 0, in front of
all lessons of the new store.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from reputation.classifier.bases import LESSONS, Bases
from reputation.classifier.lessons import STREAM, Lesson, digest_of, stream_id, unpacked
from reputation.classifier.model import State, learn, margin, new_state
from reputation.classifier.sharing import share, shared
from reputation.classifier.weights import Weights
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reputation.store import Entry, Store

WEIGHTS_NAME: Final = "weights"
_PAGE: Final = 500
_MOST_REPEATS: Final = 20
_BELIEVED: Final = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call of `Learner.catch_up` did.

    Attributes:
        lessons: How many were new.
        spam: How many of these are labelled spam.
        unreadable: How many of them could not be read.
        behind: Whether more are waiting.
    """

    lessons: int = 0
    spam: int = 0
    unreadable: int = 0
    behind: bool = False


class Learner:
    """Holds the weights' file for writing, alone on its machine.

    Args:
        folder: Where the weights and their bases lie.

    Raises:
        StoreError: Another process learns, or the files cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._weights = Weights(folder / WEIGHTS_NAME, write=True)
        self._bases = Bases(folder)
        self.begun_again_from: int | None = None
        try:
            sound = self._weights.sound()
            self._weights.begin()
            if not sound:
                self.begun_again_from = self._begin_again()
        except BaseException:
            self._weights.close(in_order=False)
            raise

    @property
    def applied(self) -> int:
        """The number of the last lesson that is learned."""
        return self._weights.applied

    @property
    def known(self) -> tuple[int, int]:
        """How many lessons of ham and of spam are learned."""
        return self._weights.state.ham, self._weights.state.spam

    def catch_up(self, store: Store, limit: int = _PAGE) -> Progress:
        """Learn at most `limit` lessons that are new in `store`.

        Raises:
            StoreError: The store does not answer; what was learned so far is kept.
        """
        self._notice_another_stream(store)
        entries = list(store.follow(STREAM, self.applied, limit))
        if self._misses_lessons(entries) and self._join(store):
            entries = list(store.follow(STREAM, self.applied, limit))
        if not entries:
            self._notice_loss(store)
            return Progress()
        lessons = [_lesson(entry) for entry in entries]
        if any(lesson is not None and lesson.changed for lesson in lessons):
            self._learn_again(store, entries[-1].number)
        else:
            self._learn_more(store, entries, lessons)
        spam = sum(lesson is not None and lesson.spam for lesson in lessons)
        return Progress(len(lessons), spam, lessons.count(None), behind=len(entries) == limit)

    def close(self) -> None:
        """Write everything to the disk and let others learn."""
        self._weights.close()

    def _misses_lessons(self, entries: list[Entry]) -> bool:
        """Return whether others know lessons that the store does not have any more, or may."""
        if entries and entries[0].number > self.applied + 1:
            return True
        return not self.applied and not self._bases.numbers()

    def _join(self, store: Store) -> bool:
        """Take over the bases of the others; return whether they know more than we."""
        bases = shared(store)
        newest = max(bases, default=0)
        if newest <= self.applied:
            return False
        for number in sorted(bases):
            self._bases.save(number, bases[number])
        self._weights.replace(bases[newest], newest)
        return True

    def _learn_more(self, store: Store, entries: list[Entry], lessons: list[Lesson | None]) -> None:
        state = self._weights.state
        for entry, lesson in zip(entries, lessons, strict=True):
            base = _base_before(entry)
            if self.applied <= base and base not in self._bases.numbers():
                self._save_base(store, base, state, seen=base, at=entry.at)
            with self._weights.changing() as change:
                if lesson is not None:
                    _learn(state, lesson)
                change.applied = entry.number

    def _learn_again(self, store: Store, last: int) -> None:
        """Begin from a base that knows no label which was taken back since, up to lesson `last`."""
        heads = [
            (entry.number, digest_of(entry.payload))
            for entry in _entries(store, self._oldest(), last)
        ]
        latest = {digest: number for number, digest in heads}
        taken_back = {number for number, digest in heads if latest[digest] != number}
        first_time = {digest: number for number, digest in reversed(heads)}
        base = self._newest_base_before(min(taken_back, default=last))
        state, start = self._state_before(store, base)
        number = start
        for entry in _entries(store, start, last):
            if number <= _base_before(entry):
                self._save_base(store, _base_before(entry), state, seen=last, at=entry.at)
            number = entry.number
            lesson = _lesson(entry)
            if lesson is None or number in taken_back:
                continue
            # Its other label is left out where it would be taken again, too.
            left_out = start < first_time[lesson.digest] < number
            _take(state, lesson, insist=lesson.changed and not left_out)
        self._weights.replace(state, last)

    def _save_base(self, store: Store, base: int, state: State, *, seen: int, at: float) -> None:
        """Keep `state` as a base, where there is one before this lesson, and share it."""
        if not base:
            return
        self._bases.save(base, state)
        # A store that is full or gone keeps nobody from learning.
        with suppress(StoreError):
            share(store, base, state, seen=seen, at=at)

    def _oldest(self) -> int:
        return min(self._bases.numbers(), default=0)

    def _newest_base_before(self, number: int) -> int:
        return next((base for base in self._bases.numbers() if base < number), 0)

    def _state_before(self, store: Store, base: int) -> tuple[State, int]:
        """Return a state from which lessons can be taken again, and up to which it has them.

        That is the base (0: what was known before all lessons), or what is known now where lessons
        behind the base are gone from the store: nobody could teach them again.
        """
        if next((entry.number for entry in store.follow(STREAM, base, 1)), 0) != base + 1:
            return _copy(self._weights.state), self.applied
        return (self._bases.load(base) if base in self._bases.numbers() else new_state()), base

    def _begin_again(self) -> int:
        """Take over the newest base that can be read; lessons behind it come by themselves."""
        for number in self._bases.numbers():
            try:
                state = self._bases.load(number)
            except StoreError:
                self._bases.drop(number)
                continue
            self._weights.replace(state, number)
            return number
        self._weights.replace(new_state(), 0)
        return 0

    def _notice_another_stream(self, store: Store) -> None:
        """Where the store was lost, its stream is another one: all of its lessons are new."""
        known, present = self._weights.stream, stream_id(store)
        if known and known != present:
            self._keep_as_base(0, present)
        elif not known:
            with self._weights.changing() as change:
                change.stream = present

    def _notice_loss(self, store: Store) -> None:
        """Where the last lessons were lost, as with the power, go on behind those that are left."""
        newest = store.newest(STREAM)
        if newest < self.applied:
            self._keep_as_base(newest, self._weights.stream)

    def _keep_as_base(self, number: int, stream: int) -> None:
        """Make what is known the one base, in front of the lessons behind `number`."""
        for old in self._bases.numbers():
            self._bases.drop(old)
        self._bases.save(number, self._weights.state)
        with self._weights.changing() as change:
            change.applied, change.stream = number, stream


def _entries(store: Store, after: int, last: int) -> Iterator[Entry]:
    while after < last:
        page = store.follow(STREAM, after, _PAGE)
        if not page:
            return
        yield from (entry for entry in page if entry.number <= last)
        after = page[-1].number


def _base_before(entry: Entry) -> int:
    """Return the round number of lessons before this one."""
    return (entry.number - 1) // LESSONS * LESSONS


def _take(state: State, lesson: Lesson, *, insist: bool) -> None:
    """Learn `lesson`; with `insist` until its label is believed, for the other one was learned."""
    for _ in range(_MOST_REPEATS if insist else 1):
        _learn(state, lesson)
        side = margin(state, lesson.features) * (1 if lesson.spam else -1)
        if side > _BELIEVED:
            return


def _copy(state: State) -> State:
    return State(*(np.array(getattr(state, each.name)) for each in fields(State)))


def _learn(state: State, one: Lesson) -> None:
    learn(state, one.features, spam=one.spam, domain=one.domain, weight=one.weight)


def _lesson(entry: Entry) -> Lesson | None:
    """Return the lesson, or nothing: one that cannot be read is the same on every machine."""
    try:
        return unpacked(entry.payload)
    except StoreError:
        return None
