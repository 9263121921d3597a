"""Keeping the history's promise of how long it keeps what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError
from reputation.history.pruning import prune

if TYPE_CHECKING:
    from milter.memory.client import StoreClient
    from reputation.history.journal import Keep

_EVERY_S: Final = 600.0
# Before a file that is nearly full makes room.
_FIRST_S: Final = 5.0
_STEP_S: Final = 0.1


class Pruning:
    """Removes what is too old or too much, again and again.

    Args:
        store: Where it is.
        keep: What is kept, and how long.
    """

    def __init__(self, store: StoreClient, keep: Keep) -> None:
        self._store = store
        self._keep = keep

    async def tend(self) -> None:
        """Do it now and then; run it as a task."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                await self.once()
            except StoreError as err:
                self._store.failed(err)
            await asyncio.sleep(_EVERY_S)

    async def once(self) -> None:
        """Remove all that is too old or too much now, some at a time.

        Raises:
            StoreError: The store does not answer.
        """
        clock, keep = self._store.clock, self._keep
        while True:
            if not await self._store.run("expire", lambda store: prune(store, keep, clock())):
                return
            await asyncio.sleep(_STEP_S)
