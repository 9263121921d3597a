"""How well a learning filter ranks and decides: the measures of the TREC Spam Track.

After G. Cormack, "TREC 2007 Spam Track Overview", section 3: scores are compared over all pairs of
one spam and one ham; what a threshold would have done is told at fixed shares of wrong ham.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BINS: Final = 10
_POINTS: Final = 50


@dataclass(frozen=True, slots=True)
class Measures:
    """What one run shows. All are percentages but the counts and `calibration_error`.

    Attributes:
        ham: Messages of ham.
        spam: Messages of spam.
        roca: 1-ROCA %: how often a ham outranks a spam, ties counted half.
        ham_errors: hm %, ham with a probability of 0.5 and more.
        spam_errors: sm %, spam with less.
        lam: lam %, the logistic average of both.
        caught_at_tenth: Spam caught where one in a thousand ham is wrong.
        caught_at_none: Spam caught where no ham is wrong.
        calibration_error: Mean distance, over all messages, between what was said and what was so.
    """

    ham: int
    spam: int
    roca: float
    ham_errors: float
    spam_errors: float
    lam: float
    caught_at_tenth: float
    caught_at_none: float
    calibration_error: float


def measure(spam: Sequence[bool], probabilities: Sequence[float]) -> Measures | None:
    """Return the measures of one run; nothing where a label is missing altogether."""
    labels, scores = np.array(spam, np.bool_), np.array(probabilities, np.float64)
    hams, spams = scores[~labels], scores[labels]
    if not len(hams) or not len(spams):
        return None
    ham_errors, spam_errors = float(np.mean(hams >= 0.5)), float(np.mean(spams < 0.5))
    return Measures(
        ham=len(hams),
        spam=len(spams),
        roca=100 * _outranked(hams, spams),
        ham_errors=100 * ham_errors,
        spam_errors=100 * spam_errors,
        lam=100 * _logistic_average(ham_errors, len(hams), spam_errors, len(spams)),
        caught_at_tenth=100 * _caught(hams, spams, 0.001),
        caught_at_none=100 * _caught(hams, spams, 0.0),
        calibration_error=_calibration_error(labels, scores),
    )


def learning_curve(spam: Sequence[bool], probabilities: Sequence[float]) -> list[tuple[int, float]]:
    """Return the count of messages and 1-ROCA % over all up to there, at most 50 points."""
    points: list[tuple[int, float]] = []
    for part in range(1, _POINTS + 1):
        count = len(spam) * part // _POINTS
        measured = measure(spam[:count], probabilities[:count])
        if measured is not None and (not points or points[-1][0] != count):
            points.append((count, measured.roca))
    return points


def _outranked(hams: NDArray[np.float64], spams: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the ham scores higher; ties count half."""
    ordered = np.sort(hams)
    above = len(ordered) - np.searchsorted(ordered, spams, side="right")
    level = np.searchsorted(ordered, spams, side="right") - np.searchsorted(ordered, spams)
    return float(np.sum(above + level / 2)) / (len(hams) * len(spams))


def _caught(hams: NDArray[np.float64], spams: NDArray[np.float64], wrong: float) -> float:
    """Return the share of spam above all but that share of ham."""
    allowed = math.floor(wrong * len(hams))
    threshold = np.sort(hams)[::-1][min(allowed, len(hams) - 1)]
    return float(np.mean(spams > threshold))


def _logistic_average(ham: float, hams: int, spam: float, spams: int) -> float:
    """Return the mean of both shares on the scale of log-odds; half an error stands for none."""
    mean = (_log_odds(ham, hams) + _log_odds(spam, spams)) / 2
    return 1 / (1 + math.exp(-mean))


def _log_odds(share: float, count: int) -> float:
    bounded = min(max(share, 0.5 / count), 1 - 0.5 / count) if count > 1 else 0.5
    return math.log(bounded / (1 - bounded))


def _calibration_error(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    bins = np.minimum((scores * _BINS).astype(np.intp), _BINS - 1)
    said = np.bincount(bins, scores, _BINS)
    was = np.bincount(bins, labels.astype(np.float64), _BINS)
    return float(np.sum(np.abs(said - was)) / len(scores))
