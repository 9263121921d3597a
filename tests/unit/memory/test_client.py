"""The store behind an event loop: deadlines, batches, failures and their end."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from milter.memory import client
from milter.memory.client import StoreClient
from milter.memory.opening import Home
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from reputation.store import Add, Append, Fade, Put, Retention, Row
from tests.support.stores import Counted, client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reputation.store import Store, Write

ONE = Add("series", 1, b"key", (1,), 100.0)


class FailingStore(MemoryStore):
    """A store whose writes fail as long as it has errors to raise."""

    def __init__(self, *errors: StoreError) -> None:
        super().__init__(os.urandom)
        self.errors = list(errors)
        self.attempts: list[tuple[bytes, int]] = []

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        self.attempts.append((attempt, len(batch)))
        if self.errors:
            raise self.errors.pop(0)
        super().write(batch)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER_S", "_PAUSE_S"):
        monkeypatch.setattr(client, name, 0.01)


def a_client(store: Store, counts: Counted | None = None, **changed: Any) -> StoreClient:
    settings: dict[str, Any] = {
        "counts": counts or Counted(),
        "clock": lambda: 1.0,
        "monotonic": asyncio.get_running_loop().time,
        "timeout_s": 5.0,
    }
    return StoreClient(lambda: store, **(settings | changed))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in another thread."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def counted(store: Store) -> int:
    return sum(row.amounts[0] for row in store.sums("series", 0, 10))


def test_ask_returns_the_answer_and_counts_it() -> None:
    async def main() -> None:
        counts = Counted()
        asking = client_of(MemoryStore(os.urandom), counts=counts)
        assert await asking.ask("present", lambda s: s.present("s", [b"a"], 1)) == frozenset()
        await asking.close()
        assert counts.operations[0] == "present"

    asyncio.run(main())


def test_ask_without_answer_fails_at_its_deadline_and_then_at_once() -> None:
    async def main() -> None:
        counts, let_go = Counted(), threading.Event()
        asking = client_of(MemoryStore(os.urandom), counts=counts)
        with pytest.raises(StoreError, match="no answer in time"):
            await asking.ask("present", lambda _: let_go.wait(10), 0.02)
        calls = []
        with pytest.raises(StoreError, match="no answer in time"):
            await asking.ask("present", lambda _: calls.append(1))
        let_go.set()
        # What must not be missed is asked all the same.
        assert await asking.insist("present", lambda _: 5, 5.0) == 5
        assert await asking.ask("present", lambda _: 6) == 6
        assert calls == []
        assert counts.reasons == ["slow"]
        await asking.close()

    asyncio.run(main())


def test_ask_refuses_more_questions_than_may_wait() -> None:
    async def main() -> None:
        let_go = threading.Event()
        asking = client_of(MemoryStore(os.urandom))
        waiting = [
            asyncio.ensure_future(asking.insist("present", lambda _: let_go.wait(10), 5.0))
            for _ in range(64)
        ]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="too many"):
            await asking.ask("present", lambda _: 1)
        late = asyncio.ensure_future(asking.insist("present", lambda _: 1, 5.0))
        let_go.set()
        assert await late == 1
        assert all(await asyncio.gather(*waiting))
        await asking.close()

    asyncio.run(main())


def test_questions_do_not_wait_until_all_keys_were_looked_through_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_START_S", 0.05)
    let_go = threading.Event()

    class LargeStore(MemoryStore):
        def keys(self, space: str) -> Iterator[bytes]:
            let_go.wait(10)
            return super().keys(space)

    async def main() -> None:
        asking = client_of(LargeStore(os.urandom))
        await asking.start()
        assert await asking.ask("present", lambda _: 5, 5.0) == 5
        let_go.set()
        await asking.close()

    asyncio.run(main())


def test_writes_are_gathered_into_one_batch_and_all_done_at_the_end() -> None:
    async def main() -> None:
        store = FailingStore()
        writing = a_client(store)
        for _ in range(10):
            writing.write(ONE, ONE)
        await until(lambda: bool(store.attempts))
        writing.write(ONE)
        rows: list[Row] = []
        store.close = lambda: rows.extend(store.sums("series", 0, 9))  # type: ignore[method-assign]
        await writing.close()
        assert [size for _, size in store.attempts] == [20, 1]
        assert rows[0] == Row(1, b"key", (21,))

    asyncio.run(main())


def test_write_that_fails_for_now_is_tried_again_under_the_same_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = FailingStore(*[StoreError("locked", reason="locked")] * 2)
        counts = Counted()
        writing = a_client(store, counts)
        writing.write(ONE)
        await until(lambda: counted(store) > 0)
        assert len({attempt for attempt, _ in store.attempts}) == 1
        assert len(store.attempts) == 3
        assert (counted(store), counts.dropped, counts.reasons) == (1, 0, ["locked"] * 2)
        await writing.close()

    with caplog.at_level(logging.WARNING, "gatepost.memory"):
        asyncio.run(main())
    assert caplog.messages == ["store failed", "store works again"]


def test_write_that_will_never_do_is_given_up_and_the_next_one_done() -> None:
    async def main() -> None:
        # A lane asks a store that was opened anew once more.
        store = FailingStore(*[StoreError("no such table", temporary=False)] * 2)
        counts = Counted()
        writing = a_client(store, counts)
        store.close = lambda: None  # type: ignore[method-assign]
        writing.write(ONE, ONE)
        await until(lambda: counts.dropped > 0)
        writing.write(ONE)
        await until(lambda: counted(store) > 0)
        assert (counts.dropped, counted(store)) == (2, 1)
        await writing.close()

    asyncio.run(main())


def test_writes_wait_within_bounds_and_what_is_beyond_is_dropped() -> None:
    async def main() -> None:
        store = FailingStore(*[StoreError("locked", reason="locked")] * 10_000)
        counts = Counted()
        writing = a_client(store, counts)
        for _ in range(21_000):
            writing.write(ONE)
        assert counts.dropped == 1000
        large = Append("s", 1.0, b"x" * 2**20, (), Retention(10, 2**30, 10))
        writing = a_client(store, counts := Counted())
        writing.write(*[large] * 40)
        assert counts.dropped == 8
        writing.write(ONE)
        assert counts.dropped == 8

    asyncio.run(main())


def test_close_gives_up_what_a_store_that_hangs_did_not_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_CLOSE_S", 0.05)

    async def main() -> None:
        let_go = threading.Event()
        store = FailingStore()
        store.write = lambda batch, attempt=b"": let_go.wait(10)  # type: ignore[assignment]
        counts = Counted()
        writing = a_client(store, counts)
        writing.write(ONE, ONE)
        await writing.close()
        assert counts.dropped == 2
        let_go.set()

    asyncio.run(main())


# The file and its faults.


def remove_all(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def a_home(tmp_path: Path) -> Home:
    return Home(f"sqlite:{tmp_path}/s.db", timeout_s=5.0)


def a_client_at(home: Home, counts: Counted | None = None) -> StoreClient:
    return StoreClient(
        home.open,
        counts=counts or Counted(),
        clock=lambda: 1.0,
        monotonic=asyncio.get_running_loop().time,
        timeout_s=5.0,
        mend=home.mend,
    )


def test_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    async def main() -> None:
        asking = a_client_at(a_home(tmp_path))
        await asking.ask("put", lambda s: s.put("s", [b"a"], 10))
        remove_all(tmp_path)
        await asking.ask("put", lambda s: s.put("s", [b"b"], 10))
        found = await asking.ask("present", lambda s: s.present("s", [b"a", b"b"], 1))
        assert found == {b"b"}
        await asking.close()

    asyncio.run(main())


def test_file_that_became_corrupt_is_set_aside_and_a_new_one_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        home = a_home(tmp_path)
        store = home.open()
        store.write([Put("s", tuple(b"%d" % i for i in range(5000)), 10)])
        store.close()
        assert home.path is not None
        with home.path.open("r+b") as file:
            # The header and the table of tables stay; what is behind them is nonsense.
            file.seek(4096)
            file.write(os.urandom(200_000))
        asking = a_client_at(home)
        writing = Put("s", tuple(b"%d" % i for i in range(10_000, 10_500)), 10)
        await asking.ask("write", lambda s: s.write([writing]))
        found = await asking.ask("present", lambda s: s.present("s", writing.keys, 1))
        assert len(found) == 500
        await asking.close()

    asyncio.run(main())
    assert (tmp_path / "s.db.corrupt-1").exists()
    assert "corrupt store set aside" in caplog.messages


def test_file_locked_by_somebody_is_an_error_until_it_is_free(tmp_path: Path) -> None:
    async def main() -> None:
        home = Home(f"sqlite:{tmp_path}/s.db", timeout_s=0.1)
        home.open().close()
        counts = Counted()
        asking = a_client_at(home, counts)
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await asking.ask("put", lambda s: s.put("s", [b"a"], 10))
        other.execute("ROLLBACK")
        other.close()
        await asking.insist("put", lambda s: s.put("s", [b"a"], 10), 5.0)
        assert counts.reasons == ["locked"]
        await asking.close()

    asyncio.run(main())


def test_file_that_is_full_takes_no_more_until_something_expired(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2**20)
    large = [Append("s", 1.0, b"x" * 100_000, (), Retention(1000, 2**40, 10))] * 20

    with pytest.raises(StoreError) as caught:
        store.write(large)
    assert (caught.value.reason, caught.value.temporary) == ("full", True)
    store.close()


def test_file_that_is_nearly_full_makes_room_with_what_expires_first(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2**20)

    def fill() -> None:
        for number in range(1000):
            keys = tuple(b"%d-%d" % (number, i) for i in range(200))
            store.write([Put("s", keys, expires_at=1000.0 + number)])

    with pytest.raises(StoreError):
        fill()
    assert store.expire(now=1.0, limit=1000) == 1000

    # The first five batches made room, and the sixth is still there.
    assert store.present("s", [b"0-1", b"4-1", b"5-1"], 1.0) == {b"5-1"}
    store.write([Put("s", (b"new",), 5000.0)])
    store.close()


def test_room_is_made_with_what_expires_first_of_all_kinds(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2**20)
    kept = Fade("standing", b"a", (1.0,), 1.0, 10.0, keep_s=9000.0)
    store.write([kept, Add("series", 1, b"key", (1,), expires_at=9000.0)])
    with suppress(StoreError):
        for number in range(1000):
            keys = tuple(b"%d-%d" % (number, i) for i in range(200))
            store.write([Put("s", keys, expires_at=1000.0 + number)])

    assert store.expire(now=1.0, limit=1000) == 1000

    assert [*store.keys("standing")] == [b"a"]
    assert counted(store) == 1
    store.close()


def test_all_that_expired_goes_however_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_EXPIRE_EVERY_S", 0.2)
    monkeypatch.setattr(client, "_EXPIRE_AT_ONCE", 5)
    monkeypatch.setattr(client, "_STEP_S", 0.0)
    store = MemoryStore(os.urandom)
    store.put("s", [b"%d" % i for i in range(5000)], expires_at=0.5)

    async def main() -> None:
        writing = a_client(store)
        tending = asyncio.ensure_future(writing.tend())
        await until(lambda: not [*store.keys("s")])
        tending.cancel()
        await writing.close()

    asyncio.run(main())


def test_write_of_a_function_that_raises_is_dropped_and_the_next_one_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bug(_: Store) -> list[Write]:
        raise ValueError("a bug of ours")

    async def main() -> None:
        store, counts = FailingStore(), Counted()
        writing = a_client(store, counts)
        writing.write(bug)
        await until(lambda: counts.dropped == 1)
        writing.write(lambda _: [ONE, ONE])
        await until(lambda: counted(store) == 2)
        await writing.close()

    asyncio.run(main())
    assert "batch failed" in caplog.messages
