"""Places for questions: so many at once, and fair turns for those who wait.

One message may ask hundreds of names at once, and one client send many such messages. Where no
place is free, each client waits in a line of its own, and each line has its turn: whoever asks one
question waits for the others' first, not for their last.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from milter.core.limits import client_key

if TYPE_CHECKING:
    from milter.core.connection import IpAddress

# A context belongs to one task, and goes with the questions through every resolver on their way.
_ASKER: Final = ContextVar("asker", default=-1)


def ask_for(client: IpAddress | None) -> None:
    """Have this task, and those that it starts from here on, ask on behalf of `client`."""
    _ASKER.set(-1 if client is None else client_key(client))


def asker() -> int:
    """Return on whose behalf this task asks, as a number; -1 where nobody said."""
    return _ASKER.get()


class Turns:
    """A number of places.

    A semaphore of our own: there is nearly always room, and asyncio's is a coroutine to ask.

    Attributes:
        free: Places that are free; whoever sees one takes it by counting it down.

    Args:
        places: How many there are.
    """

    __slots__ = ("_lines", "free")

    def __init__(self, places: int) -> None:
        self.free = places
        self._lines: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()

    async def wait(self) -> None:
        """Wait for a place and take it."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(asker(), deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # The turn had come: it is the next one's.
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to who waits longest in the line whose turn it is, or back."""
        while self._lines:
            asker, line = self._lines.popitem(last=False)
            while line:
                waiter = line.popleft()
                if not waiter.done():
                    if line:
                        self._lines[asker] = line
                    waiter.set_result(None)
                    return
        self.free += 1
