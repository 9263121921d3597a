"""Keys that must be on the disk before somebody is answered: those that wait share a write.

A disk takes milliseconds to be sure of anything. One write for each message would make a queue of
many that come at once; so while one is under way the next ones gather, and go together.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.memory.client import StoreClient
    from reputation.store import Store


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Keys to be put; found in the thread that writes, for they need a secret of the store."""

    keys: Callable[[Store], Sequence[bytes]]
    expires_at: float
    done: asyncio.Future[None]


class Keeping:
    """Puts keys into one space; used by one event loop.

    Args:
        client: Writes.
        space: Where the keys live.
        timeout_s: How long a write is waited for.
    """

    def __init__(self, client: StoreClient, space: str, timeout_s: float) -> None:
        self._client = client
        self._space = space
        self._timeout_s = timeout_s
        self._waiting: list[_Wanted] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, keys: Callable[[Store], Sequence[bytes]], expires_at: float) -> None:
        """Return when what `keys` gives is on the disk, to be kept until `expires_at`.

        Raises:
            StoreError: It may not be there.
        """
        loop = asyncio.get_running_loop()
        wanted = _Wanted(keys, expires_at, loop.create_future())
        self._waiting.append(wanted)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        await wanted.done

    async def _write_all(self) -> None:
        """Write until nobody waits; the one task of this object."""
        try:
            while self._waiting:
                together, self._waiting = self._waiting, []
                await self._write(together)
        finally:
            self._writing = None

    async def _write(self, together: list[_Wanted]) -> None:
        def put(store: Store) -> None:
            keys = [key for wanted in together for key in wanted.keys(store)]
            store.put(self._space, keys, max(wanted.expires_at for wanted in together))

        failed: StoreError | None = None
        try:
            await self._client.insist("put", put, self._timeout_s)
        except StoreError as err:
            failed = err
        for wanted in together:
            if wanted.done.done():
                # Whoever waited has gone.
                continue
            if failed is not None:
                wanted.done.set_exception(failed)
            else:
                wanted.done.set_result(None)
