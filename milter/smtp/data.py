"""Reading a message from DATA or BDAT (RFC 5321 §4.1.1.4, §4.5.2; RFC 3030 §2).

Only CRLF.CRLF ends a message. Any other idea of a line end is how messages are smuggled past a
filter: the next hop sees an end where we saw none. A bare CR or LF is therefore told, or mended,
but never passed on. Sans-IO: bytes in, a `Received` out; work grows linearly with the input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol

_END: Final = b"\r\n.\r\n"
_DOT_LINE: Final = b"\r\n."
# One pass in C finds the end of an ordinary message and shows that it holds neither a line that
# begins with a dot nor an LF without its CR; a second one looks for a CR without its LF.
_DOT_OR_BARE_LF: Final = re.compile(rb"\n(?:\.|(?<!\r\n))")
# The CRLF with which a reader begins, and of the end what may come before its last bytes.
_PUT_IN_FRONT: Final = 2
_BEGUN_END: Final = 2
# A client that is not told at the end of its message must send the whole of it again.
_PATIENCE: Final = 1_048_576
_BARE_CR: Final = re.compile(rb"\r[^\n]")


class Fault(Enum):
    """Why a message cannot be taken, though it was read to its end."""

    NONE = "none"
    TOO_BIG = "too big"
    NO_ROOM = "no room"
    LONG_LINE = "long line"
    BARE_NEWLINE = "bare newline"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a message may be.

    Attributes:
        message_bytes: Largest message.
        line_bytes: Longest line without its CRLF.
        normalise: Whether a bare CR or LF becomes CRLF instead of a fault.
    """

    message_bytes: int
    line_bytes: int
    normalise: bool = False


class Received(NamedTuple):
    """What came.

    Attributes:
        message: Dots unstuffed, every line ended by CRLF; empty when there is a fault.
        size: Bytes that the client sent for it.
        fault: NONE when the message is whole.
        dotted: Whether a line may begin with a dot; False where it is known that none does.
    """

    message: bytes
    size: int
    fault: Fault
    dotted: bool = True


class Room(Protocol):
    """What bounds the bytes held by all sessions together."""

    def reserve(self, size: int) -> bool:
        """Count bytes as held and return True; False when there is no room."""
        ...

    def give_back(self, size: int) -> None:
        """Give back bytes that `reserve` counted."""
        ...


class _Held:
    """Message bytes that are kept while there is room, and only counted afterwards.

    Past a bound what comes is thrown away, so that the client can be answered at the end of its
    message without our holding it.
    """

    def __init__(self, bounds: Bounds, room: Room) -> None:
        self.bounds = bounds
        self.buffer = bytearray()
        self.fault = Fault.NONE
        self._room = room
        self._reserved = 0
        self._dropped = 0

    @property
    def size(self) -> int:
        return self._dropped + len(self.buffer)

    @property
    def beyond(self) -> int:
        """How many bytes are held beyond the largest message; not above 0 where it is kept."""
        return self.size - self.bounds.message_bytes

    def check(self, keep: int, aside: int = 0) -> int:
        """Look whether what is held may be held; once not, all but the last `keep` bytes go.

        Args:
            keep: What may still be the beginning of the end.
            aside: How many of the bytes are no part of the message.

        Returns:
            How many bytes went.
        """
        if self.fault is Fault.NONE:
            self.fault = self._fault(aside)
            if self.fault is Fault.NONE:
                return 0
            self.give_back()
        if len(self.buffer) <= keep:
            return 0
        excess = len(self.buffer) - keep
        self._dropped += excess
        del self.buffer[:excess]
        return excess

    def _fault(self, aside: int) -> Fault:
        if self.beyond > aside:
            return Fault.TOO_BIG
        size = self.size
        need = size - self._reserved
        if need > 0:
            if not self._room.reserve(need):
                return Fault.NO_ROOM
            self._reserved = size
        return Fault.NONE

    def give_back(self) -> None:
        """Give back the room that was taken; taking it twice gives nothing."""
        reserved, self._reserved = self._reserved, 0
        if reserved:
            self._room.give_back(reserved)

    def taken(self) -> bytearray:
        """Return the buffer and keep it no longer: a large message is not held twice."""
        buffer, self._dropped = self.buffer, self.size
        self.buffer = bytearray()
        return buffer


class DataReader:
    """Collects one message up to CRLF.CRLF.

    Args:
        bounds: What a message may be.
        room: Asked before more bytes are kept.
    """

    def __init__(self, bounds: Bounds, room: Room) -> None:
        self._held = _Held(bounds, room)
        # The CRLF of the DATA line is the first of a message that is empty (RFC 5321 §4.1.1.4).
        self._held.buffer += b"\r\n"
        self._scanned = 0
        self._plain = True
        # How many lines begin with a dot, as far as they were counted.
        self._dotted = self._counted = 0

    @property
    def endless(self) -> bool:
        """Whether so much came past the bound that the end is not worth waiting for."""
        return self._held.size > 2 * self._held.bounds.message_bytes + _PATIENCE

    def close(self) -> None:
        """Give back the room that the message took."""
        self._held.give_back()

    def feed(self, data: bytes | bytearray) -> bytes | None:
        """Take `data`; return what follows the message once it has ended, None before."""
        buffer = self._held.buffer
        buffer += data
        end = self._find_end()
        if end >= 0:
            rest = bytes(buffer[end + len(_END) :])
            del buffer[end + 2 :]
            self._held.check(keep=2, aside=self._aside(_PUT_IN_FRONT))
            return rest
        aside = self._aside(_PUT_IN_FRONT + _BEGUN_END)
        self._scanned -= self._held.check(keep=len(_END) - 1, aside=aside)
        return None

    def _aside(self, at_least: int) -> int:
        """Return how many bytes are held that are no part of the message (RFC 1870 §5).

        Dots that were put before others are none either; they are counted where it depends on them.
        """
        if self._plain or self._held.beyond <= at_least or self._held.fault is not Fault.NONE:
            return at_least
        # What may be the end has a dot of its own.
        known = len(self._held.buffer) - (at_least - _PUT_IN_FRONT)
        self._dotted += self._held.buffer.count(_DOT_LINE, self._counted, known)
        self._counted = max(0, known - len(_DOT_LINE) + 1)
        return at_least + self._dotted

    def _find_end(self) -> int:
        """Return where the end is, -1 where it is not here yet; no byte is searched twice."""
        buffer = self._held.buffer
        if self._plain:
            mark = _DOT_OR_BARE_LF.search(buffer, self._scanned)
            if mark is None:
                # The last byte may be an LF, and a dot come behind it.
                self._scanned = max(0, len(buffer) - 1)
                return -1
            self._scanned = max(0, mark.start() - 1)
            tail = buffer[self._scanned : self._scanned + len(_END)]
            if len(tail) < len(_END) and _END.startswith(tail):
                return -1
            self._plain = tail == _END
        end = buffer.find(_END, self._scanned)
        if end < 0:
            self._scanned = max(self._scanned, len(buffer) - len(_END) + 1)
        return end

    def finish(self) -> Received:
        """Return the message that `feed` has seen the end of."""
        held = self._held
        size = held.size - 2
        if held.fault is not Fault.NONE:
            return Received(b"", size, held.fault)
        if not self._plain:
            return _finish(unstuff(held.taken()), size, held.bounds)
        message = bytes(memoryview(held.taken())[2:])
        if _BARE_CR.search(message):
            return _finish(message, size, held.bounds)
        return _measured(message, size, held.bounds, dotted=False)


class ChunkReader:
    """Collects the chunks of one message (RFC 3030 §2); they become DATA at the next hop.

    Args:
        bounds: What a message may be.
        room: Asked before more bytes are kept.
    """

    def __init__(self, bounds: Bounds, room: Room) -> None:
        self._held = _Held(bounds, room)

    @property
    def endless(self) -> bool:
        """Whether so much came past the bound that the end is not worth waiting for."""
        return self._held.size > 2 * self._held.bounds.message_bytes + _PATIENCE

    def close(self) -> None:
        """Give back the room that the message took."""
        self._held.give_back()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._held.size

    def feed(self, data: bytes | bytearray) -> None:
        """Take some of a chunk."""
        self._held.buffer += data
        self._held.check(keep=0)

    def finish(self) -> Received:
        """Return the message after its last chunk."""
        size = self._held.size
        if self._held.fault is not Fault.NONE:
            return Received(b"", size, self._held.fault)
        return _finish(bytes(self._held.taken()), size, self._held.bounds)


def unstuff(buffer: bytearray) -> bytes:
    """Return the message in `buffer`, which holds CRLF and the wire form, final CRLF included."""
    # RFC 5321 §4.5.2: one leading dot is taken away.
    return bytes(buffer.replace(_DOT_LINE, b"\r\n"))[2:]


def _finish(message: bytes, size: int, bounds: Bounds) -> Received:
    if has_bare_newline(message):
        if not bounds.normalise:
            return Received(b"", size, Fault.BARE_NEWLINE)
        message = normalise_newlines(message)
    if message and not message.endswith(b"\r\n"):
        # BDAT alone can bring this: what becomes DATA must end its last line.
        message += b"\r\n"
    return _measured(message, size, bounds, dotted=True)


def _measured(message: bytes, size: int, bounds: Bounds, *, dotted: bool) -> Received:
    if _has_long_line(message, bounds.line_bytes):
        return Received(b"", size, Fault.LONG_LINE)
    return Received(message, size, Fault.NONE, dotted)


def normalise_newlines(message: bytes) -> bytes:
    """Return `message` with every CR, LF and CRLF as CRLF."""
    bare = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return bare.replace(b"\n", b"\r\n")


def has_bare_newline(message: bytes) -> bool:
    """Return whether `message` holds a CR or an LF that is not part of a CRLF."""
    if message.endswith(b"\r") or _BARE_CR.search(message):
        return True
    # Every CR is followed by an LF, so that a number left over is of LFs alone.
    return message.count(b"\r") != message.count(b"\n")


def _has_long_line(message: bytes, limit: int) -> bool:
    start = 0
    while len(message) - start > limit + 2:
        newline = message.rfind(b"\n", start, start + limit + 2)
        if newline < 0:
            return True
        start = newline + 1
    return False
