"""One connection of a mail server: bytes to packets, answers to bytes, deadlines.

Most packets are answered where they come, or not at all; a task runs only while checks are waited
for (docs/decisions/milter-packets.md). What is answered to one packet goes out in one write, so
that a message is edited and decided at once or not at all.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from typing import TYPE_CHECKING, Final, cast

from milter.doors.peers import is_local
from milter.milter8 import wire
from milter.milter8.session import Session, SessionEndedError
from milter.telemetry.log import log_event

if TYPE_CHECKING:
    from milter.doors.door import Door
    from milter.milter8.server import MilterServer

_log: Final = logging.getLogger("gatepost.milter")

# Above this the socket is not read from, so that a mail server cannot fill our memory.
_HIGH: Final = 2 * wire.MAX_PACKET
# How long a mail server may say nothing: libmilter's own bound, for its client may be slow.
_IDLE_S: Final = 7210.0
# A mail server waits 30 s (Postfix) for an answer; each of these has it wait anew. Only at the end
# of a message: elsewhere Sendmail takes the filter for broken, and mail passes it.
_PROGRESS_S: Final = 10.0


class MilterProtocol(asyncio.Protocol):
    """One connection; asyncio makes one for each.

    Args:
        door: The listener.
        server: Knows whether there is a place for it, and calls `look_after`.
        loop: The loop that runs the connection.
    """

    __slots__ = (
        "_active",
        "_deciding",
        "_door",
        "_draining",
        "_ends_message",
        "_loop",
        "_paused",
        "_reader",
        "_server",
        "_session",
        "_socket",
        "_started",
        "_transport",
        "_why",
        "_writable",
    )

    def __init__(self, door: Door, server: MilterServer, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._server = server
        self._loop = loop
        self._reader = wire.PacketReader()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        # None where it is no TCP.
        self._socket: socket.socket | None = None
        self._deciding: asyncio.Task[None] | None = None
        # Whether what is being decided is the end of a message.
        self._ends_message = False
        self._started = 0.0
        # When anything happened last.
        self._active = math.inf
        self._writable = True
        self._paused = False
        self._draining = False
        # What ended it, as it is counted; None as long as it goes on.
        self._why: str | None = None

    # -- what the loop calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; it ends at once where it has no place."""
        self._transport = cast("asyncio.Transport", transport)
        session_id = self._server.welcome(self, transport)
        if session_id is None:
            # There is no packet for "come again later" before the negotiation: the mail server
            # does what it is told for a filter that is not there.
            self._transport.close()
            return
        self._session = Session(self._door, session_id)
        if not is_local(transport):
            self._socket = transport.get_extra_info("socket")
        self._started = self._active = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Bytes of the mail server."""
        self._reader.feed(data)
        if self._deciding is None and self._writable:
            self._go_on([])
        elif len(self._reader) > _HIGH and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The mail server does not read what we say."""
        self._writable = False
        self._active = self._loop.time()

    def resume_writing(self) -> None:
        """The mail server reads again."""
        self._writable = True
        if self._deciding is None:
            self._go_on([])

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; of a message that was under way nothing is answered."""
        del exc
        self._transport = None
        if self._deciding is not None:
            self._deciding.cancel()
        if self._session is not None:
            self._take_leave(self._session)
        self._server.farewell(self)

    # -- for the server -----------------------------------------------------------------------

    def drain(self) -> None:
        """End when the SMTP session that is told of ends; at once where there is none."""
        self._draining = True
        if self._session is None or self._session.idle:
            self._end("")

    def abort(self) -> None:
        """End now: the mail server's default applies to what is under way."""
        if self._transport is not None:
            self._transport.abort()

    def look_after(self, now: float) -> None:
        """Do what is due at loop time `now`: keep a mail server waiting, or wait no longer."""
        if now < self._active + self._patience_s():
            return
        if self._deciding is not None and self._writable:
            if self._ends_message:
                self._write([wire.PROGRESS])
            self._active = now
        else:
            if self._why is None:
                self._why = "timeout"
            # Not `close`: what it does not read would keep the connection.
            self.abort()

    # -- the session --------------------------------------------------------------------------

    def _go_on(self, answers: list[bytes]) -> None:
        """Answer what has come, up to what has to wait.

        Args:
            answers: What is to be said before.
        """
        session = self._session
        if session is None or self._why is not None:
            return
        try:
            self._hear(session, answers)
            self._active = self._loop.time()
        except SessionEndedError:
            self._write(answers)
            self._end("")
        except wire.PacketError as error:
            # What was decided before holds.
            self._write(answers)
            self._break_off(error)

    def _hear(self, session: Session, answers: list[bytes]) -> None:
        reader, waits, letter = self._reader, session.waits, 0
        while (packet := reader.next()) is not None:
            letter, data = packet
            if letter in waits:
                self._write(answers)
                self._ends_message = letter == wire.END_OF_MESSAGE
                self._deciding = self._loop.create_task(self._decide(session, letter, data))
                return
            try:
                answer = session.hear(letter, data)
            except (wire.PacketError, SessionEndedError):
                raise
            except Exception as error:  # noqa: BLE001 - the top of a session
                answer = session.crashed(error)
            if answer:
                answers.append(answer)
            if self._draining and session.idle:
                self._write(answers)
                self._end("")
                return
        if answers:
            self._write(answers)
        elif letter == wire.MACROS:
            self._acknowledge()
        if self._paused and self._transport is not None:
            # What is left is part of one packet, so there is room for its rest.
            self._paused = False
            self._transport.resume_reading()

    async def _decide(self, session: Session, letter: int, data: bytes) -> None:
        """Answer one packet once checks have answered, and go on with those behind it."""
        try:
            answer = await session.decide(letter, data)
        except wire.PacketError as error:
            self._break_off(error)
            return
        except Exception as error:  # noqa: BLE001 - the top of a session
            answer = session.crashed(error)
        self._deciding = None
        self._go_on([answer])

    def _write(self, answers: list[bytes]) -> None:
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))
        answers.clear()

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge now what came.

        Behind macros comes the packet that they are for. A mail server's kernel keeps that back
        until the macros are acknowledged (Nagle's algorithm), and ours would wait 40 ms for an
        answer to send that with (tcp(7), TCP_QUICKACK): more than all checks take.
        """
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _patience_s(self) -> float:
        """Return how long nothing may happen now, in seconds."""
        if self._deciding is not None and self._writable:
            return _PROGRESS_S
        begun = len(self._reader) > 0 or not self._writable or self._why is not None
        return self._door.bounds.data_timeout_s if begun else _IDLE_S

    def _break_off(self, error: wire.PacketError) -> None:
        if self._session is not None:
            fields = {"session_id": self._session.session_id, "error": str(error)}
            _log.warning("mail server broke the protocol", extra=fields)
        self._end("malformed")

    def _end(self, why: str) -> None:
        """Close the connection once what was said is sent; `connection_lost` follows."""
        if self._why is None:
            self._why = why
        self._active = self._loop.time()
        if self._transport is not None:
            self._transport.close()

    def _take_leave(self, session: Session) -> None:
        """Undo what was under way, log and count."""
        why = self._why
        if why is None:
            why = "" if session.idle else "gone"
        session.close()
        if why:
            self._door.metrics.milter_broken(why)
        fields = {
            "session_id": session.session_id,
            "listener": self._door.listener.name,
            "transactions": session.transactions,
            "duration_ms": round((self._loop.time() - self._started) * 1000, 1),
        }
        if why:
            fields["error"] = why
        log_event(_log, "connection", fields)
