"""Online logistic regression over slots: what a message scores, and what a lesson changes.

Each slot has a weight and a support, the sum of squared steps that it took part in; a step is
divided by the root of the support, so that a slot seen a thousand times hardly moves and a new one
learns at once (AdaGrad: J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011). A lesson that contradicts a
sure verdict moves less than the logistic loss would have it: most of those are wrong labels
(generalised cross entropy: Z. Zhang, M. Sabuncu, NeurIPS 2018). The margin becomes a probability by
two more numbers that are learned beside it, each lesson scored before it is learned (J. Platt,
1999).

All state is in the arrays that are given; equal lessons in equal order give equal arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reputation.classifier.features import SLOTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reputation.classifier.features import Features

_RATE: Final = 9.0
_FIRST_SUPPORT: Final = 1e-4
_GRAMS_SHARE: Final = 0.5
# How much a lesson counts falls with the root of the probability that was given to its label.
_DOUBT: Final = 0.5
_LEAST_TRUST: Final = 0.1
# While little is known every lesson counts whole: there is nothing yet to contradict.
_TRUSTED_AFTER: Final = 300
_LARGEST_MARGIN: Final = 30.0
# Lessons of ham, lessons of spam, slope and shift of the calibration.
NUMBERS: Final = 4
_CALIBRATION_RATE: Final = 0.05
# Below this many lessons of either label there is no verdict.
_ENOUGH_LESSONS: Final = 20
# A message of which so little is known gets no verdict either.
_ENOUGH_KNOWN: Final = 0.2


@dataclass(frozen=True, slots=True)
class State:
    """Everything that was learned.

    Attributes:
        weights: One for each slot.
        support: Sums of squared steps.
        numbers: Lessons of ham and of spam; slope and shift of the calibration.
    """

    weights: NDArray[np.float32]
    support: NDArray[np.float32]
    numbers: NDArray[np.float64]

    @property
    def ham(self) -> int:
        """How many lessons of ham there were."""
        return int(self.numbers[0])

    @property
    def spam(self) -> int:
        """How many lessons of spam there were."""
        return int(self.numbers[1])


class Opinion(NamedTuple):
    """What the classifier says of a message.

    Attributes:
        probability: That it is spam, calibrated; from 0 to 1.
        confidence: From 0, nothing is known, to 1.
        unsure: Whether too little is known for a verdict.
    """

    probability: float
    confidence: float
    unsure: bool


def new_state() -> State:
    """Return a state that knows nothing."""
    return State(
        np.zeros(SLOTS, np.float32),
        np.zeros(SLOTS, np.float32),
        np.array([0.0, 0.0, 1.0, 0.0], np.float64),
    )


def margin(state: State, features: Features) -> float:
    """Return the log-odds of spam before calibration; 0 where nothing is known."""
    weights = state.weights.take(features.slots)
    words = float(np.add.reduce(weights[: features.words]))
    grams = float(np.add.reduce(weights[features.words :]))
    word_share, gram_share = _shares(features)
    return words * word_share + grams * gram_share


def contributions(
    state: State, features: Features, slots: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what each of `slots`, all of words, adds to the margin of a message."""
    return state.weights[slots] * np.float32(_shares(features)[0])


def judge(state: State, features: Features) -> Opinion:
    """Return the opinion on a message."""
    probability = calibrated(state, margin(state, features))
    support = state.support.take(features.slots)
    known = float(np.count_nonzero(support)) / max(len(support), 1)
    lessons = min(state.ham, state.spam)
    experience = lessons / (lessons + _ENOUGH_LESSONS)
    return Opinion(
        probability,
        confidence=min(1.0, 2 * known) * experience * abs(2 * probability - 1),
        unsure=lessons < _ENOUGH_LESSONS or known < _ENOUGH_KNOWN,
    )


def calibrated(state: State, value: float) -> float:
    """Return the probability that belongs to a margin."""
    return _logistic(float(state.numbers[2]) * value + float(state.numbers[3]))


def learn(state: State, features: Features, *, spam: bool) -> None:
    """Learn one message."""
    value = margin(state, features)
    _calibrate(state, value, spam=spam)
    error = float(spam) - _logistic(value)
    step = error * _trust(state, abs(error))
    state.numbers[int(spam)] += 1
    slots, words = features
    support = state.support[slots]
    support += np.float32(step * step)
    state.support[slots] = support
    support += np.float32(_FIRST_SUPPORT)
    np.sqrt(support, out=support)
    change = np.divide(np.float32(_RATE * step), support, out=support)
    word_share, gram_share = _shares(features)
    change[:words] *= np.float32(word_share)
    change[words:] *= np.float32(gram_share)
    state.weights[slots] += change


def _shares(features: Features) -> tuple[float, float]:
    """Return what one word and one gram weigh: both kinds together are vectors of length 1."""
    words, grams = features.words, len(features.slots) - features.words
    return 1 / math.sqrt(words + 1), _GRAMS_SHARE / math.sqrt(grams + 1)


def _trust(state: State, error: float) -> float:
    if state.numbers[0] + state.numbers[1] < _TRUSTED_AFTER:
        return 1.0
    return max(_LEAST_TRUST, math.pow(1 - error, _DOUBT))


def _calibrate(state: State, value: float, *, spam: bool) -> None:
    """Move slope and shift towards this label; by less, the more was learned."""
    error = float(spam) - calibrated(state, value)
    rate = _CALIBRATION_RATE / math.sqrt(1 + (state.ham + state.spam) / 100)
    bounded = max(-_LARGEST_MARGIN, min(_LARGEST_MARGIN, value))
    state.numbers[2] = max(0.05, float(state.numbers[2]) + rate * error * bounded / 10)
    state.numbers[3] += rate * error


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-_LARGEST_MARGIN, min(_LARGEST_MARGIN, value))))
