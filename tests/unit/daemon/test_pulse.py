"""Workers that stand still are told of, and ended; each look is the test's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from milter.daemon.pulse import SILENT_LOOKS, Pulse
from milter.daemon.shared import SharedTable, WorkerState, create_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 20
_PID = 4711


@pytest.fixture
def table() -> Iterator[SharedTable]:
    fd = create_memory()
    table = SharedTable(fd)
    os.close(fd)
    yield table
    table.close()


class _Watched:
    """A pulse, and what it had ended."""

    def __init__(self, table: SharedTable) -> None:
        self.pulse = Pulse(table)
        self.ended: list[int] = []

    def look(self, times: int) -> None:
        for _ in range(times):
            self.pulse.look(_MOST, lambda slot, _why: self.ended.append(slot))


def _worker(table: SharedTable, state: WorkerState = WorkerState.READY) -> int:
    slot = table.take(1)
    assert slot is not None
    table.state[slot] = state
    table.pid[slot] = _PID + slot
    return slot


def test_worker_whose_loop_turns_answers(table: SharedTable) -> None:
    slot, watched = _worker(table), _Watched(table)

    for _ in range(3 * _MOST):
        table.beats[slot] += 1
        watched.look(1)

    assert watched.pulse.answering() == [slot]
    assert watched.ended == []


def test_worker_that_stands_still_is_told_and_the_others_are_not(
    table: SharedTable, caplog: pytest.LogCaptureFixture
) -> None:
    still, turns, watched = _worker(table), _worker(table), _Watched(table)

    for _ in range(SILENT_LOOKS + 1):
        table.beats[turns] += 1
        watched.look(1)

    assert watched.pulse.answering() == [turns]
    assert watched.pulse.silent_pids() == (_PID + still,)
    told = [record for record in caplog.records if record.message == "worker does not answer"]
    assert [record.__dict__["pid"] for record in told] == [_PID + still]
    assert watched.ended == []


def test_worker_that_turns_again_answers_again(
    table: SharedTable, caplog: pytest.LogCaptureFixture
) -> None:
    slot, watched = _worker(table), _Watched(table)
    watched.look(_MOST)

    table.beats[slot] += 1
    watched.look(_MOST)

    assert "worker answers again" in caplog.messages
    assert watched.ended == []


@pytest.mark.parametrize("state", [WorkerState.READY, WorkerState.DRAINING])
def test_worker_that_stands_still_for_long_is_ended_once(
    state: WorkerState, table: SharedTable
) -> None:
    slot, watched = _worker(table, state), _Watched(table)

    watched.look(2 * _MOST)

    assert watched.ended == [slot]


def test_worker_that_starts_has_time_to_compile(table: SharedTable) -> None:
    slot, watched = _worker(table, WorkerState.STARTING), _Watched(table)

    watched.look(2 * _MOST)
    assert (watched.ended, watched.pulse.silent_pids()) == ([], ())

    watched.look(2 * _MOST)
    assert watched.ended == [slot]


def test_next_worker_of_a_slot_begins_anew(table: SharedTable) -> None:
    slot, watched = _worker(table), _Watched(table)
    watched.look(_MOST)
    table.clear(slot)

    assert _worker(table) == slot
    table.pid[slot] += 1000
    assert watched.pulse.answering() == [slot]
    watched.look(SILENT_LOOKS)
    assert watched.pulse.answering() == [slot]
    assert watched.ended == []
