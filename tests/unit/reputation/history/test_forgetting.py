"""Somebody is forgotten in each home, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reputation.history import journal
from reputation.history.forgetting import Forgotten, forget
from reputation.history.journal import STREAM, Journal
from reputation.history.record import Found
from reputation.store import Append, Search
from tests.unit.reputation.history.test_journal import HASHED, KEEP, NOW, a_record, ids, kept

if TYPE_CHECKING:
    from reputation.store import Store


def keep_message(store: Store, number: int, message: bytes) -> None:
    secret = journal.secret_of(store)
    store.write([journal.append_message(f"T{number}", NOW + number, message, KEEP, secret)])


@pytest.mark.parametrize("keep", [KEEP, HASHED], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    "differing",
    [
        pytest.param({"mail_from": "Dora@home.example"}, id="reverse-path"),
        pytest.param({"author": "dora@HOME.example"}, id="author"),
        pytest.param({"recipients": ["x@ours.example", "dora@home.example"]}, id="recipient"),
        pytest.param({"reason": "dora@home.example is not known"}, id="reason"),
        pytest.param({"client": {"ip": "192.0.2.7", "account": "dora@home.example"}}, id="login"),
    ],
)
def test_record_that_names_somebody_is_erased_and_others_stay(
    store: Store, keep: journal.Keep, differing: dict[str, object]
) -> None:
    history = kept(store, a_record(1), a_record(2, **differing), a_record(3), keep=keep)

    assert forget(store, "dora@home.example") == Forgotten(1, 0, 0)
    assert ids(history) == ["T3", "T1"]
    assert history.find("T2") is None


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        pytest.param("alice@ours.example", ["T1"], id="mailbox"),
        pytest.param("ours.example", ["T3", "T2", "T1"], id="domain-and-what-is-below-it"),
        pytest.param("sub.ours.example", ["T3"], id="domain-below"),
        pytest.param("192.0.2.7", ["T1"], id="address"),
        pytest.param("2001:db8::7", ["T2"], id="ipv6-address"),
        pytest.param("lice@ours.example", [], id="end-of-another-one"),
        pytest.param("alice@ours.exam", [], id="beginning-of-another-one"),
        pytest.param("ours.example.org", [], id="longer-domain"),
    ],
)
def test_only_the_whole_name_counts(store: Store, name: str, gone: list[str]) -> None:
    facts = {"found": [Found("SPF_PASS", "", {})], "facts": {}}
    history = kept(
        store,
        a_record(1, **facts),
        a_record(2, recipients=["malice@ours.example"], client={"ip": "2001:db8::7"}, **facts),
        a_record(3, recipients=["malice@sub.ours.example"], client={"ip": "192.0.2.77"}, **facts),
    )

    assert forget(store, name).records == len(gone)
    assert ids(history) == [each for each in ("T3", "T2", "T1") if each not in gone]


def test_messages_go_with_their_records_and_where_only_they_name_somebody(store: Store) -> None:
    history = kept(store, a_record(1, message_kept=True), a_record(2, message_kept=True))
    keep_message(store, 1, b"Subject: no name of hers\r\n\r\nx\r\n")
    keep_message(store, 2, b"Cc: Dora <DORA@home.example>\r\n\r\nx\r\n")
    keep_message(store, 3, b"Cc: dora@home.example.org\r\n\r\nx\r\n")

    assert forget(store, "dora@home.example") == Forgotten(0, 1, 0)
    assert (history.message("T2"), history.message("T3") is None) == (None, False)
    assert forget(store, "alice@ours.example") == Forgotten(2, 1, 0)
    assert (history.message("T1"), ids(history)) == (None, [])


def test_of_two_names_both_must_be_there(store: Store) -> None:
    history = kept(store, a_record(1), a_record(2, recipients=["dora@home.example"], facts={}))

    assert forget(store, "carol@sender.example", "dora@home.example").records == 1
    assert ids(history) == ["T1"]


def test_many_records_are_looked_through(store: Store) -> None:
    names = ["eva", "eva", "dora"]
    records = [
        a_record(n, recipients=[f"{names[(n - 1) % 3]}@home.example"], facts={})
        for n in range(1, 651)
    ]
    history = kept(store, *records)

    assert forget(store, "dora@home.example") == Forgotten(216, 0, 0)
    assert len(ids(Journal(store), recipient="eva@home.example")) == 100
    assert ids(history, recipient="dora@home.example") == []
    assert len(store.search(STREAM, Search(), 1000)) == 434


def test_what_cannot_be_read_is_left_and_told(store: Store) -> None:
    store.write([Append(STREAM, NOW, b"\x99dora@home.example", (), KEEP.records)])

    assert forget(store, "dora@home.example") == Forgotten(0, 0, 1)


def test_what_is_kept_after_an_erasure_is_bounded_as_before(store: Store) -> None:
    keep = journal.Keep(journal.retention(days=30, entries=4, total_bytes=2**22), KEEP.messages)
    history = kept(store, *[a_record(n) for n in range(1, 5)], keep=keep)
    store.erase(STREAM, [2, 3, 99])

    kept(store, *[a_record(n) for n in range(5, 9)], keep=keep)

    assert ids(history) == ["T8", "T7", "T6", "T5"]
    assert store.newest(STREAM) == 8
