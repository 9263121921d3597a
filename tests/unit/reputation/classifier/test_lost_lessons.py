"""What the learner knows outlives the store and its lessons."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reputation.classifier import lessons
from reputation.classifier.bases import Bases
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import report
from reputation.classifier.model import judge, new_state
from reputation.classifier.weights import FILE_BYTES
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from reputation.store import Retention
from tests.support.lessons import caught_up, features_of, lesson, teach
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store


def test_lost_store_loses_nothing_that_was_learned(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    teach(store, range(50))
    before = caught_up(tmp_path, store)
    empty = MemoryStore(random_bytes())

    after = caught_up(tmp_path, empty)
    assert np.array_equal(before.weights, after.weights)
    teach(empty, range(50, 60))

    assert caught_up(tmp_path, empty).ham == 30


@pytest.mark.parametrize("lessons_at_once", [3, 60], ids=["fewer-than-before", "more-than-before"])
def test_store_that_took_the_place_of_a_lost_one_teaches_all_that_it_has(
    tmp_path: Path, lessons_at_once: int
) -> None:
    store = MemoryStore(os.urandom)
    teach(store, range(50))
    caught_up(tmp_path, store)
    another = MemoryStore(os.urandom)

    # Before the learner had a look at it.
    teach(another, range(50, 50 + lessons_at_once))
    after = caught_up(tmp_path, another)

    assert after.ham + after.spam == 50 + lessons_at_once


def test_changed_mind_after_a_loss_leaves_what_was_known(store: Store, tmp_path: Path) -> None:
    before = MemoryStore(os.urandom)
    teach(before, range(50))
    caught_up(tmp_path, before)
    caught_up(tmp_path, store)
    teach(store, range(50, 52), wrong=51)
    caught_up(tmp_path, store)

    report(store, lesson(51, spam=True), now=100.0)
    after = caught_up(tmp_path, store)

    assert (after.ham, after.spam) == (26, 26)


def test_last_lessons_that_were_lost_with_the_power_stay_known(tmp_path: Path) -> None:
    whole, cut = MemoryStore(random_bytes()), MemoryStore(random_bytes())
    teach(whole, range(50))
    teach(cut, range(45))
    caught_up(tmp_path, whole)

    caught_up(tmp_path, cut)
    teach(cut, range(45, 47), wrong=46)
    report(cut, lesson(46, spam=False), now=100.0)
    after = caught_up(tmp_path, cut)

    assert (after.ham, after.spam) == (26, 26)


def test_changed_mind_keeps_lessons_that_are_gone_from_the_store(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "KEEP", Retention(entries=10, total_bytes=2**20, age_s=1e9))
    one = Learner(tmp_path)
    for begin in range(0, 50, 10):
        teach(store, range(begin, begin + 10), wrong=45)
        one.catch_up(store)
    one.close()

    report(store, lesson(45, spam=True), now=100.0)
    after = caught_up(tmp_path, store)

    assert after.ham == 26
    assert after.spam >= 25
    assert judge(after, features_of(spam=True, seed=45)).probability > 0.5


def test_disk_that_was_full_at_the_first_lesson_is_used_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(os.urandom)
    teach(store, range(10))
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", _refused)
        with pytest.raises(StoreError, match="No space left"):
            Learner(tmp_path)
    assert not (tmp_path / WEIGHTS_NAME).stat().st_size

    assert caught_up(tmp_path, store).ham == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_that_root_makes_are_their_folders_owners(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "classifier"
    folder.parent.mkdir(mode=0o700)
    os.chown(folder.parent, 12345, 23456)

    learner = Learner(folder)
    Bases(folder).save(5000, new_state())
    learner.close()

    made = [folder, *folder.iterdir()]
    assert len(made) == 3
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(12345, 23456)}


def test_file_whose_maker_was_killed_before_its_head_is_made_again(tmp_path: Path) -> None:
    store = MemoryStore(os.urandom)
    teach(store, range(10))
    (tmp_path / WEIGHTS_NAME).write_bytes(bytes(FILE_BYTES))

    assert caught_up(tmp_path, store).ham == 5


def _refused(*_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
