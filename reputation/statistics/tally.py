"""What one process counted and has not yet put into the store."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from reputation.statistics.campaigns import Campaigns
from reputation.statistics.heavy import Summary
from reputation.statistics.near import signatures
from reputation.statistics.observation import (
    BY_NAME,
    CAMPAIGN,
    OVER_TIME,
    SKETCHES,
    Label,
    Observation,
    Profile,
)
from reputation.statistics.windows import MINUTE, WIDTHS
from reputation.store import Add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reputation.statistics.windows import Width

Sketches = dict[str, Summary]
_Profiles = dict[Profile, list[int]]
_Rows = dict[Label, list[int]]
# When, what, and how much of it: messages, bytes, unwanted, saved.
Mark = tuple[float, Label, tuple[int, int, int, int]]
# Text, unwanted, bytes.
_Text = tuple[str, int, int]

OTHER: Final = "other"
# Microseconds of the workers.
CPU: Final[Label] = ("cpu_us", "")
# All values that have an end, and symbols of the largest policy, twice over.
_MOST_ROWS: Final = 4000
_MAX_VALUE: Final = 100
# Mail that nobody can foresee has ever new profiles; taken apart they are few rows.
_MOST_PROFILES: Final = 2000
# More would save little and wait for longer.
_TEXTS_AT_ONCE: Final = 32


class Tally:
    """Counts messages; for one thread."""

    def __init__(self) -> None:
        self._profiles: dict[int, _Profiles] = {}
        self._marks: dict[int, _Rows] = {}
        self._sketches: dict[int, _Gathering] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted since the last time."""
        return not (self._profiles or self._marks)

    def count(self, seen: Observation) -> None:
        """Count one message."""
        at, size, unwanted, saved, profile, sources, text = seen
        minute = MINUTE.slot(at)
        try:
            row = self._profiles[minute][profile]
        except KeyError:
            row = self._new(minute, profile)
        row[0] += 1
        row[1] += size
        row[2] += unwanted
        row[3] += saved
        gathering = self._sketches.get(minute)
        if gathering is None:
            gathering = self._sketches[minute] = _Gathering()
        gathering.count(sources, text, int(unwanted), size)

    def mark(self, at: float, label: Label) -> None:
        """Count one more thing about a message that is counted already."""
        _row(self._marks.setdefault(MINUTE.slot(at), {}), label)[0] += 1

    def spent(self, at: float, cpu_us: int) -> None:
        """Count CPU time that was used."""
        _row(self._marks.setdefault(MINUTE.slot(at), {}), CPU)[0] += cpu_us

    def take_sums(self, more: Callable[[], Iterable[Mark]] = tuple) -> Sums:
        """Return what was counted exactly, with `more` that is worked out later, and forget it."""
        taken = Sums(self._profiles, self._marks, more)
        self._profiles, self._marks = {}, {}
        return taken

    def take_sketches(self) -> Mapping[int, Sketches]:
        """Return what sketches counted by number of the minute, and forget it."""
        taken, self._sketches = self._sketches, {}
        return {minute: gathering.sketches() for minute, gathering in taken.items()}

    def _new(self, minute: int, profile: Profile) -> list[int]:
        profiles = self._profiles.setdefault(minute, {})
        if len(profiles) >= _MOST_PROFILES:
            _take_apart(profiles, self._marks.setdefault(minute, {}))
            profiles.clear()
        row = profiles[profile] = [0, 0, 0, 0]
        return row


class Sums:
    """What was counted exactly; taken apart once, by who writes it first.

    Args:
        profiles: Messages, by number of the minute.
        marks: What was counted beside them.
        more: Gives what else there is, when it is asked for.
    """

    def __init__(
        self,
        profiles: Mapping[int, _Profiles],
        marks: Mapping[int, _Rows],
        more: Callable[[], Iterable[Mark]],
    ) -> None:
        self._profiles = profiles
        self._marks = marks
        self._more = more

    @cached_property
    def minutes(self) -> Mapping[int, _Rows]:
        """All rows, by number of the minute."""
        minutes: dict[int, _Rows] = {}
        for minute, rows in self._marks.items():
            minutes[minute] = {label: [*row] for label, row in rows.items()}
        for at, label, amounts in self._more():
            _add_row(_row(minutes.setdefault(MINUTE.slot(at), {}), label), amounts)
        for minute, profiles in self._profiles.items():
            _take_apart(profiles, minutes.setdefault(minute, {}))
        return minutes


def sum_adds(sums: Iterable[Sums], widths: Iterable[Width] = WIDTHS) -> list[Add]:
    """Return what is to be written of `sums` into slots of these widths."""
    minutes: dict[int, _Rows] = {}
    for one in sums:
        for minute, rows in one.minutes.items():
            known = minutes.get(minute)
            minutes[minute] = rows if known is None else _sum(known, rows)
    return [add for width in widths for add in _adds(width, minutes)]


class _Gathering:
    """The sketches of one minute."""

    __slots__ = ("_campaigns", "_summaries", "_texts")

    def __init__(self) -> None:
        self._summaries = {one.name: Summary(one.kept) for one in SKETCHES if one.name != CAMPAIGN}
        self._campaigns = Campaigns(Summary(BY_NAME[CAMPAIGN].kept))
        self._texts: list[_Text] = []

    def count(self, sources: Iterable[Label], text: str, unwanted: int, size: int) -> None:
        for name, value in sources:
            self._summaries[name].add(value, unwanted, size)
        if text:
            self._texts.append((text, unwanted, size))
            if len(self._texts) >= _TEXTS_AT_ONCE:
                self._read_texts()

    def sketches(self) -> Sketches:
        self._read_texts()
        return {**self._summaries, CAMPAIGN: self._campaigns.summary}

    def _read_texts(self) -> None:
        texts, self._texts = self._texts, []
        for signature, one in zip(signatures([text for text, _, _ in texts]), texts, strict=True):
            if signature:
                self._campaigns.add(signature, *one[1:])


def _take_apart(profiles: _Profiles, rows: _Rows) -> None:
    """Add each profile to the rows of all that it is counted by."""
    for profile, amounts in profiles.items():
        for label in profile.labels():
            _add_row(_row(rows, label), amounts)


def _row(rows: _Rows, label: Label) -> list[int]:
    """Return the row of a label; past the bound that of all others of its dimension."""
    row = rows.get(label)
    if row is None:
        if len(rows) >= _MOST_ROWS:
            label = (label[0], OTHER)
        row = rows.setdefault(label, [0, 0, 0, 0])
    return row


def _add_row(row: list[int], more: Sequence[int]) -> None:
    row[0] += more[0]
    row[1] += more[1]
    row[2] += more[2]
    row[3] += more[3]


@lru_cache(maxsize=_MOST_ROWS)
def _key(name: str, value: str) -> bytes:
    return f"{name}={value[:_MAX_VALUE]}".encode("utf-8", "replace")


def _adds(width: Width, minutes: Mapping[int, _Rows]) -> Iterator[Add]:
    for slot, rows in _by_slot(width, minutes).items():
        expires_at = width.expires_at(slot)
        for label, row in rows.items():
            key, amounts = _key(*label), tuple(row)
            yield Add(width.series, slot, key, amounts, expires_at)
            # Nothing is ever added to a slot that does not show here: see `past`.
            if label[0] in OVER_TIME or label == CPU:
                yield Add(width.timeline, slot, key, amounts, expires_at)


def _by_slot(width: Width, minutes: Mapping[int, _Rows]) -> dict[int, _Rows]:
    slots: dict[int, _Rows] = {}
    for minute, rows in minutes.items():
        slot = minute * MINUTE.seconds // width.seconds
        known = slots.get(slot)
        # As a rule there is one minute, and it is in one slot of each width.
        slots[slot] = rows if known is None else _sum(known, rows)
    return slots


def _sum(one: _Rows, other: _Rows) -> _Rows:
    both = {label: [*row] for label, row in one.items()}
    for label, row in other.items():
        _add_row(_row(both, label), row)
    return both
