"""The history keeps no longer than it says, also where no mail comes."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from milter.memory.client import StoreClient
from milter.memory.pruning import Pruning
from reputation.history.journal import STREAM, Keep
from reputation.history.pruning import PAGE
from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from reputation.store import Append, Fade, Retention
from tests.support.stores import Counted
from tests.unit.reputation.history.test_journal import KEEP, NOW, a_record, ids, kept

if TYPE_CHECKING:
    from pathlib import Path

ROOMY = Retention(entries=10**6, total_bytes=10**9, age_s=10**9)


def test_all_that_is_too_old_goes_page_by_page() -> None:
    store = MemoryStore(os.urandom)
    history = kept(store, *(a_record(number) for number in range(1, PAGE + 3)))

    async def main() -> list[str]:
        client = StoreClient(
            lambda: store,
            counts=Counted(),
            clock=lambda: NOW + KEEP.records.age_s + PAGE,
            monotonic=asyncio.get_running_loop().time,
            timeout_s=5.0,
        )
        await Pruning(client, KEEP).once()
        left = ids(history)
        await client.close()
        return left

    assert asyncio.run(main()) == [f"T{PAGE + 2}", f"T{PAGE + 1}", f"T{PAGE}"]


def test_bounds_that_were_lowered_cost_nothing_but_the_history(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom)
    entries = [Append(STREAM, NOW, os.urandom(20_000), (os.urandom(8),), ROOMY) for _ in range(200)]
    standing = [Fade("standing", b"%d" % n, (1.0,), NOW, 9e9, 9e9) for n in range(300)]
    store.write([*entries, *standing])
    store.close()
    keep = Keep(Retention(entries=100, total_bytes=10**6, age_s=10**6), KEEP.messages)

    async def main() -> None:
        client = StoreClient(
            lambda: SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2 * 2**20),
            counts=Counted(),
            clock=lambda: NOW,
            monotonic=asyncio.get_running_loop().time,
            timeout_s=5.0,
        )
        await Pruning(client, keep).once()
        removed = await client.run("expire", lambda store: store.expire(NOW, 5000))
        left = await client.ask("follow", lambda store: store.follow(STREAM, 0, 1000))
        known = await client.ask("keys", lambda store: list(store.keys("standing")))
        await client.close()
        assert (removed, len(known)) == (0, 300)
        assert [one.number for one in left] == [*range(151, 201)]

    asyncio.run(main())
