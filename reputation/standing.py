"""Standing: how much of the mail of a subject was wanted, and how sure that is.

Two memories of each: a long one, and a short one of what was bad alone. The long one says what to
expect; the short one takes trust away at once, however much good mail stands against it: a sender
who behaves for a week and then does not is worth no more than a stranger after a few messages.

A subject that is new is unknown, which is neither good nor bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reputation.store import Fade
from reputation.subjects import CLAIMED, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reputation.store import Faded, Store
    from reputation.subjects import Subject

SPACE: Final = "standing"
RECENT_SPACE: Final = "standing-recent"
DAY_S: Final = 86_400.0

HALF_LIFE_S: Final = 14 * DAY_S
KEEP_S: Final = 90 * DAY_S
RECENT_HALF_LIFE_S: Final = DAY_S / 2
RECENT_KEEP_S: Final = 4 * DAY_S

# So many messages make half of full confidence.
_HALF_SURE: Final = 8.0
_TRUSTED_SCORE: Final = -0.9
_TRUSTED_CONFIDENCE: Final = 0.5
# So much bad mail within a day ends trust; a message that is only marked counts half.
_TRUST_ENDS: Final = 2.0
_BAD: Final = 0.4


@dataclass(frozen=True, slots=True)
class Observation:
    """What one message says about its subjects.

    Attributes:
        at: When it came.
        subjects: Whom it came from, and what it names.
        good: 1 for a wanted message, else 0.
        bad: 0 for a wanted message, up to 1 for spam, more for what can be nothing else.
    """

    at: float
    subjects: tuple[Subject, ...]
    good: float
    bad: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a subject.

    Attributes:
        score: From -1, only wanted mail, to 1, only spam; 0 when nothing is known.
        confidence: From 0, nothing is known, to 1.
        count: Messages seen; old ones count less.
        recent_bad: How much bad mail came within the last day or so.
        first_at: When it was first seen; None: never.
    """

    score: float = 0.0
    confidence: float = 0.0
    count: float = 0.0
    recent_bad: float = 0.0
    first_at: float | None = None

    @property
    def known(self) -> bool:
        """Whether anything was ever seen of it."""
        return self.first_at is not None

    @property
    def trusted(self) -> bool:
        """Whether it sent wanted mail for long enough, and no other lately."""
        return (
            self.score <= _TRUSTED_SCORE
            and self.confidence >= _TRUSTED_CONFIDENCE
            and self.recent_bad < _TRUST_ENDS
        )

    @property
    def bad(self) -> bool:
        """Whether most of what it sent was unwanted, surely enough."""
        return self.score * self.confidence >= _BAD


UNKNOWN: Final = Standing()


def fades(observation: Observation, secret: bytes | None) -> Iterator[Fade]:
    """Yield what changes in the store.

    What somebody only says of himself is not credited with good mail: whoever uses the name of a
    bank neither lives on its standing nor adds to it.
    """
    at, bad = observation.at, observation.bad
    for subject in observation.subjects:
        good = 0.0 if subject.kind in CLAIMED else observation.good
        if not (good or bad):
            continue
        key = subject.key(secret)
        yield Fade(SPACE, key, (good, bad, 1.0), at, HALF_LIFE_S, KEEP_S)
        if bad and subject.kind is not Kind.COUNTRY:
            yield Fade(RECENT_SPACE, key, (bad,), at, RECENT_HALF_LIFE_S, RECENT_KEEP_S)


def standings(
    store: Store, subjects: Sequence[Subject], secret: bytes | None, now: float
) -> dict[Subject, Standing]:
    """Return the standing of each of `subjects` at `now`.

    Raises:
        StoreError: The store does not answer.
    """
    keys = [subject.key(secret) for subject in subjects]
    found = by_key(store, keys, now)
    return {subject: found.get(key, UNKNOWN) for subject, key in zip(subjects, keys, strict=True)}


def by_key(store: Store, keys: Sequence[bytes], now: float) -> dict[bytes, Standing]:
    """Return the standing at `now` of those keys of subjects that are known.

    Raises:
        StoreError: The store does not answer.
    """
    known = store.faded(SPACE, keys, now)
    # Only where something bad was seen at all can it have been lately.
    recent = store.faded(RECENT_SPACE, [k for k, seen in known.items() if seen.values[1]], now)
    return {key: _standing(seen, recent.get(key)) for key, seen in known.items()}


def _standing(seen: Faded, recent: Faded | None) -> Standing:
    good, bad, count = seen.values
    both = good + bad
    return Standing(
        score=(bad - good) / both if both else 0.0,
        confidence=both / (both + _HALF_SURE),
        count=count,
        recent_bad=recent.values[0] if recent else 0.0,
        first_at=seen.first_at,
    )
