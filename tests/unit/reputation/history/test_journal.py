"""The history in each home: what is written is found, by all that people know of a message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reputation.history import journal
from reputation.history.journal import Journal, Keep, Wanted, retention
from reputation.history.record import Answer, Counted, Found, Record, Share
from reputation.store import Append

if TYPE_CHECKING:
    from reputation.store import Store

NOW = 1_800_000_000.0
KEEP = Keep(
    retention(days=30, entries=1000, total_bytes=2**22),
    retention(days=7, entries=10, total_bytes=2**20),
)
HASHED = replace(KEEP, hashed=True)


def a_record(number: int = 1, **said: object) -> Record:
    made = Record(
        txn_id=f"T{number}",
        at=NOW + number,
        listener="inbound",
        direction="inbound",
        client={"ip": "192.0.2.7", "helo": "mx.sender.example"},
        mail_from="Bounce@news.example",
        recipients=["alice@ours.example", "bob@ours.example"],
        rcpt_count=2,
        author="carol@sender.example",
        message_id=f"<m{number}@sender.example>",
        subject="Hello",
        queue_ids=[f"Q{number}"],
        action="pass",
        reply="250 2.0.0 Ok",
        delivered=True,
        found=[Found("SPF_PASS", "for carol@sender.example", {"domain": "sender.example"})],
        facts={"urls": [{"url": "https://a.example/?u=alice@ours.example"}], "subject": "Hello"},
    )
    return replace(made, **said)  # type: ignore[arg-type]  # a test says what differs


def kept(store: Store, *records: Record, keep: Keep = KEEP) -> Journal:
    secret = journal.secret_of(store)
    store.write([journal.append(record, keep, secret) for record in records])
    return Journal(store)


def ids(found: Journal, **wanted: object) -> list[str]:
    lines = found.search(Wanted(**wanted), 100)  # type: ignore[arg-type]  # as above
    return [line.record.txn_id for line in lines]


def test_find_returns_the_record_as_it_was_written(store: Store) -> None:
    whole = a_record(
        score=3.25,
        symbols=[Counted("SPF_FAIL", 3.0, 2.5)],
        answers=[Answer("bl.example", "client_ip", "192.0.2.7", ["127.0.0.4"], "")],
        shares=[Share("test", False, "pass", 3.25, "", ["alice@ours.example"])],
        trace=["3.25 points: stays below tag (5)"],
    )

    found = kept(store, a_record(2), whole)

    assert found.find("T1") == whole
    assert found.find("T3") is None


def test_latest_returns_the_youngest_first(store: Store) -> None:
    found = kept(store, *[a_record(number) for number in range(5)])

    assert [record.txn_id for record in found.latest(3)] == ["T4", "T3", "T2"]


@pytest.mark.parametrize("keep", [KEEP, HASHED], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"sender": "bounce@news.example"}, id="reverse-path-in-other-letters"),
        pytest.param({"sender": "carol@sender.example"}, id="author"),
        pytest.param({"sender": "news.example"}, id="domain-of-the-reverse-path"),
        pytest.param({"recipient": "bob@ours.example"}, id="second-recipient"),
        pytest.param({"recipient": "ours.example"}, id="domain-of-recipients"),
        pytest.param({"message_id": "m1@sender.example"}, id="message-id-without-brackets"),
        pytest.param({"queue_id": "Q1"}, id="queue-id"),
        pytest.param({"client_ip": "192.0.2.7"}, id="client"),
        pytest.param({"symbol": "SPF_PASS"}, id="symbol"),
        pytest.param({"action": "pass", "listener": "inbound"}, id="action-and-listener"),
        pytest.param({"since": NOW + 1, "until": NOW + 2}, id="time"),
    ],
)
def test_search_finds_a_message_by_what_people_know_of_it(
    store: Store, keep: Keep, wanted: dict[str, object]
) -> None:
    other = a_record(
        9,
        client={"ip": "198.51.100.1"},
        mail_from="",
        author="dave@else.example",
        recipients=["eve@theirs.example"],
        action="reject",
        listener="submission",
        found=[],
    )

    found = kept(store, a_record(1), other, keep=keep)

    assert ids(found, **wanted) == ["T1"]


def test_search_goes_on_behind_what_it_gave(store: Store) -> None:
    found = kept(store, *[a_record(number, at=NOW) for number in range(7)])
    seen: list[str] = []
    wanted = Wanted(sender="news.example")
    while lines := found.search(wanted, 3):
        seen += [line.record.txn_id for line in lines]
        last = lines[-1]
        wanted = replace(wanted, until=last.record.at, before=last.number)

    assert seen == [f"T{number}" for number in range(6, -1, -1)]


def test_search_by_symbol_looks_beyond_the_first_page(store: Store) -> None:
    rare = a_record(0, found=[Found("RARE", "", {})])
    found = kept(store, rare, *[a_record(number) for number in range(1, 450)])

    assert ids(found, symbol="RARE") == ["T0"]


def test_hashed_record_holds_no_address_no_subject_and_no_link(store: Store) -> None:
    secret = journal.secret_of(store)
    shares = [Share("test", False, "pass", 0.0, "", ["alice@ours.example"])]
    record = a_record(
        reason="no mail for bob@ours.example",
        reply="250 queued for <alice@ours.example>",
        client={"ip": "192.0.2.7", "account": "carol"},
        facts={
            "account": "carol",
            "subject": "Secret",
            "urls": [{"url": "https://a.example/?u=alice@ours.example"}],
            "reputation": [{"subject": "pair", "name": "carol@sender.example bob@ours.example"}],
        },
        shares=shares,
        redirected={"alice@held.example": ["bob@ours.example"]},
        served=["bob@ours.example"],
        found=[
            Found("LOTTERY", "subject: Secret", {}),
            Found("SPF_PASS", "for carol@sender.example", {"listed": "bob@ours.example"}),
        ],
    )

    found = kept(store, record, keep=HASHED).find("T1")

    assert found is not None
    assert found.private
    text = repr(found).lower()
    for word in ("alice", "bob", "carol", "bounce", "secret", "hello", "a.example/"):
        assert word not in text
    assert found.mail_from.endswith("@news.example")
    assert found.author in found.found[1].evidence
    assert {"subject", "urls"} <= set(found.cut)
    entry = journal.append(record, HASHED, secret)
    assert not any(word.isalnum() and b"ours" in word for word in entry.words)


def test_hashed_record_tells_no_file_no_host_and_no_quoted_mailbox(store: Store) -> None:
    file = "Notice for Ann.pdf.exe"
    record = a_record(
        mail_from='"ann smith"@news.example',
        reason=f'the attachment {file} is a program; mail from "ann smith"@news.example',
        reply=f"550 5.7.1 the attachment {file} is a program",
        trace=["https://host.example/"],
        found=[
            Found("FILE_PROGRAM", "", {"file": file}),
            Found("LINK_FRESH_HOST", "", {"host": "host.example"}),
            Found("SPF_PASS", "", {"name": "mx.news.example"}),
        ],
    )

    found = kept(store, record, keep=HASHED).find("T1")

    assert found is not None
    text = repr(found).lower()
    for word in ("ann", "smith", "notice", "host.example"):
        assert word not in text
    assert found.reply == "550 5.7.1 the attachment … is a program"
    assert found.reason.endswith(found.mail_from)
    assert found.found[2].details == {"name": "mx.news.example"}


def test_message_is_kept_beside_its_record_and_found_by_its_id(store: Store) -> None:
    message = b"Subject: x\r\n\r\n" + b"a" * 100_000
    secret = journal.secret_of(store)
    write = journal.append_message("T1", NOW, message, KEEP, secret)
    assert len(write.payload) < 1000

    store.write([write])

    assert Journal(store).message("T1") == message
    assert Journal(store).message("T2") is None


def test_history_keeps_to_its_bounds_of_records_bytes_and_days(store: Store) -> None:
    few = replace(KEEP, records=retention(days=1, entries=5, total_bytes=2**20))
    found = kept(store, *[a_record(number) for number in range(9)], keep=few)
    assert ids(found) == ["T8", "T7", "T6", "T5", "T4"]

    kept(store, a_record(10, at=NOW + 2 * 86_400), keep=few)
    assert ids(found) == ["T10"]

    small = replace(KEEP, records=retention(days=1, entries=100, total_bytes=2000))
    kept(store, *[a_record(n, at=NOW + 3 * 86_400 + n) for n in range(11, 30)], keep=small)
    sizes = [len(entry.payload) for entry in store.follow(journal.STREAM, 0, 100)]
    assert 2000 - max(sizes) < sum(sizes) <= 2000


def test_entry_that_cannot_be_read_is_left_out(store: Store) -> None:
    found = kept(store, a_record(1))
    store.write([Append(journal.STREAM, NOW + 5, b"\x01nonsense", (), KEEP.records)])
    kept(store, a_record(2, at=NOW + 6))

    assert ids(found) == ["T2", "T1"]


def test_every_recipient_of_a_message_to_many_is_found(store: Store) -> None:
    many = [f"r{number}@r{number % 90}.example" for number in range(100)]
    history = kept(store, a_record(1), a_record(2, recipients=many), a_record(3), a_record(4))

    assert {tuple(ids(history, recipient=one)) for one in many} == {("T2",)}
    assert ids(history, recipient="r89.example") == ["T2"]
    assert ids(history, recipient="r100@r10.example") == []
    assert ids(history, recipient="alice@ours.example", sender="carol@sender.example") == [
        *("T4", "T3", "T1")
    ]
