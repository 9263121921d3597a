"""What is too old goes by itself, in each home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reputation.history import journal
from reputation.history.journal import Keep, retention
from reputation.history.pruning import PAGE, prune
from tests.unit.reputation.history.test_journal import KEEP, NOW, a_record, ids, kept

if TYPE_CHECKING:
    from reputation.store import Store

_DAY_S = 86_400.0


def a_keep(days: float, message_days: float) -> Keep:
    records, messages = (
        retention(days=one, entries=10_000, total_bytes=2**30) for one in (days, message_days)
    )
    return Keep(records, messages)


def with_messages(store: Store, count: int) -> journal.Journal:
    """Return a history of so many records, a day apart, with their messages."""
    secret = journal.secret_of(store)
    records = [a_record(number, at=NOW + number * _DAY_S) for number in range(1, count + 1)]
    history = kept(store, *records, keep=a_keep(9999, 9999))
    for record in records:
        message = b"Subject: x\r\n\r\n"
        writes = journal.append_message(record.txn_id, record.at, message, KEEP, secret)
        store.write([writes])
    return history


@pytest.mark.parametrize(
    ("days", "message_days", "records", "messages"),
    [
        pytest.param(2.5, 1.5, ["T4", "T3"], ["T4"], id="each-by-its-own"),
        pytest.param(99, 99, ["T4", "T3", "T2", "T1"], ["T4", "T3", "T2", "T1"], id="none"),
        pytest.param(0, 0, [], [], id="nothing-is-kept"),
        pytest.param(99, 0, ["T4", "T3", "T2", "T1"], [], id="no-messages"),
    ],
)
def test_what_is_too_old_goes_though_nothing_comes(
    store: Store, days: float, message_days: float, records: list[str], messages: list[str]
) -> None:
    history = with_messages(store, 4)
    now = NOW + 5 * _DAY_S + 1

    removed = prune(store, a_keep(days, message_days), now)

    assert ids(history) == records
    assert [f"T{n}" for n in (4, 3, 2, 1) if history.message(f"T{n}")] == messages
    assert removed == 8 - len(records) - len(messages)
    assert prune(store, a_keep(days, message_days), now) == 0


def test_so_many_go_at_once(store: Store) -> None:
    kept(store, *(a_record(number) for number in range(1, PAGE + 3)))
    now = NOW + 1000 * _DAY_S

    assert [prune(store, KEEP, now) for _ in range(3)] == [PAGE, 2, 0]
