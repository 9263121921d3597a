from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.daemon.shared import (
    SLOTS,
    SharedTable,
    WorkerLimits,
    WorkerState,
    create_memory,
)
from milter.settings import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLIENT = ip_address("192.0.2.1")
_KEY = b"k" * 16


@pytest.fixture
def tables() -> Iterator[tuple[SharedTable, SharedTable]]:
    """The same memory twice, as two processes have it."""
    fd = create_memory()
    first, second = SharedTable(fd), SharedTable(fd)
    os.close(fd)
    yield first, second
    first.close()
    second.close()


def _two_workers(
    tables: tuple[SharedTable, SharedTable], limits: Limits
) -> tuple[WorkerLimits, WorkerLimits]:
    first = WorkerLimits(tables[0], tables[0].take(1) or 0, limits, _KEY)
    second = WorkerLimits(tables[1], tables[0].take(1) or 0, limits, _KEY)
    return first, second


def test_admit_counts_over_all_workers(tables: tuple[SharedTable, SharedTable]) -> None:
    first, second = _two_workers(tables, Limits.model_validate({"sessions": 3}))
    taken = [first.admit(None), second.admit(None), second.admit(None), first.admit(None)]
    assert taken == [True, True, True, False]
    second.release(None)
    assert first.admit(None)
    assert tables[1].total_sessions() == 3


def test_client_full_counts_over_all_workers(tables: tuple[SharedTable, SharedTable]) -> None:
    first, second = _two_workers(tables, Limits.model_validate({"sessions_per_client": 2}))
    first.admit(_CLIENT)
    assert not second.client_full(_CLIENT)
    second.admit(_CLIENT)
    assert first.client_full(_CLIENT)
    assert not first.client_full(ip_address("192.0.2.2"))
    assert not first.client_full(None)
    first.release(_CLIENT)
    assert not second.client_full(_CLIENT)


def test_client_full_with_many_busy_clients_hits_few_others(
    tables: tuple[SharedTable, SharedTable],
) -> None:
    first, second = _two_workers(
        tables, Limits.model_validate({"sessions": 100_000, "sessions_per_client": 1})
    )
    for number in range(200):
        first.admit(ip_address(f"198.51.100.{number}"))
    others = [ip_address(f"203.0.113.{number}") for number in range(256)]
    # Both cells of an innocent client must be taken: about (200 / 4096) ** 2 of them.
    assert sum(second.client_full(client) for client in others) <= 4


def test_reserve_counts_over_all_workers(tables: tuple[SharedTable, SharedTable]) -> None:
    first, second = _two_workers(tables, Limits.model_validate({"bytes_in_flight": 2000}))
    assert first.reserve(1500)
    assert not second.reserve(501)
    assert second.reserve(500)
    first.give_back(1500)
    assert tables[1].total_bytes() == 500


def test_clear_forgets_what_a_dead_worker_counted(
    tables: tuple[SharedTable, SharedTable],
) -> None:
    first, second = _two_workers(
        tables, Limits.model_validate({"sessions": 2, "sessions_per_client": 2})
    )
    second.admit(_CLIENT)
    second.admit(_CLIENT)
    second.reserve(100)
    assert first.client_full(_CLIENT)
    tables[0].clear(1)
    assert not first.client_full(_CLIENT)
    assert tables[0].total_sessions() == 0
    assert tables[0].total_bytes() == 0
    assert tables[0].take(2) == 1


def test_take_without_a_free_slot_gives_none(tables: tuple[SharedTable, SharedTable]) -> None:
    assert [tables[0].take(1) for _ in range(SLOTS)] == list(range(SLOTS))
    assert tables[0].take(1) is None


def test_in_state_names_the_slots(tables: tuple[SharedTable, SharedTable]) -> None:
    for _ in range(3):
        tables[0].take(1)
    tables[1].state[1] = WorkerState.READY
    assert tables[0].in_state(WorkerState.READY) == [1]
