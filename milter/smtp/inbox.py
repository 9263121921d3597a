"""What the client sent and nobody has read yet.

A stream reader with one reader, made for SMTP: lines of a bounded length, what has come as it came,
and bytes put back in front. asyncio's own does more for each line and cannot put back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.relay.wakeup import Wakeup

# The transport stops to read from the socket above this, so a client cannot fill our memory.
_HIGH: Final = 262_144
# A PROXY header of version 1 has 107 bytes at most.
_PROXY_LINE: Final = 256


class LineTooLongError(Exception):
    """A line is longer than any command; what came of it is still in the inbox."""


class Inbox:
    """Bytes between the socket and the session.

    Args:
        wakeup: What the session waits on for more.
        pause: Called with True when too much is unread, with False when there is room again.

    Attributes:
        unread: What is here; to be looked at only.
    """

    __slots__ = ("_ended", "_pause", "_paused", "_searched", "_wakeup", "unread")

    def __init__(self, wakeup: Wakeup, pause: Callable[[bool], None]) -> None:
        self._pause = pause
        # What comes alone, as most does, stays the object that the socket gave.
        self.unread: bytes | bytearray = b""
        self._searched = 0
        self._paused = False
        self._ended = False
        self._wakeup = wakeup

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        if not self.unread:
            self.unread = data
        else:
            self._own_unread().extend(data)
            if len(self.unread) > _HIGH and not self._paused:
                self._paused = True
                self._pause(True)
        self._wakeup.wake()

    def end(self) -> None:
        """Note that nothing more will come."""
        self._ended = True
        self._wakeup.wake()

    def clear(self) -> None:
        """Throw away what is unread."""
        self._left(b"")

    def put_back(self, data: bytes) -> None:
        """Put `data` in front of what is unread."""
        self.unread = data + self.unread
        self._searched = 0

    def more(self, deadline: float = math.inf) -> Wakeup:
        """Return what is awaited until something has come.

        Args:
            deadline: Loop time at which the wait ends with TimeoutError.

        Raises:
            ConnectionResetError: Nothing will come any more.
        """
        if self._ended:
            raise ConnectionResetError
        return self._wakeup.until(deadline)

    def line(self, limit: int) -> bytes | None:
        """Return the next line with its LF; None where it is not all here.

        Raises:
            LineTooLongError: It is longer than `limit`; it is still here.
        """
        unread = self.unread
        end = unread.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(unread)
            if len(unread) > limit:
                raise LineTooLongError
            return None
        if end > limit:
            raise LineTooLongError
        self._searched = 0
        if end + 1 == len(unread):
            # Far below the height from which on the client is paused.
            self.unread = b""
            return bytes(unread)
        # Taking lines from the front of bytes would copy the rest for each of them.
        owned = self._own_unread()
        line = bytes(owned[: end + 1])
        del owned[: end + 1]
        self._left(owned)
        return line

    def take(self, limit: int = _HIGH) -> bytes | bytearray:
        """Return what is here, at most `limit` bytes."""
        unread = self.unread
        if len(unread) <= limit:
            self._left(b"")
            return unread
        owned = self._own_unread()
        data = owned[:limit]
        del owned[:limit]
        self._left(owned)
        return data

    # The names under which aiosmtpd's reader of PROXY headers asks.

    async def read(self, n: int = _HIGH) -> bytes:
        """Return at least one and at most `n` bytes."""
        while not self.unread:
            await self.more()
        return bytes(self.take(n))

    async def readexactly(self, n: int) -> bytes:
        """Return `n` bytes."""
        while len(self.unread) < n:
            await self.more()
        return bytes(self.take(n))

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Return what comes up to `separator`, a single byte, which is included."""
        while (end := self.unread.find(separator)) < 0:
            if len(self.unread) > _PROXY_LINE:
                raise LineTooLongError
            await self.more()
        return bytes(self.take(end + 1))

    def _own_unread(self) -> bytearray:
        """Return what is unread as a buffer that can grow and shrink."""
        if not isinstance(self.unread, bytearray):
            self.unread = bytearray(self.unread)
        return self.unread

    def _left(self, unread: bytes | bytearray) -> None:
        """Note what is left unread."""
        self.unread = unread
        self._searched = 0
        if self._paused and len(unread) <= _HIGH:
            self._paused = False
            self._pause(False)
