from __future__ import annotations

import random

import pytest

from reputation.classifier.measures import learning_curve, measure


def plain_roca(labels: list[bool], scores: list[float]) -> float:
    pairs = [(h, s) for h, lh in zip(scores, labels, strict=True) if not lh
             for s, ls in zip(scores, labels, strict=True) if ls]  # fmt: skip
    return 100 * sum(1.0 if h > s else 0.5 if h == s else 0.0 for h, s in pairs) / len(pairs)


def test_ranking_is_counted_over_all_pairs() -> None:
    chosen = random.Random(7)  # noqa: S311 - made-up scores
    labels = [chosen.random() < 0.4 for _ in range(200)]
    # Rounded, so that there are ties.
    scores = [round(chosen.random() * 0.7 + 0.3 * label, 1) for label in labels]

    measured = measure(labels, scores)

    assert measured is not None
    assert measured.roca == pytest.approx(plain_roca(labels, scores))


def test_perfect_ranking_has_no_errors() -> None:
    measured = measure([False] * 50 + [True] * 50, [0.0] * 50 + [1.0] * 50)

    assert measured is not None
    assert (measured.roca, measured.ham_errors, measured.spam_errors) == (0, 0, 0)
    assert (measured.caught_at_none, measured.caught_at_tenth) == (100, 100)
    assert measured.lam == pytest.approx(1.0)
    assert measured.calibration_error == 0


def test_lam_is_the_mean_on_the_scale_of_log_odds() -> None:
    # 10 of 100 ham wrong, 1 of 100 spam missed: the odds are 1/9 and 1/99, their mean 1/29.85.
    labels = [False] * 100 + [True] * 100
    scores = [0.9] * 10 + [0.1] * 90 + [0.1] + [0.9] * 99

    measured = measure(labels, scores)

    assert measured is not None
    assert measured.lam == pytest.approx(100 / (1 + (9 * 99) ** 0.5))


def test_caught_at_a_thousandth_lets_one_ham_of_a_thousand_be_wrong() -> None:
    labels = [False] * 1000 + [True] * 10
    scores = [0.99, 0.6] + [0.1] * 998 + [0.8] * 9 + [0.5]

    measured = measure(labels, scores)

    assert measured is not None
    assert measured.caught_at_none == 0
    assert measured.caught_at_tenth == pytest.approx(90)


def test_one_label_alone_cannot_be_measured() -> None:
    assert measure([True, True], [0.1, 0.9]) is None
    assert measure([], []) is None


def test_calibration_error_is_what_was_said_less_what_was_so() -> None:
    measured = measure([True] * 5 + [False] * 5, [0.8] * 10)

    assert measured is not None
    assert measured.calibration_error == pytest.approx(0.3)


def test_learning_curve_ends_with_the_whole_run() -> None:
    labels, scores = [False, True] * 100, [0.2, 0.8] * 100

    curve = learning_curve(labels, scores)

    assert curve[-1] == (200, 0.0)
    assert len(curve) == 50
