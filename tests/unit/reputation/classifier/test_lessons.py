"""What a message is known as and its lesson are written together, or neither is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from reputation.classifier.lessons import STREAM, Heard, Lesson, Quota, Reporter, offer, report
from reputation.errors import StoreError
from reputation.sqlite import SqliteStore
from reputation.store import Append, Retention
from tests.support.lessons import features_of, lesson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reputation.store import Store

DIGEST: Final = bytes(16)
QUOTA: Final = Quota(per_identity=10, per_label=10)
SOME: Final = Retention(entries=10**6, total_bytes=10**9, age_s=10**9)


def a_lesson(*, spam: bool) -> Lesson:
    return Lesson(DIGEST, spam, changed=False, features=features_of(spam=spam, seed=1))


def fill(store: Store) -> None:
    """Write until there is no room left for anything."""
    for size in (20_000, 100, 1):
        with pytest.raises(StoreError, match="full"):
            _write_until_it_fails(store, size)


def _write_until_it_fails(store: Store, size: int) -> None:
    while True:
        store.write([Append("other", 1.0, os.urandom(size), (), SOME)])


@pytest.mark.parametrize(
    ("before", "heard"),
    [
        pytest.param(None, Heard.LEARNED, id="new"),
        pytest.param(False, Heard.CHANGED, id="other-label-before"),
    ],
)
def test_report_that_a_full_store_did_not_take_is_heard_when_it_is_made_again(
    tmp_path: Path, *, before: bool | None, heard: Heard
) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=600_000)
    if before is not None:
        report(store, a_lesson(spam=before), now=1)
    lessons = store.newest(STREAM)

    fill(store)
    with pytest.raises(StoreError):
        report(store, a_lesson(spam=True), now=2)
    store.erase("other", range(1, 10**4))

    assert store.newest(STREAM) == lessons
    assert report(store, a_lesson(spam=True), now=3) is heard
    assert store.newest(STREAM) == lessons + 1
    store.close()


def test_lessons_leave_room_for_who_was_served_already(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2**20)
    served = [number.to_bytes(16) for number in range(1000)]
    for number in range(6000):
        report(store, lesson(number, spam=bool(number % 2)), now=number)
        if number % 100 == 0:
            store.expire(number, 1000)

    for number, key in enumerate(served):
        store.put("partial", [key], 10**6)
        if number % 100 == 0:
            store.expire(6000, 1000)

    assert store.present("partial", served, 7000) == set(served)
    assert len(store.follow(STREAM, 0, 10**4)) > 500
    store.close()


def told(store: Store) -> bool:
    return report(store, a_lesson(spam=True), now=2) is Heard.LEARNED


def offered(store: Store) -> bool:
    return offer(store, a_lesson(spam=True), now=2, identity="a.example", quota=QUOTA)


@pytest.mark.parametrize("hand_over", [told, offered], ids=["by-a-person", "by-rule"])
def test_lesson_is_handed_over_once(store: Store, hand_over: Callable[[Store], bool]) -> None:
    assert hand_over(store)
    assert not hand_over(store)

    assert store.newest(STREAM) == 1


def test_what_a_person_said_is_not_offered_again(store: Store) -> None:
    report(store, a_lesson(spam=False), now=1)

    assert not offered(store)
    assert store.newest(STREAM) == 1


def test_store_does_not_name_whom_lessons_are_of(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom)
    who = Reporter("ann@example.org")

    assert report(store, lesson(1, spam=True), now=1, reporter=who) is Heard.LEARNED
    assert offer(store, lesson(2, spam=True), now=1, identity="spf:a.example", quota=QUOTA)
    store.close()

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"lesson-reporters" in kept
    assert b"ann@example.org" not in kept
    assert b"a.example" not in kept
