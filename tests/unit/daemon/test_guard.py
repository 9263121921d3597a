"""When the verdicts of a new configuration are too far from the usual ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.daemon.guard import REMEMBERED, Trial, Watchman, limit_of, too_many
from milter.daemon.shared import SharedTable, create_memory
from milter.settings import Guard
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

GUARD = Guard(over_messages=100)
USUAL = [900.0, 0.0, 50.0, 10.0, 40.0, 0.0]


@pytest.fixture
def table() -> Iterator[SharedTable]:
    fd = create_memory()
    shared = SharedTable(fd)
    yield shared
    shared.close()
    os.close(fd)


def verdicts(**counts: int) -> list[int]:
    return [counts.get(action.word, 0) for action in Action]


def a_worker(table: SharedTable, generation: int, counts: list[int]) -> int:
    """Put a worker of `generation` with these verdicts into the table; return its slot."""
    slot = table.take(generation)
    assert slot is not None
    table.tell_verdicts(slot, counts)
    return slot


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        pytest.param(verdicts(**{"pass": 80, "reject": 20}), None, id="five-times-as-many"),
        pytest.param(verdicts(**{"pass": 79, "reject": 21}), "reject", id="more-than-that"),
        pytest.param(verdicts(reject=21), "reject", id="what-still-comes-cannot-save-it"),
        pytest.param(verdicts(reject=20), None, id="what-still-comes-can-save-it"),
        pytest.param(verdicts(**{"pass": 79, "discard": 21}), "reject", id="discarded-is-rejected"),
        pytest.param(verdicts(**{"pass": 95, "defer": 5}), None, id="as-few-as-are-always-fine"),
        pytest.param(verdicts(**{"pass": 94, "defer": 6}), "defer", id="a-share-that-was-small"),
        pytest.param(verdicts(quarantine=26), "quarantine", id="quarantine"),
        pytest.param(verdicts(tag=100), None, id="not-compared"),
    ],
)
def test_too_many_of_one_action(seen: list[int], what: str | None) -> None:
    found = too_many(GUARD, USUAL, seen)

    assert (found and found[0]) == what


@given(st.floats(0, 1), st.floats(1.01, 100), st.floats(0, 1))
def test_limit_lies_between_the_usual_share_and_all(
    usual: float, times: float, least: float
) -> None:
    limit = limit_of(usual, times, least)

    assert usual - 1e-9 <= limit <= 1
    assert limit >= least


def test_trial_without_usual_verdicts_is_none(table: SharedTable) -> None:
    watchman = Watchman(table)
    a_worker(table, 1, verdicts(**{"pass": 99}))
    watchman.follow(1)

    assert not watchman.begin(2, GUARD)
    assert watchman.look() is Trial.NONE


def test_trial_of_a_worse_configuration_fails_and_is_forgotten(table: SharedTable) -> None:
    watchman = Watchman(table)
    a_worker(table, 1, verdicts(**{"pass": 990, "reject": 10}))
    watchman.follow(1)
    assert watchman.begin(2, GUARD)
    slot = a_worker(table, 2, verdicts(**{"pass": 20}))
    assert watchman.look() is Trial.RUNNING
    table.tell_verdicts(slot, verdicts(**{"pass": 30, "reject": 6}))

    assert watchman.look() is Trial.FAILED
    assert watchman.why == "reject: 6.0% of 100 verdicts, usually 1.0%"
    # Its verdicts do not become usual while it is taken back.
    table.tell_verdicts(slot, verdicts(reject=1000))
    assert watchman.look() is Trial.NONE
    watchman.follow(3)
    assert watchman.begin(4, GUARD)
    a_worker(table, 4, verdicts(reject=6))
    assert watchman.look() is Trial.FAILED


def test_trial_counts_the_workers_of_its_generation_alone(table: SharedTable) -> None:
    watchman = Watchman(table)
    old = a_worker(table, 1, verdicts(**{"pass": 1000}))
    watchman.follow(1)
    watchman.begin(2, GUARD)
    table.tell_verdicts(old, verdicts(reject=5000))
    for _ in range(2):
        a_worker(table, 2, verdicts(**{"pass": 50}))

    assert watchman.look() is Trial.HELD
    assert watchman.look() is Trial.NONE


def test_trial_goes_on_where_a_worker_dies(table: SharedTable) -> None:
    watchman = Watchman(table)
    a_worker(table, 1, verdicts(**{"pass": 1000}))
    watchman.follow(1)
    watchman.begin(2, GUARD)
    slot = a_worker(table, 2, verdicts(**{"pass": 60}))
    assert watchman.look() is Trial.RUNNING
    table.clear(slot)
    assert a_worker(table, 2, verdicts(**{"pass": 30})) == slot
    assert watchman.look() is Trial.RUNNING
    table.tell_verdicts(slot, verdicts(**{"pass": 40}))

    assert watchman.look() is Trial.HELD


def test_trial_over_more_messages_than_usual_shares_are_made_of(table: SharedTable) -> None:
    watchman = Watchman(table)
    slot = a_worker(table, 1, verdicts(**{"pass": 2 * REMEMBERED - 1}))
    watchman.follow(1)
    watchman.look()
    guard = Guard(over_messages=2 * REMEMBERED)
    assert not watchman.begin(2, guard)

    watchman.follow(1)
    table.tell_verdicts(slot, verdicts(**{"pass": 1}))
    assert watchman.begin(2, guard)
    a_worker(table, 2, verdicts(reject=REMEMBERED))
    assert watchman.look() is Trial.FAILED


def test_usual_verdicts_fade(table: SharedTable) -> None:
    watchman = Watchman(table)
    slot = a_worker(table, 1, verdicts(reject=REMEMBERED))
    watchman.follow(1)
    watchman.look()
    table.tell_verdicts(slot, verdicts(**{"reject": REMEMBERED, "pass": 99 * REMEMBERED}))
    watchman.look()
    assert watchman.begin(2, GUARD)
    a_worker(table, 2, verdicts(reject=6))

    assert watchman.look() is Trial.FAILED
