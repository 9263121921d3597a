"""Online logistic regression over slots: what a message scores, and what a lesson changes.

Each slot has a weight and a support, the sum of squared steps that it took part in; a step is
divided by the root of the support, so that a slot seen a thousand times hardly moves and a new one
learns at once (AdaGrad: J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011). A lesson that contradicts a
sure verdict moves less than the logistic loss would have it: most of those are wrong labels
(generalised cross entropy: Z. Zhang, M. Sabuncu, NeurIPS 2018). The margin becomes a probability by
two more numbers that are learned beside it, each lesson scored before it is learned (J. Platt,
1999).

A domain that learned enough has a say of its own: the weights of its words in a range of their own
learn what is left of the error of all together, and are added to their margin.

All state is in the arrays that are given; equal lessons in equal order give equal arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from reputation.classifier.features import TABLE_SLOTS, of_domain

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
# Counts of the lessons of so many domains; two that share an entry share their count.
DOMAINS: Final = 1 << 12
# Of ham and of spam each, before a domain's own weights are used.
_ENOUGH_OF_DOMAIN: Final = 25
_DOMAIN_RATE: Final = 3.0
_EVEN: Final = 0.5
_CALIBRATION_RATE: Final = 0.05
# Below this many lessons of either label there is no verdict.
ENOUGH_LESSONS: Final = 20
# A message of which so little is known gets no verdict either.
_ENOUGH_KNOWN: Final = 0.2


@dataclass(frozen=True, slots=True)
class State:
    """Everything that was learned.

    Attributes:
        weights: One for each slot.
        support: Sums of squared steps.
        numbers: Lessons of ham and of spam; slope and shift of the calibration.
        domains: Lessons of ham and of spam of each domain, by its number modulo `DOMAINS`.
    """

    weights: NDArray[np.float32]
    support: NDArray[np.float32]
    numbers: NDArray[np.float64]
    domains: NDArray[np.uint32]

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
        np.zeros(TABLE_SLOTS, np.float32),
        np.zeros(TABLE_SLOTS, np.float32),
        np.array([0.0, 0.0, 1.0, 0.0], np.float64),
        np.zeros((DOMAINS, 2), np.uint32),
    )


def margin(state: State, features: Features, domain: int = 0) -> float:
    """Return the log-odds of spam before calibration; 0 where nothing is known.

    Args:
        state: What was learned.
        features: Of the message.
        domain: The number of the domain that it is for; 0: of none.
    """
    common = _common_margin(state, features)
    if domain and knows_domain(state, domain):
        return common + _domain_margin(state, features, domain)
    return common


def knows_domain(state: State, domain: int) -> bool:
    """Return whether a domain learned enough to have a say of its own."""
    return int(state.domains[domain % DOMAINS].min()) >= _ENOUGH_OF_DOMAIN


def _common_margin(state: State, features: Features) -> float:
    weights = state.weights.take(features.slots)
    words = float(np.add.reduce(weights[: features.words]))
    grams = float(np.add.reduce(weights[features.words :]))
    word_share, gram_share = _shares(features)
    return words * word_share + grams * gram_share


def _domain_margin(state: State, features: Features, domain: int) -> float:
    weights = state.weights.take(of_domain(features, domain))
    return float(np.add.reduce(weights)) * _shares(features)[0]


def contributions(state: State, features: Features, domain: int = 0) -> NDArray[np.float32]:
    """Return what each of the slots adds to the margin of a message for `domain`; 0: for none."""
    slots, words = features
    word_share, gram_share = _shares(features)
    adds = state.weights.take(slots)
    if domain and knows_domain(state, domain):
        adds[:words] += state.weights.take(of_domain(features, domain))
    adds[:words] *= np.float32(word_share)
    adds[words:] *= np.float32(gram_share)
    return adds


def judge_untaught(state: State) -> Opinion | None:
    """Return the opinion on any message where nothing was ever learned; None where something was.

    It is what `judge` says then, without the message being read for it.
    """
    if state.ham or state.spam:
        return None
    return Opinion(calibrated(state, 0.0), confidence=0.0, unsure=True)


def judge(state: State, features: Features, domain: int = 0) -> Opinion:
    """Return the opinion on a message for `domain`; 0: for none."""
    probability = calibrated(state, margin(state, features, domain))
    support = state.support.take(features.slots)
    known = float(np.count_nonzero(support)) / max(len(support), 1)
    lessons = min(state.ham, state.spam)
    experience = lessons / (lessons + ENOUGH_LESSONS)
    return Opinion(
        probability,
        confidence=min(1.0, 2 * known) * experience * abs(2 * probability - 1),
        unsure=lessons < ENOUGH_LESSONS or known < _ENOUGH_KNOWN,
    )


def contradicts(state: State, features: Features, *, spam: bool) -> bool:
    """Return whether `spam` is not what is said of a message."""
    opinion = judge(state, features)
    return not opinion.unsure and (opinion.probability > _EVEN) != spam


def calibrated(state: State, value: float) -> float:
    """Return the probability that belongs to a margin."""
    return _logistic(float(state.numbers[2]) * value + float(state.numbers[3]))


def learn(
    state: State, features: Features, *, spam: bool, domain: int = 0, weight: float = 1.0
) -> None:
    """Learn one message.

    Args:
        state: What changes.
        features: Of the message.
        spam: What is said of it.
        domain: The number of the domain that says so; 0: none.
        weight: How much it counts, from above 0 to 1.
    """
    value = _common_margin(state, features)
    _calibrate(state, value, spam=spam, weight=weight)
    step = _step(state, value, spam=spam)
    state.numbers[int(spam)] += 1
    slots, words = features
    change = _change(state, slots, _RATE * weight, step)
    word_share, gram_share = _shares(features)
    change[:words] *= np.float32(word_share)
    change[words:] *= np.float32(gram_share)
    state.weights[slots] += change
    if domain:
        _learn_of_domain(state, features, domain, spam=spam, weight=weight)


def _learn_of_domain(
    state: State, features: Features, domain: int, *, spam: bool, weight: float
) -> None:
    """Learn what the common weights, that have just learned it too, do not say."""
    value = _common_margin(state, features) + _domain_margin(state, features, domain)
    slots = of_domain(features, domain)
    change = _change(state, slots, _DOMAIN_RATE * weight, _step(state, value, spam=spam))
    change *= np.float32(_shares(features)[0])
    state.weights[slots] += change
    state.domains[domain % DOMAINS, int(spam)] += 1


def _step(state: State, value: float, *, spam: bool) -> float:
    error = float(spam) - _logistic(value)
    return error * _trust(state, abs(error))


def _change(
    state: State, slots: NDArray[np.int64], rate: float, step: float
) -> NDArray[np.float32]:
    """Return how far each of `slots` moves, before its share; their support grows."""
    support = state.support[slots]
    support += np.float32(step * step)
    state.support[slots] = support
    support += np.float32(_FIRST_SUPPORT)
    np.sqrt(support, out=support)
    return np.divide(np.float32(rate * step), support, out=support)


def _shares(features: Features) -> tuple[float, float]:
    """Return what one word and one gram weigh: both kinds together are vectors of length 1."""
    words, grams = features.words, len(features.slots) - features.words
    return 1 / math.sqrt(words + 1), _GRAMS_SHARE / math.sqrt(grams + 1)


def _trust(state: State, error: float) -> float:
    if state.numbers[0] + state.numbers[1] < _TRUSTED_AFTER:
        return 1.0
    return max(_LEAST_TRUST, math.pow(1 - error, _DOUBT))


def _calibrate(state: State, value: float, *, spam: bool, weight: float) -> None:
    """Move slope and shift towards this label; by less, the more was learned."""
    error = float(spam) - calibrated(state, value)
    rate = weight * _CALIBRATION_RATE / math.sqrt(1 + (state.ham + state.spam) / 100)
    bounded = max(-_LARGEST_MARGIN, min(_LARGEST_MARGIN, value))
    state.numbers[2] = max(0.05, float(state.numbers[2]) + rate * error * bounded / 10)
    state.numbers[3] += rate * error


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-_LARGEST_MARGIN, min(_LARGEST_MARGIN, value))))
