"""`GET /ping`, `/stat` and `/symbols`, and the two ways to teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.doors.teaching import Teacher
from reputation.memory import MemoryStore
from tests.support.http_door import a_whole_door, asked
from tests.support.stores import client_of, random_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_ping_is_answered(tmp_path: Path) -> None:
    got = asked(a_whole_door(), tmp_path, "/ping", method="GET", body=None)
    assert (got.status, got.body) == (200, b"pong\r\n")


def test_stat_sums_actions_in_their_words(tmp_path: Path) -> None:
    teacher = Teacher(client_of(MemoryStore(random_bytes())))
    asked(a_whole_door(), tmp_path, "/learnspam", teacher=teacher)
    sums = {"pass": 5.0, "tag": 2.0, "quarantine": 1.0, "reject": 3.0}
    got = asked(
        a_whole_door(),
        tmp_path,
        "/stat",
        method="GET",
        body=None,
        teacher=teacher,
        actions=lambda: sums,
    )
    assert got.json["scanned"] == 11
    assert got.json["actions"]["add header"] == 3
    assert (got.json["spam_count"], got.json["ham_count"]) == (6, 5)
    assert got.json["learned"] == 1


def test_symbols_are_told_by_group(tmp_path: Path) -> None:
    groups = asked(a_whole_door(), tmp_path, "/symbols", method="GET", body=None).json
    weights = {rule["symbol"]: rule["weight"] for group in groups for rule in group["rules"]}
    assert (weights["GTUBE"], weights["SPF_FAIL"]) == (100, 5)


def test_lessons_are_answered_as_their_clients_expect(tmp_path: Path) -> None:
    teacher = Teacher(client_of(MemoryStore(random_bytes())))
    paths = ("/learnspam", "/learnspam", "/learnham")
    heard = [asked(a_whole_door(), tmp_path, path, teacher=teacher) for path in paths]
    assert [got.status for got in heard] == [200, 208, 200]
    assert [got.json.get("success") for got in heard] == [True, None, True]
