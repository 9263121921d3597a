"""Why the classifier says so: the words that weighed most, with their fields."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from reputation.classifier.features import TEXT_START, locate, text_of
from reputation.classifier.model import contributions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reputation.classifier.features import Features
    from reputation.classifier.model import State

_LONGEST: Final = 40


def heaviest(
    state: State, fields: Mapping[str, bytes], features: Features, *, spam: bool, limit: int = 5
) -> list[str]:
    """Return what spoke most for one verdict, as `subject "you have won" +0.31`.

    Args:
        state: What was learned.
        fields: What was read of the message.
        features: What `extract` made of it.
        spam: Which verdict; what speaks for spam has a plus.
        limit: How many.
    """
    return [
        f'{field} "{words}" {weight:+.2f}'
        for field, words, weight in _weighed(state, fields, features, 1 if spam else -1, limit)
    ]


def _weighed(
    state: State, fields: Mapping[str, bytes], features: Features, sign: int, limit: int
) -> Iterator[tuple[str, str, float]]:
    text, located = text_of(fields), locate(fields)
    weights = contributions(state, features, located.slots)
    # Behind each field comes one space.
    begins = [*accumulate((len(value) + 1 for value in fields.values()), initial=TEXT_START)]
    names, seen = [*fields], set[int]()
    for place in np.argsort(-sign * weights, kind="stable"):
        slot, weight = int(located.slots[place]), float(weights[place])
        if len(seen) == limit or weight * sign <= 0:
            return
        if slot in seen:
            continue
        seen.add(slot)
        start, end = int(located.starts[place]), int(located.ends[place])
        field = names[int(np.searchsorted(begins, start, side="right")) - 1]
        words = text[start : min(end, start + _LONGEST)].decode("utf-8", "replace")
        yield field, " ".join(words.split()), weight
