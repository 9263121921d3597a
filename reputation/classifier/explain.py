"""Why the classifier says so: what weighed most, with the fields in which it stands.

Whatever has a weight is told: words, groups of letters, n-grams. It costs as much as the opinion
itself, so nobody works it out before somebody reads it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reputation.classifier.features import TEXT_START, locate, locate_grams
from reputation.classifier.model import contributions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from reputation.classifier.features import Features, Located
    from reputation.classifier.model import State

_LONGEST: Final = 40
# So many times what is told is looked at: groups of letters and n-grams stand one over the other.
_LOOKED_AT: Final = 8
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


class Read(NamedTuple):
    """What was read of a message, as `extract` takes it, and what that made of it."""

    fields: Mapping[str, bytes]
    disguised: Mapping[str, bytes]
    features: Features


class _Place(NamedTuple):
    """A part of a field: from which byte on, up to which."""

    field: str
    start: int
    end: int

    def overlaps(self, other: _Place) -> bool:
        same = self.field == other.field
        return same and self.start < other.end and other.start < self.end

    def joined(self, other: _Place) -> _Place:
        return _Place(self.field, min(self.start, other.start), max(self.end, other.end))


def heaviest(
    state: State, read: Read, *, spam: bool, domain: int = 0, limit: int = 5
) -> tuple[str, ...]:
    """Return what spoke most for one verdict, as `subject "won" +0.31`.

    What overlaps, as groups of letters do, is told as one piece with the sum of its weights.

    Args:
        state: What was learned.
        read: What was read of the message.
        spam: Which verdict; what speaks for spam has a plus.
        domain: The number of the domain for which it was judged; 0: none.
        limit: How many.
    """
    adds = contributions(state, read.features, domain)
    favour = adds if spam else -adds
    places, told = _Places(read), dict[_Place, float]()
    for index in _first(favour, limit * _LOOKED_AT):
        if favour[index] <= 0:
            break
        place, weight = places.of(index), float(adds[index])
        for other in [other for other in told if other.overlaps(place)]:
            place, weight = place.joined(other), weight + told.pop(other)
        if len(told) == limit:
            break
        told[place] = weight
    heavy = sorted(told.items(), key=lambda item: -abs(item[1]))
    shown = ((place.field, _shown(read, place), weight) for place, weight in heavy)
    return tuple(f'{field} "{words}" {weight:+.2f}' for field, words, weight in shown if words)


def _first(favour: NDArray[np.float32], most: int) -> list[int]:
    """Return where the `most` largest stand, and those equal to the last; equals in order."""
    if most < len(favour):
        large = np.flatnonzero(favour >= np.partition(favour, -most)[-most])
    else:
        large = np.arange(len(favour))
    order: list[int] = large[np.argsort(-favour[large], kind="stable")].tolist()
    return order


def _shown(read: Read, place: _Place) -> str:
    value = read.fields.get(place.field) or read.disguised[place.field]
    words = value[place.start : min(place.end, place.start + _LONGEST)].decode("utf-8", "replace")
    # A letter of several bytes may have been cut.
    return " ".join(words.strip(_REPLACED).split())


class _Places:
    """Finds where the features of a message stand; n-grams are looked for only when needed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._words = _Text(read.fields, TEXT_START, locate(read.fields))
        self._grams: _Text | None = None

    def of(self, index: int) -> _Place:
        """Return where the feature of this index stands first."""
        features, disguised = self._read.features, self._read.disguised
        slot = int(features.slots[index])
        if index < features.words:
            return self._words.place(slot)
        if self._grams is None:
            self._grams = _Text(disguised, 0, locate_grams(disguised))
        return self._grams.place(slot)


class _Text:
    """Fields one behind the other, and what was found in them.

    Args:
        fields: The fields; behind each comes one space.
        begin: Where the first begins.
        located: What was found.
    """

    def __init__(self, fields: Mapping[str, bytes], begin: int, located: Located) -> None:
        self._names = [*fields]
        self._begins = [*accumulate((len(value) + 1 for value in fields.values()), initial=begin)]
        self._located = located

    def place(self, slot: int) -> _Place:
        """Return where `slot` stands first."""
        found = int((self._located.slots == slot).argmax())
        start, end = int(self._located.starts[found]), int(self._located.ends[found])
        number = bisect_right(self._begins, start) - 1
        begin = self._begins[number]
        return _Place(self._names[number], start - begin, end - begin)
