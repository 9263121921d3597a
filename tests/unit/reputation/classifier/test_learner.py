"""The learner follows lessons through a store, and its file survives what files meet."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reputation.classifier import bases, learner, lessons
from reputation.classifier.features import SLOTS, domain_number
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import Heard, Reporter, packed, report, unpacked
from reputation.classifier.model import State, judge, knows_domain, new_state
from reputation.classifier.model import learn as learn_one
from reputation.classifier.weights import FILE_BYTES, Weights
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from reputation.store import Append, Retention
from tests.support.lessons import caught_up, features_of, lesson, teach
from tests.support.scarcity import no_descriptors
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store


def same(left: State, right: State) -> bool:
    return np.array_equal(left.weights, right.weights) and np.array_equal(
        left.numbers, right.numbers
    )


@pytest.fixture
def small_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "LESSONS", 40)


def test_what_is_learned_is_seen_by_who_maps_the_file(store: Store, tmp_path: Path) -> None:
    one = Learner(tmp_path)
    reader = Weights(tmp_path / WEIGHTS_NAME)
    teach(store, range(60))

    one.catch_up(store)

    assert judge(reader.state, features_of(spam=True, seed=1000)).probability > 0.8
    assert (reader.state.ham, reader.state.spam) == (30, 30)
    one.close()


def test_same_message_counts_once(store: Store, tmp_path: Path) -> None:
    teach(store, range(10))
    assert report(store, lesson(3, spam=True), now=50.0) is Heard.KNOWN

    state = caught_up(tmp_path, store)

    assert state.ham + state.spam == 10


@pytest.mark.usefixtures("small_bases")
@pytest.mark.parametrize("wrong", [3, 39, 41, 75, 99], ids=lambda number: f"lesson-{number}")
def test_changed_mind_leaves_no_trace(store: Store, tmp_path: Path, wrong: int) -> None:
    teach(store, range(100), wrong)
    caught_up(tmp_path, store)

    heard = report(store, lesson(wrong, spam=wrong % 2 == 1), now=200.0)
    state = caught_up(tmp_path, store)

    never_wrong = new_state()
    for number in (*(n for n in range(100) if n != wrong), wrong):
        one = unpacked(packed(lesson(number, spam=number % 2 == 1)))
        learn_one(never_wrong, one.features, spam=one.spam)
    assert heard is Heard.CHANGED
    features = features_of(spam=wrong % 2 == 1, seed=wrong)
    if wrong < 40:
        # Older than the oldest base: taught again until it is believed.
        assert (judge(state, features).probability > 0.5) == (wrong % 2 == 1)
    else:
        assert same(state, never_wrong)


@pytest.mark.usefixtures("small_bases")
def test_machines_reach_the_same_weights_whatever_their_pace(store: Store, tmp_path: Path) -> None:
    teach(store, range(90), wrong=70)
    early = Learner(tmp_path / "early")
    for _ in range(200):
        early.catch_up(store, 7)
    report(store, lesson(70, spam=False), now=100.0)
    teach(store, range(90, 130))
    while early.catch_up(store, 7).behind:
        pass

    late = caught_up(tmp_path / "late", store, at_once=1000)

    assert same(Weights(tmp_path / "early" / WEIGHTS_NAME).state, late)
    early.close()


@pytest.fixture
def short_stream(small_bases: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Retention(entries=50, total_bytes=2**20, age_s=1e9)
    monkeypatch.setattr(lessons, "KEEP", kept)


@pytest.mark.usefixtures("short_stream")
@pytest.mark.parametrize("wrong", [-1, 70, 125], ids=["no-change", "old-change", "new-change"])
def test_machine_that_joins_when_lessons_are_gone_reaches_the_same_weights(
    store: Store, tmp_path: Path, wrong: int
) -> None:
    early = Learner(tmp_path / "early")
    for begin in range(0, 140, 10):
        teach(store, range(begin, begin + 10), wrong)
        early.catch_up(store)
    if wrong >= 0:
        report(store, lesson(wrong, spam=wrong % 2 == 1), now=200.0)
    early.catch_up(store)

    late = Learner(tmp_path / "late")
    while late.catch_up(store, 7).behind:
        pass

    weights = [Weights(tmp_path / name / WEIGHTS_NAME) for name in ("early", "late")]
    assert same(*(one.state for one in weights))
    assert weights[1].state.ham + weights[1].state.spam == (141 if wrong == 70 else 140)
    # From here on both hear the same.
    teach(store, range(140, 200))
    report(store, lesson(150, spam=True), now=300.0)
    for one in (early, late):
        while one.catch_up(store).behind:
            pass
        one.close()
    assert same(*(one.state for one in weights))


@pytest.mark.usefixtures("short_stream")
def test_machine_that_was_away_too_long_takes_the_bases_of_others(
    store: Store, tmp_path: Path
) -> None:
    teach(store, range(10))
    caught_up(tmp_path / "away", store)
    here = Learner(tmp_path / "here")
    for begin in range(10, 150, 10):
        teach(store, range(begin, begin + 10))
        here.catch_up(store)
    here.close()

    away = caught_up(tmp_path / "away", store)

    assert same(away, Weights(tmp_path / "here" / WEIGHTS_NAME).state)


def test_lesson_counts_for_the_domain_of_its_reporter(store: Store, tmp_path: Path) -> None:
    for number in range(60):
        said = lesson(number, spam=number % 2 == 1)
        report(store, said, now=1.0, reporter=Reporter("ann@Example.ORG", per_day=100))

    state = caught_up(tmp_path, store)

    assert knows_domain(state, domain_number("example.org"))
    assert not knows_domain(state, domain_number("example.net"))


@pytest.mark.usefixtures("small_bases")
def test_weights_of_domains_outlive_a_writer_that_was_killed(store: Store, tmp_path: Path) -> None:
    for number in range(100):
        report(
            store,
            lesson(number, spam=number % 2 == 1),
            now=1.0,
            reporter=Reporter("ann@example.org", per_day=100),
        )
    before = caught_up(tmp_path, store)
    damaged = Weights(tmp_path / WEIGHTS_NAME, write=True)
    damaged.state.domains[:] = 0
    with pytest.raises(ZeroDivisionError), damaged.changing():
        raise ZeroDivisionError
    damaged.close(in_order=False)

    after = caught_up(tmp_path, store)

    assert same(before, after)
    assert np.array_equal(before.domains, after.domains)


def test_second_learner_is_told_that_one_is_there(tmp_path: Path) -> None:
    one = Learner(tmp_path)

    with pytest.raises(StoreError, match="another process learns") as caught:
        Learner(tmp_path)

    assert caught.value.reason == "locked"
    one.close()
    Learner(tmp_path).close()


@pytest.mark.usefixtures("small_bases")
def test_killed_in_a_change_it_begins_again_from_a_base(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    teach(store, range(100))
    whole = caught_up(tmp_path / "whole", store)
    caught_up(tmp_path / "killed", store)
    child = multiprocessing.get_context("fork").Process(
        target=_die_in_a_change, args=(tmp_path / "killed",)
    )
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL

    again = Learner(tmp_path / "killed")

    assert again.begun_again_from == 80
    again.catch_up(store)
    assert same(Weights(tmp_path / "killed" / WEIGHTS_NAME).state, whole)
    again.close()


def _die_in_a_change(folder: Path) -> None:
    weights = Weights(folder / WEIGHTS_NAME, write=True)
    weights.begin()
    with weights.changing():
        weights.state.weights[:1000] = 7
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("small_bases")
def test_damaged_base_is_dropped_for_the_one_before(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    teach(store, range(100))
    whole = caught_up(tmp_path, store)
    newest = tmp_path / "base-80"
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    weights = Weights(tmp_path / WEIGHTS_NAME, write=True)
    weights.begin()
    with pytest.raises(ZeroDivisionError), weights.changing():
        raise ZeroDivisionError
    weights.close(in_order=False)

    again = Learner(tmp_path)

    assert again.begun_again_from == 40
    again.catch_up(store)
    assert same(Weights(tmp_path / WEIGHTS_NAME).state, whole)
    again.close()


def test_unreadable_lesson_is_left_out(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    teach(store, range(4))
    store.write([Append(lessons.STREAM, 9.0, b"\x01\x00nonsense", (), lessons.KEEP)])
    teach(store, range(4, 6))
    one = Learner(tmp_path)

    progress = one.catch_up(store)

    assert (progress.lessons, progress.unreadable) == (7, 1)
    assert Weights(tmp_path / WEIGHTS_NAME).state.ham == 3
    one.close()


def test_lesson_survives_packing() -> None:
    one = lesson(5, spam=True)

    again = unpacked(packed(one))

    assert (again.digest, again.spam, again.changed) == (one.digest, True, False)
    assert again.features.slots.tolist() == sorted(one.features.slots.tolist())
    assert again.features.words == one.features.words


@pytest.mark.usefixtures("small_bases")
def test_weights_of_another_version_are_made_again_from_the_lessons(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    teach(store, range(90))
    known = caught_up(tmp_path, store)
    for path in tmp_path.iterdir():
        old = path.read_bytes().replace(b"gatepost weights 2", b"gatepost weights 1")
        path.write_bytes(old)

    again = caught_up(tmp_path, store)

    assert same(known, again)
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS_NAME, "base-40", "base-80"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(packed(lesson(1, spam=True))[:30], id="cut"),
        pytest.param(packed(lesson(1, spam=True))[:18] + b"x" * 40, id="not-compressed"),
    ],
)
def test_what_is_no_lesson_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        unpacked(data)


def test_reporter_is_listened_to_so_often_a_day(store: Store) -> None:
    who = Reporter("ann@example.org", per_day=3)

    heard = [report(store, lesson(n, spam=True), now=10.0, reporter=who) for n in range(5)]
    other = report(store, lesson(9, spam=True), now=10.0, reporter=Reporter("bob", per_day=3))
    later = report(store, lesson(8, spam=True), now=10.0 + 86_400, reporter=who)

    assert heard == [Heard.LEARNED] * 3 + [Heard.TOO_MANY] * 2
    assert (other, later) == (Heard.LEARNED, Heard.LEARNED)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * FILE_BYTES], ids=["empty", "short", "x"])
def test_file_that_is_no_weights_is_refused_to_readers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / WEIGHTS_NAME).write_bytes(content)

    with pytest.raises(StoreError, match="no weights"):
        Weights(tmp_path / WEIGHTS_NAME)


def test_weights_stay_within_sixteen_megabytes() -> None:
    assert FILE_BYTES < 16_000_000
    assert SLOTS * 8 < FILE_BYTES


def test_base_that_cannot_be_written_keeps_the_others(tmp_path: Path) -> None:
    kept = bases.Bases(tmp_path / "there")
    (tmp_path / "there").mkdir()
    kept.save(40, new_state())
    (tmp_path / "there" / "base-80.new").mkdir()

    with pytest.raises(StoreError):
        kept.save(80, new_state())

    assert kept.numbers() == [40]


def test_learner_without_a_descriptor_left_says_so(store: Store, tmp_path: Path) -> None:
    one = Learner(tmp_path)

    with no_descriptors(), pytest.raises(StoreError, match="Too many open files"):
        one.catch_up(store)

    teach(store, range(2))
    assert one.catch_up(store).lessons == 2
    one.close()
