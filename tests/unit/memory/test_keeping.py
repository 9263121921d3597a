from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest

from milter.memory.keeping import Keeping
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from tests.support.stores import Counted, client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store


def of(*keys: bytes) -> Callable[[Store], list[bytes]]:
    return lambda _store: list(keys)


def test_keys_that_wait_together_share_a_write() -> None:
    async def main() -> None:
        store, counts, let_go = MemoryStore(os.urandom), Counted(), threading.Event()
        keeping = Keeping(client := client_of(store, counts=counts), "space", 5.0)

        def slow(_store: Store) -> list[bytes]:
            let_go.wait(10)
            return [b"first"]

        first = asyncio.ensure_future(keeping.put(slow, 100.0))
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(keeping.put(of(b"%d" % n), 100.0)) for n in range(50)]
        await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(first, *others)

        keys = [b"first", *(b"%d" % n for n in range(50))]
        assert store.present("space", keys, 1.0) == set(keys)
        assert counts.operations.count("put") == 2
        await client.close()

    asyncio.run(main())


def test_what_cannot_be_written_is_told_to_each_that_waits() -> None:
    async def main() -> None:
        client = client_of(MemoryStore(os.urandom))
        keeping = Keeping(client, "space", 5.0)

        def broken(_store: Store) -> list[bytes]:
            raise StoreError("full", reason="full")

        told = await asyncio.gather(
            keeping.put(broken, 1.0), keeping.put(of(b"x"), 1.0), return_exceptions=True
        )
        assert [type(each) for each in told] == [StoreError, StoreError]
        await keeping.put(of(b"y"), 100.0)
        await client.close()

    asyncio.run(main())


def test_whoever_gave_up_waiting_keeps_nobody_else() -> None:
    async def main() -> None:
        client = client_of(MemoryStore(os.urandom))
        keeping = Keeping(client, "space", 5.0)
        gone = asyncio.ensure_future(keeping.put(of(b"a"), 100.0))
        stays = asyncio.ensure_future(keeping.put(of(b"b"), 100.0))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        with pytest.raises(asyncio.CancelledError):
            await gone
        await client.close()

    asyncio.run(main())
