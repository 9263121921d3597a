"""`POST /v1/learn/{label}`: who may teach, and how lessons are heard."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from milter.doors.teaching import Teacher
from milter.memory.client import StoreClient
from reputation.classifier.lessons import STREAM
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from tests.support.http_door import MESSAGE, Got, a_whole_door, asked
from tests.support.ports import free_ports
from tests.support.stores import Counted, client_of, random_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store

_numbers = count()


def taught(
    folder: Path,
    store: Store,
    label: str,
    body: bytes = MESSAGE,
    headers: dict[str, str] | None = None,
    *,
    port: int | None = None,
) -> Got:
    teacher = Teacher(client_of(store))
    return asked(
        a_whole_door(),
        folder,
        f"/v1/learn/{label}",
        body=body,
        headers=headers,
        teacher=teacher,
        token=b"secret",
        port=port,
    )


def another_message() -> bytes:
    return MESSAGE + b"%d\n" % next(_numbers)


def test_lesson_is_heard_once_and_can_be_changed(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    heard = [taught(tmp_path, store, label).json for label in ("spam", "spam", "ham")]
    assert heard == [{"heard": "learned"}, {"heard": "known"}, {"heard": "changed"}]
    assert len(store.follow(STREAM, 0, 10)) == 2


def test_lesson_is_the_same_with_either_line_end(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    taught(tmp_path, store, "spam")
    assert taught(tmp_path, store, "spam", MESSAGE.replace(b"\n", b"\r\n")).json == {
        "heard": "known"
    }


@pytest.mark.parametrize(
    ("from_here", "headers", "status"),
    [
        pytest.param(True, {}, 401, id="this-machine-is-not-enough"),
        pytest.param(False, {}, 200, id="a-unix-socket"),
        pytest.param(
            False, {"X-Forwarded-For": "192.0.2.1", "Password": "secret"}, 200, id="the-token"
        ),
    ],
)
def test_teaching_needs_the_token_everywhere(
    from_here: bool, headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    (port,) = free_ports(1) if from_here else (None,)
    store = MemoryStore(random_bytes())
    assert taught(tmp_path, store, "spam", headers=headers, port=port).status == status


def test_a_user_who_teaches_too_much_is_told_to_wait(tmp_path: Path) -> None:
    store = MemoryStore(random_bytes())
    user = {"User": "alice"}
    lessons = [taught(tmp_path, store, "spam", another_message(), user) for _ in range(51)]
    assert [got.status for got in lessons] == [200] * 50 + [429]
    assert lessons[-1].headers["Retry-After"] == "1800"
    assert taught(tmp_path, store, "spam", another_message(), {"User": "bob"}).status == 200


def test_unknown_label_is_told_so(tmp_path: Path) -> None:
    assert taught(tmp_path, MemoryStore(random_bytes()), "eggs").status == 404


def test_where_nothing_is_learned_it_is_told_so(tmp_path: Path) -> None:
    got = asked(a_whole_door(), tmp_path, "/v1/learn/spam")
    assert (got.status, got.json["error"]) == (503, "nothing is learned here: set `store`")


def test_store_that_does_not_answer_is_told_so(tmp_path: Path) -> None:
    def broken() -> Store:
        raise StoreError("gone")

    client = StoreClient(
        broken, counts=Counted(), clock=lambda: 0.0, monotonic=lambda: 0.0, timeout_s=1.0
    )
    got = asked(a_whole_door(), tmp_path, "/v1/learn/spam", teacher=Teacher(client))
    assert (got.status, got.headers["Retry-After"]) == (503, "5")
