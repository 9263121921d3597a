"""Who is killed while lessons are handed over and learned: none is lost, and none counts twice."""

from __future__ import annotations

import multiprocessing
import random
import signal
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pytest

from milter.memory.opening import Home
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import STREAM, Heard, report, unpacked
from reputation.classifier.model import learn, new_state
from reputation.classifier.weights import Weights
from tests.support.lessons import lesson
from tests.support.ports import free_port
from tests.support.redis_server import a_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from reputation.classifier.lessons import Lesson
    from reputation.classifier.model import State
    from reputation.store import Store

pytestmark = pytest.mark.slow

KILLS: Final = 40
MESSAGES: Final = 400
# So many of a hundred reports say of a message what it is not.
WRONG: Final = 10
NOW: Final = 4_000_000_000.0
# Of one process. All together are fewer than a base holds (reputation.classifier.bases): who joins
# at a base of the others cannot take back what lies before it.
MOST_REPORTS: Final = 100
_PATIENCE_S: Final = 60.0
_FORK: Final = multiprocessing.get_context("fork")


class Said(NamedTuple):
    """What a process tells as soon as a report was heard."""

    digest: bytes
    spam: bool


@pytest.fixture(params=["sqlite", "redis"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    if request.param == "sqlite":
        yield Home(f"sqlite:{tmp_path}/s.db", timeout_s=5)
        return
    port = free_port()
    with a_redis("--port", str(port)):
        yield Home(f"redis://127.0.0.1:{port}/0", timeout_s=5)


def report_for_ever(home: Home, lessons: list[Lesson], seed: int, told: Connection) -> None:
    store, chosen = home.open(), random.Random(seed)  # noqa: S311 - an order, no secret
    told_of = 0
    while told_of < MOST_REPORTS:
        one = chosen.choice(lessons)
        one = replace(one, spam=one.spam != (chosen.randrange(100) < WRONG))
        if report(store, one, now=NOW) is not Heard.KNOWN:
            told_of += 1
            told.send(Said(one.digest, one.spam))
    signal.pause()


def learn_for_ever(home: Home, folder: Path, told: Connection) -> None:
    store, one = home.open(), Learner(folder)
    while True:
        one.catch_up(store, 7)
        told.send(one.applied)


def test_killed_at_any_moment_no_lesson_is_lost_and_none_counts_twice(
    home: Home, tmp_path: Path
) -> None:
    home.open().close()
    lessons = [lesson(number, spam=number % 2 == 1) for number in range(MESSAGES)]
    chosen = random.Random(7)  # noqa: S311 - moments, no secret
    said: list[Said] = []
    for kill in range(KILLS):
        reading, telling = _FORK.Pipe(duplex=False)
        watching, learning = _FORK.Pipe(duplex=False)
        processes = [
            _FORK.Process(target=report_for_ever, args=(home, lessons, kill, telling)),
            _FORK.Process(target=learn_for_ever, args=(home, tmp_path / "killed", learning)),
        ]
        for process in processes:
            process.start()
        telling.close()
        learning.close()
        assert watching.poll(_PATIENCE_S)
        # Each at whatever it does just then.
        for _ in range(chosen.randrange(1, 12)):
            said.append(reading.recv())
        for process in processes:
            process.kill()
        said += heard_after(reading)
        for process in processes:
            process.join(_PATIENCE_S)

    store = home.open()
    check_stream(store, said)
    killed, fresh = (caught_up(tmp_path / name, store) for name in ("killed", "fresh"))
    expected = made_from_labels(store)
    for state in (killed, fresh):
        assert np.array_equal(state.weights, expected.weights)
        assert np.array_equal(state.numbers, expected.numbers)
    store.close()


def heard_after(reading: Connection) -> Iterator[Said]:
    """Yield what was told before the end."""
    try:
        while True:
            yield reading.recv()
    except EOFError:
        reading.close()


def check_stream(store: Store, said: list[Said]) -> None:
    """Compare what is known of each message with the lessons about it, and with what was told."""
    lessons: dict[bytes, list[Lesson]] = {}
    for entry in store.follow(STREAM, 0, 10**6):
        one = unpacked(entry.payload)
        lessons.setdefault(one.digest, []).append(one)
    labels = store.records("lesson-labels", [*store.keys("lesson-labels")], NOW)
    assert labels == {digest: b"s" if about[-1].spam else b"h" for digest, about in lessons.items()}
    for about in lessons.values():
        # Each but the first takes the one before it back: none stands twice.
        assert [one.changed for one in about] == [False, *[True] * (len(about) - 1)]
        assert all(one.spam != other.spam for one, other in pairwise(about))
    for digest, about in lessons.items():
        heard = [one.spam for one in said if one.digest == digest]
        # What was told is there, in its order.
        left = iter([one.spam for one in about])
        assert all(spam in left for spam in heard)
    assert {one.digest for one in said} <= lessons.keys()
    # Who was killed between writing and telling told of one less.
    unsaid = sum(map(len, lessons.values())) - len(said)
    assert 0 <= unsaid <= KILLS


def caught_up(folder: Path, store: Store) -> State:
    one = Learner(folder)
    while one.catch_up(store).behind:
        pass
    one.close()
    return Weights(folder / WEIGHTS_NAME).state


def made_from_labels(store: Store) -> State:
    """Return the state of who hears of each message what is known of it now, and nothing else."""
    about = [unpacked(entry.payload) for entry in store.follow(STREAM, 0, 10**6)]
    latest = {one.digest: number for number, one in enumerate(about)}
    state = new_state()
    for number in sorted(latest.values()):
        learn(state, about[number].features, spam=about[number].spam)
    return state
