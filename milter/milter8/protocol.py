"""One connection of a mail server: bytes to packets, answers to bytes, deadlines.

All that is answered to one read goes out in one write, so that a message is edited and decided at
once or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from milter.milter8 import wire
from milter.milter8.session import DECISIONS, NOTHING, Session, SessionEndedError
from milter.relay.wakeup import Wakeup
from milter.telemetry.log import log_event

if TYPE_CHECKING:
    from milter.core.ids import SessionId
    from milter.milter8.door import Door
    from milter.milter8.server import MilterServer

_log: Final = logging.getLogger("gatepost.milter")

# Above this the socket is not read from, so that a mail server cannot fill our memory.
_HIGH: Final = 2 * wire.MAX_PACKET
# How long a mail server may say nothing: libmilter's own bound, for its client may be slow.
_IDLE_S: Final = 7210.0
# A mail server waits 30 s (Postfix) for an answer; each of these has it wait anew.
_PROGRESS_S: Final = 10.0


class MilterProtocol(asyncio.Protocol):
    """One connection; asyncio makes one for each.

    Args:
        door: The listener.
        server: Knows whether there is a place for it.
        loop: The loop that runs the connection.
    """

    def __init__(self, door: Door, server: MilterServer, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._server = server
        self._loop = loop
        self._wakeup = Wakeup(loop)
        self._reader = wire.PacketReader()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._session: Session | None = None
        self._writable = True
        self._paused = False
        self._gone = False
        self._draining = False

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
        self._task = self._loop.create_task(self._serve(session_id))
        # A callback, because a task that is cancelled before its first step runs no `finally`.
        self._task.add_done_callback(self._ended)

    def data_received(self, data: bytes) -> None:
        """Bytes of the mail server."""
        self._reader.feed(data)
        if len(self._reader) > _HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wakeup.wake()

    def pause_writing(self) -> None:
        """The mail server does not read what we say."""
        self._writable = False

    def resume_writing(self) -> None:
        """The mail server reads again."""
        self._writable = True
        self._wakeup.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; of a message that was under way nothing is answered."""
        del exc
        self._gone = True
        self._transport = None
        if self._task is None:
            self._server.farewell(self)
        else:
            self._task.cancel()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._wakeup.stop()
        if self._transport is not None:
            self._transport.close()
        self._server.farewell(self)

    # -- for the server -----------------------------------------------------------------------

    def drain(self) -> None:
        """End when the SMTP session that is told of ends; at once where there is none."""
        self._draining = True
        if (self._session is None or self._session.idle) and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End now: the mail server's default applies to what is under way."""
        if self._transport is not None:
            self._transport.abort()

    # -- the session --------------------------------------------------------------------------

    async def _serve(self, session_id: SessionId) -> None:
        session = self._session = Session(self._door, session_id)
        started, why = self._loop.time(), ""
        try:
            await self._converse(session)
        except SessionEndedError:
            pass
        except asyncio.CancelledError:
            # The mail server went away; what was under way is undone by `close`.
            why = "" if session.idle else "gone"
        except wire.PacketError as error:
            why = "malformed"
            fields = {"session_id": session.session_id, "error": str(error)}
            _log.warning("mail server broke the protocol", extra=fields)
        except TimeoutError:
            why = "timeout"
        finally:
            session.close()
            if why:
                self._door.metrics.milter_broken(why)
            self._log_connection(session, started, why)

    async def _converse(self, session: Session) -> None:
        answers: list[bytes] = []
        while True:
            packet = self._reader.next()
            if packet is None:
                self._write(answers)
                await self._more()
                continue
            letter, data = packet
            try:
                if letter in DECISIONS:
                    answer = await self._decided(session, letter, data, answers)
                else:
                    answer = session.hear(letter, data)
            except (wire.PacketError, SessionEndedError):
                raise
            except Exception as error:  # noqa: BLE001 - the top of a session
                answer = session.crashed(error)
            if answer is not NOTHING:
                answers.append(answer)
            if self._draining and session.idle:
                self._write(answers)
                return

    async def _decided(
        self, session: Session, letter: int, data: bytes, answers: list[bytes]
    ) -> bytes:
        """Return the answer to one packet; a long wait is kept from looking like none."""
        if letter != wire.END_OF_MESSAGE:
            return await session.decide(letter, data)
        self._write(answers)
        self._waiting = self._loop.call_later(_PROGRESS_S, self._progress)
        try:
            return await session.decide(letter, data)
        finally:
            self._waiting.cancel()

    def _progress(self) -> None:
        self._write([wire.PROGRESS])
        self._waiting = self._loop.call_later(_PROGRESS_S, self._progress)

    async def _more(self) -> None:
        """Wait for more bytes, or for the mail server to read what it was told.

        Raises:
            TimeoutError: Neither came in time.
        """
        if self._paused and self._transport is not None:
            # What is left is part of one packet, so there is room for its rest.
            self._paused = False
            self._transport.resume_reading()
        begun = len(self._reader) > 0 or not self._writable
        wait_s = self._door.bounds.data_timeout_s if begun else _IDLE_S
        deadline = self._loop.time() + wait_s
        seen = len(self._reader)
        while True:
            await self._wakeup.until(deadline)
            if self._writable and len(self._reader) > seen:
                return

    def _write(self, answers: list[bytes]) -> None:
        if answers and self._transport is not None and not self._gone:
            self._transport.write(b"".join(answers))
        answers.clear()

    def _log_connection(self, session: Session, started: float, why: str) -> None:
        fields = {
            "session_id": session.session_id,
            "listener": self._door.listener.name,
            "transactions": session.transactions,
            "duration_ms": round((self._loop.time() - started) * 1000, 1),
        }
        if why:
            fields["error"] = why
        log_event(_log, "connection", fields)
