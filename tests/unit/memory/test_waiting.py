"""What waits to be written: for a file whose folder is away, and how much of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.memory import client
from milter.memory.client import StoreClient
from milter.memory.opening import Home
from reputation.memory import MemoryStore
from reputation.store import Append, Put, Retention
from tests.support.stores import Counted, client_of, random_bytes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WRITTEN = (b"before", b"meanwhile")


def test_write_that_is_larger_than_what_may_wait_is_done() -> None:
    store, counts = MemoryStore(random_bytes()), Counted()
    keep = Retention(10, 2**30, 10)
    large = Append("s", 1.0, bytes(33 * 2**20), (), keep)

    async def main() -> None:
        writing = client_of(store, counts=counts)
        writing.write(Append("s", 1.0, b"small", (), keep), large, large)
        await writing.flush(60.0)
        assert store.newest("s") == 2
        await writing.close()

    asyncio.run(main())
    assert counts.dropped == 1


class Telling(Counted):
    """Counts that tell of the first failure."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = asyncio.Event()

    def store_failed(self, reason: str) -> None:
        super().store_failed(reason)
        self.failed.set()


def test_writes_wait_for_a_folder_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PAUSE_S", 0.01)
    folder, counts = tmp_path / "state", Telling()
    home = Home(f"sqlite:{folder}/s.db", timeout_s=5.0)

    async def main() -> frozenset[bytes]:
        asking = StoreClient(
            home.open,
            counts=counts,
            clock=lambda: 1.0,
            monotonic=asyncio.get_running_loop().time,
            timeout_s=5.0,
            gather_s=0.0,
        )
        asking.write(Put("s", (b"before",), 10))
        await asking.flush(5.0)
        folder.rename(tmp_path / "away")
        folder.write_text("in its place")
        asking.write(Put("s", (b"meanwhile",), 10))
        await counts.failed.wait()
        folder.unlink()
        (tmp_path / "away").rename(folder)
        await asking.flush(5.0)
        found = await asking.insist("present", lambda s: s.present("s", WRITTEN, 1), 5.0)
        await asking.close()
        return found

    assert asyncio.run(main()) == {*WRITTEN}
    assert counts.dropped == 0
    assert set(counts.reasons) == {"gone"}
