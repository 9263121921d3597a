"""Taking connections on a socket that listens already, and having them come to their end.

What is spoken on them is not known here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# Many sessions begin at once when a peer empties its queue. Who finds the backlog full believes to
# be connected, and waits for a greeting that nobody sends.
BACKLOG: Final = 1024


class Connected(Protocol):
    """One connection."""

    def drain(self) -> None:
        """End at the next pause."""
        ...

    def abort(self) -> None:
        """End now; `Connections.remove` follows."""
        ...


_C = TypeVar("_C", bound=Connected)


class Accepting:
    """A listening socket from which connections are taken until it is told to stop."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    async def start(
        self, listening: socket.socket, new_protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Take connections, each with a new protocol."""
        loop = asyncio.get_running_loop()
        # Not `create_unix_server`: it removes the path of the socket when it closes, and after a
        # reload would take the door away from the workers that came instead.
        # The backlog is set once more here, to 100 where none is given.
        self._server = await loop.create_server(new_protocol, sock=listening, backlog=BACKLOG)

    def stop(self) -> None:
        """Take no more connections; those that stand go on."""
        if self._server is not None:
            self._server.close()
            self._server = None


class Connections(Generic[_C]):
    """The connections of one listener, those that are being turned away included."""

    def __init__(self) -> None:
        self._all: set[_C] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, connection: _C) -> None:
        """Take note of one that came."""
        self._empty.clear()
        self._all.add(connection)

    def remove(self, connection: _C) -> None:
        """Take note that one is over."""
        self._all.discard(connection)
        if not self._all:
            self._empty.set()

    def each(self) -> list[_C]:
        """Return those that stand now."""
        return list(self._all)

    async def drain(self, timeout_s: float) -> None:
        """End each at its next pause; all of them after `timeout_s`."""
        for connection in self.each():
            connection.drain()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            for connection in self.each():
                connection.abort()
            await self._empty.wait()
