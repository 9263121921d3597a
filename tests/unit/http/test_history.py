"""The history over HTTP: found by what people know, for who knows the token alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from milter.memory.reading import Reading
from reputation.errors import StoreError
from reputation.history import journal
from reputation.history.journal import Keep, retention
from reputation.history.record import Found, Record
from reputation.sqlite import SqliteStore
from tests.support.http_door import Got, a_whole_door, asked
from tests.support.ports import free_ports
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
KEEP = Keep(
    retention(days=30, entries=10_000, total_bytes=2**24),
    retention(days=7, entries=10, total_bytes=2**20),
)


def a_history(folder: Path, messages: int) -> Reading:
    def opened() -> SqliteStore:
        return SqliteStore(folder / "g.db", random_bytes())

    store = opened()
    secret = journal.secret_of(store)
    store.write(
        [
            journal.append(
                Record(
                    f"T{number}",
                    NOW + number,
                    client={"ip": "192.0.2.7"},
                    mail_from=f"a{number % 2}@sender.example",
                    recipients=["b@ours.example"],
                    rcpt_count=1,
                    action="reject" if number % 3 == 0 else "pass",
                    reply="550 5.7.1 Message refused",
                    found=[Found("RARE", "", {})] if number == 0 else [],
                ),
                KEEP,
                secret,
            )
            for number in range(messages)
        ]
    )
    store.close()
    return Reading(opened)


def get(folder: Path, path: str = "/v1/history", **query: str) -> Got:
    return get_of(6, folder, path, **query)


def get_of(messages: int, folder: Path, path: str = "/v1/history", **query: str) -> Got:
    reading = a_history(folder, messages)
    told = f"{path}?{urlencode(query)}" if query else path
    return asked(a_whole_door(), folder, told, method="GET", body=None, reading=reading)


def ids(got: Got) -> list[str]:
    assert got.status == 200, got.body
    return [each["txn_id"] for each in got.json["messages"]]


def test_history_lists_the_youngest_first_with_a_sentence(tmp_path: Path) -> None:
    got = get(tmp_path)

    assert ids(got) == ["T5", "T4", "T3", "T2", "T1", "T0"]
    assert got.json["after"] == ""
    assert got.json["messages"][2]["sentence"].startswith(
        "Refused at 2027-01-15 08:00:03 UTC: mail from a1@sender.example to b@ours.example"
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"sender": "a1@sender.example"}, ["T5", "T3", "T1"]),
        ({"recipient": "ours.example", "action": "reject"}, ["T3", "T0"]),
        ({"symbol": "RARE"}, ["T0"]),
        ({"since": "1800000003", "until": "1800000004"}, ["T4", "T3"]),
        ({"since": "2027-01-15T08:00:05"}, ["T5"]),
        ({"sender": "nobody@sender.example"}, []),
        ({"client_ip": "[::FFFF:192.0.2.7]", "action": "reject"}, ["T3", "T0"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_history_is_searched(tmp_path: Path, query: dict[str, str], found: list[str]) -> None:
    assert ids(get(tmp_path, **query)) == found


def test_history_goes_on_where_an_answer_ended(tmp_path: Path) -> None:
    first = get(tmp_path, limit="4")
    assert ids(first) == ["T5", "T4", "T3", "T2"]

    (tmp_path / "g.db").unlink()
    assert ids(get(tmp_path, after=first.json["after"])) == ["T1", "T0"]


def test_history_shows_all_of_one_message(tmp_path: Path) -> None:
    got = get(tmp_path, "/v1/history/T0")

    assert got.status == 200
    assert got.json["found"] == [{"symbol": "RARE", "evidence": "", "details": {}}]
    assert got.json["recipients"] == ["b@ours.example"]
    (tmp_path / "g.db").unlink()
    assert get(tmp_path, "/v1/history/T99").status == 404


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "0000005000"},
        {"limit": "9" * 5000},
        {"limit": "x"},
        {"since": "yesterday"},
        {"since": "nan"},
        {"after": "x"},
        {"after": "inf-1"},
        {"after": "1--5"},
        {"subject": "x"},
        {"sender": "x" * 2000},
    ],
    ids=str,
)
def test_history_refuses_what_it_does_not_know(tmp_path: Path, query: dict[str, str]) -> None:
    assert get_of(1, tmp_path, **query).status == 400


def test_history_search_for_what_is_rare_goes_on_in_steps(tmp_path: Path) -> None:
    first = get_of(5401, tmp_path, symbol="RARE")
    assert ids(first) == []
    assert first.json["after"]

    (tmp_path / "g.db").unlink()
    rest = get_of(5401, tmp_path, symbol="RARE", after=first.json["after"])
    assert ids(rest) == ["T0"]


def test_history_without_a_store_says_so(tmp_path: Path) -> None:
    got = asked(a_whole_door(), tmp_path, "/v1/history", method="GET", body=None)
    assert got.status == 503
    assert "store" in got.json["error"]


def test_history_of_a_store_that_fails_is_asked_for_later(tmp_path: Path) -> None:
    def broken() -> SqliteStore:
        raise StoreError("no disk")

    reading = Reading(broken)
    got = asked(a_whole_door(), tmp_path, "/v1/history", method="GET", body=None, reading=reading)
    assert (got.status, got.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/v1/history", "/v1/history/T0"])
@pytest.mark.parametrize("caller", ["machine", "beyond"])
def test_history_needs_the_token_everywhere(tmp_path: Path, path: str, caller: str) -> None:
    def status(authorization: str) -> int:
        proxied = {"X-Forwarded-For": "192.0.2.1"} if caller == "beyond" else {}
        headers = {**proxied, "Authorization": authorization}
        got = asked(
            *(a_whole_door(), tmp_path, path),
            headers=headers,
            method="GET",
            body=None,
            token=b"secret",
            reading=Reading(lambda: SqliteStore(tmp_path / "g.db", random_bytes())),
            port=port,
        )
        return got.status

    (port,) = free_ports(1)
    a_history(tmp_path, 1)
    assert [status(""), status("Bearer wrong"), status("Bearer secret")] == [401, 401, 200]
