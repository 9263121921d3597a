"""What one reporter gains who labels everything the same, and wrong labels now and then do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import Heard, Reporter, report
from reputation.classifier.model import judge
from reputation.classifier.weights import Weights
from reputation.memory import MemoryStore
from tests.support.lessons import features_of, lesson
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store

DAY_S: Final = 86_400.0
HEAD: Final = f"{'reporter':34} {'heard':>6} {'ham marked':>11} {'spam missed':>12}"
# From here on a message is called spam, and up to there ham.
SPAM: Final = 0.9
HAM: Final = 0.5


def taught(store: Store, lessons: int) -> None:
    """Have administrators teach what is what."""
    for number in range(lessons):
        report(store, lesson(number, spam=number % 2 == 1), now=float(number))


def errors(folder: Path, store: Store) -> tuple[float, float]:
    """Return the shares of new ham that is called spam, and of new spam that is not."""
    learner = Learner(folder)
    while learner.catch_up(store).behind:
        pass
    learner.close()
    state = Weights(folder / WEIGHTS_NAME).state
    ham, spam = (
        [
            judge(state, features_of(spam=spam, seed=seed)).probability
            for seed in range(90_000, 90_200)
        ]
        for spam in (False, True)
    )
    return sum(p >= SPAM for p in ham) / len(ham), sum(p < HAM for p in spam) / len(spam)


@pytest.mark.parametrize("called_spam", [True, False], ids=["all-is-spam", "all-is-ham"])
def test_reporter_who_labels_all_the_same_for_a_week_changes_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, called_spam: bool
) -> None:
    store = MemoryStore(random_bytes())
    taught(store, 1000)
    before = errors(tmp_path, store)
    who, heard = Reporter("mallory@ours.example"), 0
    learner = Learner(tmp_path)
    taught_so_far = Weights(tmp_path / WEIGHTS_NAME).state
    for day in range(1, 8):
        for number in range(300):
            wrong = lesson(day * 10_000 + number, spam=not called_spam, called_spam=called_spam)
            now = day * DAY_S + number
            heard += (
                report(store, wrong, now=now, reporter=who, taught=taught_so_far) is Heard.LEARNED
            )
            learner.catch_up(store)

    learner.close()
    after = errors(tmp_path, store)

    with capsys.disabled():
        label = "spam" if called_spam else "ham"
        rows = [("nobody", 0, before), (f"300 a day, all of it {label}", heard, after)]
        table = [f"{name:34} {n:6} {ham:10.1%} {spam:11.1%}" for name, n, (ham, spam) in rows]
        print("\n" + "\n".join((HEAD, *table)))  # noqa: T201 - for people
    # Nearly all of them contradict what is sure.
    assert 35 <= heard <= 50
    assert after[0] <= before[0] + 0.02
    assert after[1] <= before[1] + 0.02
