"""What the client sent and nobody has read yet.

A stream reader with one reader, made for SMTP: lines of a bounded length, the rest of the buffer at
once, and bytes put back in front. asyncio's own does more for each line and cannot put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.relay.wakeup import Wakeup

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# The transport stops to read from the socket above this, so a client cannot fill our memory.
_HIGH: Final = 262_144
# A PROXY header of version 1 has 107 bytes at most.
_PROXY_LINE: Final = 256


class LineTooLongError(Exception):
    """A line is longer than any command; what came of it is still in the inbox."""


class Inbox:
    """Bytes between the socket and the session.

    Args:
        loop: Makes what is waited for.
        pause: Called with True when too much is unread, with False when there is room again.
    """

    __slots__ = ("_buffer", "_ended", "_pause", "_paused", "_searched", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop, pause: Callable[[bool], None]) -> None:
        self._pause = pause
        self._buffer = bytearray()
        self._searched = 0
        self._paused = False
        self._ended = False
        self._waiter = Wakeup(loop)

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._buffer += data
        if len(self._buffer) > _HIGH and not self._paused:
            self._paused = True
            self._pause(True)
        self._wake()

    def end(self) -> None:
        """Note that nothing more will come."""
        self._ended = True
        self._wake()

    def clear(self) -> None:
        """Throw away what is unread."""
        self._buffer.clear()
        self._searched = 0
        if self._paused:
            self._resume()

    def put_back(self, data: bytes) -> None:
        """Put `data` in front of what is unread."""
        self._buffer[0:0] = data
        self._searched = 0

    async def line(self, limit: int) -> bytes:
        """Return the next line with its LF.

        Raises:
            LineTooLongError: It is longer than `limit`; it is still here.
            ConnectionResetError: The client has gone.
        """
        buffer = self._buffer
        while (end := buffer.find(b"\n", self._searched)) < 0:
            if len(buffer) > limit:
                raise LineTooLongError
            self._searched = len(buffer)
            await self._more()
        if end > limit:
            raise LineTooLongError
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        self._searched = 0
        if self._paused:
            self._resume()
        return line

    async def some(self, limit: int = _HIGH) -> bytes:
        """Return what is there, at most `limit` bytes, waiting for at least one.

        Raises:
            ConnectionResetError: The client has gone.
        """
        while not self._buffer:
            await self._more()
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        self._searched = 0
        if self._paused:
            self._resume()
        return data

    # The names under which aiosmtpd's reader of PROXY headers asks.

    async def read(self, n: int = _HIGH) -> bytes:
        """Return at least one and at most `n` bytes."""
        return await self.some(n)

    async def readexactly(self, n: int) -> bytes:
        """Return `n` bytes."""
        while len(self._buffer) < n:
            await self._more()
        return await self.some(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Return what comes up to `separator`, a single byte, which is included."""
        while (end := self._buffer.find(separator)) < 0:
            if len(self._buffer) > _PROXY_LINE:
                raise LineTooLongError
            await self._more()
        return await self.some(end + 1)

    def _resume(self) -> None:
        if len(self._buffer) <= _HIGH:
            self._paused = False
            self._pause(False)

    def _wake(self) -> None:
        self._waiter.wake()

    def _more(self) -> Wakeup:
        """Return what is done when something has come.

        Raises:
            ConnectionResetError: Nothing will come any more.
        """
        if self._ended:
            raise ConnectionResetError
        return self._waiter
