"""A message as a mail server hands it over, made into the bytes that it will send on.

Fields come as name and value, the body in pieces. What is made of them is what the next server
gets: lines ended by CRLF, also where the mail server keeps them with LF, and the space before a
value as the client wrote it, without which a signature over the header would not verify (RFC 6376
§3.4.1). Memory is counted as it is taken; of a message that will not be taken nothing is kept.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.message.lines import with_crlf
from milter.milter8.wire import read_header

if TYPE_CHECKING:
    from milter.core.limits import SharedLimits

# Memory is counted over all workers, so not for each field.
_HELD_AT_ONCE: Final = 65_536
# Fields of our names that a message may have. Mail servers look for each one that is taken away
# from the begin of the message: ten times as many keep one busy for a hundred times as long.
MOST_PLACES: Final = 1_000


class Fault(Enum):
    """Why a message cannot be taken."""

    NONE = "none"
    TOO_BIG = "too big"
    NO_ROOM = "no room"
    TOO_MANY_OURS = "too many fields of ours"


class Placed(NamedTuple):
    """A header field that may be changed, as the mail server names it.

    Attributes:
        name: As it came.
        number: Which of the fields of this name, counted from 1.
    """

    name: bytes
    number: int


class Incoming:
    """One message on its way in; `close` it, whatever happened.

    Args:
        max_bytes: Of the whole message.
        limits: Counts what is held.
        names: Fields that may be changed, in lower case; where these begin is remembered.
        leading_space: Whether values come with the space before them.
    """

    __slots__ = (
        "_body",
        "_fields",
        "_header",
        "_held",
        "_limits",
        "_max_bytes",
        "_names",
        "_numbers",
        "_separator",
        "fault",
        "places",
        "size",
    )

    def __init__(
        self,
        max_bytes: int,
        limits: SharedLimits,
        names: frozenset[bytes],
        *,
        leading_space: bool,
    ) -> None:
        self._max_bytes = max_bytes
        self._limits = limits
        self._names = names
        self._separator = b":" if leading_space else b": "
        self._fields: list[bytes] = []
        self._header = bytearray()
        self._body: list[bytes] = []
        self._held = 0
        self._numbers: dict[bytes, int] = {}
        self.fault = Fault.NONE
        self.size = 0
        self.places: dict[int, Placed] = {}

    def field(self, data: bytes) -> None:
        """Take a header field, as its packet holds it."""
        self._fields.append(data)
        # Colon, space and the end of the line stand for the two zero octets.
        self.size += len(data) + 2
        if self.size > self._held:
            self._hold()

    def piece(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)
        self.size += len(data)
        if self.size > self._held:
            self._hold()

    def whole(self) -> bytes:
        """Return the message, once all of it is here.

        Raises:
            PacketError: A header field is none.
        """
        self._write_fields()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = [body]
        return b"".join((self._header, b"\r\n", with_crlf(body)))

    def close(self) -> None:
        """Give back the memory."""
        self._limits.give_back(self._held)
        self._held = 0
        self._fields.clear()
        self._body.clear()
        self._header.clear()

    def _hold(self) -> None:
        """Count what has come as held; where it cannot be, nothing is kept from here on."""
        if self.fault is Fault.NONE:
            # Never more than a message may have, so that one that is larger is seen here.
            more = min(max(self.size - self._held, _HELD_AT_ONCE), self._max_bytes - self._held)
            if self.size > self._max_bytes:
                self.fault = Fault.TOO_BIG
            elif self._limits.reserve(more):
                self._held += more
                # Small fields take more memory as objects than they are counted for.
                self._write_fields()
                return
            else:
                self.fault = Fault.NO_ROOM
        self.close()

    def _write_fields(self) -> None:
        """Write the fields that came into the header as it will be sent on."""
        for data in self._fields:
            name, value = read_header(data)
            if b"\n" in value:
                value = with_crlf(value)
            key = name.strip().lower()
            if key in self._names:
                number = self._numbers[key] = self._numbers.get(key, 0) + 1
                if len(self.places) < MOST_PLACES:
                    self.places[len(self._header)] = Placed(name, number)
                else:
                    self.fault = Fault.TOO_MANY_OURS
            self._header += b"%b%b%b\r\n" % (name, self._separator, value)
        self._fields.clear()
