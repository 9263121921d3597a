"""The history keeps no longer than it says, also where no mail comes."""

from __future__ import annotations

import asyncio
import os

from milter.memory.client import StoreClient
from milter.memory.pruning import Pruning
from reputation.history.pruning import PAGE
from reputation.memory import MemoryStore
from tests.support.stores import Counted
from tests.unit.reputation.history.test_journal import KEEP, NOW, a_record, ids, kept


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
