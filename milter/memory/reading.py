"""Long questions to the store, out of the way of the short ones that mail waits for.

A thread with a store of its own: a search through a month of history may take seconds, and no check
shall wait behind it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from milter.memory.lane import Lane
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.memory.opening import Home
    from reputation.store import Store

T = TypeVar("T")

# Who waits longer has gone; what it asked for is answered all the same, to nobody.
_PATIENCE_S: Final = 15.0
_MOST: Final = 16
_CLOSE_S: Final = 2.0


class Reading:
    """Asks one question after the other; used by one event loop.

    Args:
        open_store: Opens the store; called in a thread, at the first question.
        mend: Called in the thread when the store says that it is corrupt.
    """

    def __init__(
        self, open_store: Callable[[], Store], mend: Callable[[], None] = lambda: None
    ) -> None:
        self._lane = Lane("store-reading", open_store, mend)
        self._asking = 0

    @classmethod
    def of(cls, home: Home) -> Reading:
        """Return one that reads at `home`."""
        return cls(home.open, home.mend)

    async def ask(self, question: Callable[[Store], T]) -> T:
        """Return what the store answers.

        Raises:
            StoreError: There is no answer.
        """
        if self._asking >= _MOST:
            raise StoreError("too many questions at once", reason="slow")
        self._asking += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.wrap_future(self._lane.submit(question))
        except TimeoutError:
            raise StoreError("no answer in time", reason="slow") from None
        finally:
            self._asking -= 1

    async def close(self) -> None:
        """Let go of the store."""
        await asyncio.to_thread(self._lane.close, _CLOSE_S)
