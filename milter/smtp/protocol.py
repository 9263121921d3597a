"""The socket side of a session, on aiosmtpd.

aiosmtpd gives the protocol class, STARTTLS and the PROXY header. Reading commands and messages, the
timers and the dispatch are ours: its own loop answers exceptions with 500 and their text, has one
timer for everything, reads messages line by line and destroys parameters
(docs/decisions/aiosmtpd.md).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final, cast

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP, TLSSetupException

from milter.core.reply import Reply
from milter.smtp.client_identity import apply_proxy
from milter.smtp.commands import CommandError
from milter.smtp.inbox import Inbox, LineTooLongError
from milter.smtp.record import client_fields
from milter.smtp.session import MAX_COMMAND, Session
from milter.smtp.step import Next, Step
from milter.smtp.tls import describe_tls
from milter.telemetry.log import log_event

if TYPE_CHECKING:
    from milter.core.connection import Connection
    from milter.smtp.data import ChunkReader, DataReader, Received
    from milter.smtp.door import Door
    from milter.smtp.reception import Reception

_log: Final = logging.getLogger("gatepost.smtp")

# A message that comes drop by drop holds a connection, and room for its bytes, for long: over the
# first wait it may take, it must come at this rate.
_LEAST_BYTES_A_SECOND: Final = 1000
# From here on work on one message takes longer than others should wait for it.
_LARGE_BYTES: Final = 1_048_576
# How long what was said last is waited for to be read.
_LINGER_S: Final = 5.0
# A line this long is no mistake of a mail client.
_FLOOD_BYTES: Final = 4_194_304
_PROXY_TIMEOUT_S: Final = 10.0
_RESTING: Final = frozenset({Next.COMMAND, Next.CLOSE})
_TOO_BIG: Final = Reply.of(552, "5.3.4 Message is much larger than this server takes")
_TIMEOUT: Final = Reply.of(421, "4.4.2 Timeout, closing the connection")
_DRAINING: Final = Reply.of(421, "4.3.2 Server is going down, try again")
_LINE_TOO_LONG: Final = Reply.of(500, "5.5.2 Line too long")
_FLOOD: Final = Reply.of(421, "4.7.0 Line without an end")
_BARE_NEWLINE: Final = Reply.of(500, "5.5.2 Lines end with CRLF")


class SmtpProtocol(SMTP):
    """One connection.

    Args:
        door: The listener.
        reception: Knows who the peer is, and whether there is a place for it.
        loop: The loop that runs the connection.
    """

    def __init__(self, door: Door, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        # aiosmtpd's own constructor looks for handlers with `inspect` at every connection and
        # makes a stream for it (docs/decisions/aiosmtpd.md). These are all the attributes that the
        # methods of it which are used here touch.
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.tls_context = door.tls
        self._tls_protocol = None
        self._original_transport = None
        self._handler_coroutine: asyncio.Task[None] | None = None
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._door = door
        self._reception = reception
        self._inbox = Inbox(loop, self._pause_reading)
        self._conversation: Session | None = None
        self._writable: asyncio.Future[None] | None = None
        self._deadline = inf
        self._draining = False
        self._waiting = False
        self._gone = False

    # -- what the loop and aiosmtpd call ------------------------------------------------------

    async def push(self, status: str) -> None:  # type: ignore[override]
        """Send a reply in aiosmtpd's form: only its STARTTLS does."""
        code, _, text = status.partition(" ")
        self._send(Reply.of(int(code), f"{code[0]}.0.0 {text}"))

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Move the deadline; the one timer of the connection is touched only if it is too late."""
        self._deadline = self.loop.time() + (duration or self._door.bounds.command_timeout_s)
        if self._timeout_handle is None or self._deadline < self._timeout_handle.when():
            self._set_timer(self._deadline)

    def _set_timer(self, when: float) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self._timeout_handle = self.loop.call_at(when, self._timeout_cb)

    def _timeout_cb(self) -> None:
        now = self.loop.time()
        if self._deadline > now:
            self._set_timer(min(self._deadline, now + self._door.bounds.command_timeout_s))
        else:
            self._say_and_close(_TIMEOUT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, or stands anew after STARTTLS."""
        self.transport = cast("asyncio.Transport", transport)
        if self._handler_coroutine is not None:
            # RFC 3207 §4.2: what was sent in the clear behind STARTTLS is thrown away; somebody in
            # between may have put it there.
            self._inbox.clear()
            return
        self._handler_coroutine = self.loop.create_task(self._handle_client())
        # A callback, because a task that is cancelled before its first step runs no `finally`.
        self._handler_coroutine.add_done_callback(self._ended)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._inbox.feed(data)

    def pause_writing(self) -> None:
        """The client does not read what we say."""
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _pause_reading(self, pause: bool) -> None:
        if self.transport is not None and not self.transport.is_closing():
            (self.transport.pause_reading if pause else self.transport.resume_reading)()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._close()
        self._reception.farewell(self)

    def eof_received(self) -> bool | None:
        """The client has closed its side: nobody will read a reply.

        Until the final dot has gone to the next hop the message is dropped, so that the client's
        next try does not make two of it. After the dot the reply is awaited for the log.
        """
        self._stop_handler()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        for timer in (self._timeout_handle, self._linger):
            if timer is not None:
                timer.cancel()
        if self._original_transport is not None:
            self._original_transport.close()
        # Narrower than in the base class, whose own reader would take other transports as well.
        self.transport = None  # pyright: ignore[reportIncompatibleVariableOverride]
        self._inbox.end()
        self.resume_writing()
        self._stop_handler()

    def _stop_handler(self) -> None:
        self._gone = True
        task, session = self._handler_coroutine, self._conversation
        if task is not None and not (session is not None and session.committed):
            task.cancel()

    # -- for the server -----------------------------------------------------------------------

    def drain(self) -> None:
        """End the session at the next point where no message is under way."""
        self._draining = True
        session = self._conversation
        if self._waiting and (session is None or not session.in_transaction):
            self._say_and_close(_DRAINING)

    def abort(self) -> None:
        """End the session now, unless the next hop may already have its message.

        Then the reply is as near as the next hop's, and a client that does not hear it would send
        the message again.
        """
        session = self._conversation
        if self.transport is not None and not (session is not None and session.committed):
            self.transport.abort()

    # -- the session --------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        started = self.loop.time()
        session: Session | None = None
        try:
            session = await self._begin()
            if session is not None:
                self._conversation = session
                await self._converse(session)
        except (asyncio.CancelledError, ConnectionError):
            # The client went away; what was under way is undone by `close`.
            pass
        except TLSSetupException:
            _log.info("tls handshake failed", extra={"listener": self._door.listener.name})
        except Exception as error:  # noqa: BLE001 - the top of a connection
            self._crashed(session, error)
        finally:
            if session is not None:
                session.close()
                self._log_connection(session, started)

    def _crashed(self, session: Session | None, error: Exception) -> None:
        if session is not None:
            self._send(session.crashed(error))
        else:
            _log.error("connection error", exc_info=error)

    async def _begin(self) -> Session | None:
        """Return the session after the greeting; None when there shall be none."""
        assert self.transport is not None  # noqa: S101 - the handler starts in connection_made
        welcome = self._reception.welcome(self, self.transport)
        if isinstance(welcome, Reply):
            self._send(welcome)
            return None
        connection, trusted = welcome
        if self._door.listener.proxy_protocol:
            told = await self._read_proxy_header(connection, trusted=trusted)
            if told is None:
                return None
            refusal = self._reception.introduce(self, told.client_ip)
            if refusal is not None:
                self._send(refusal)
                return None
            connection, trusted = told, False
        if self._door.listener.greeting_delay_s:
            await self._wait_before_greeting()
        early = len(self._inbox) > 0
        session = Session(self._door, replace(connection, early_talker=early), trusted=trusted)
        self._send(session.greeting())
        return session

    async def _wait_before_greeting(self) -> None:
        """Give a client that does not wait for its turn the time to show it."""
        await asyncio.sleep(self._door.listener.greeting_delay_s)

    async def _read_proxy_header(
        self, connection: Connection, *, trusted: bool
    ) -> Connection | None:
        if not trusted:
            self._door.metrics.forged_identity("proxy")
            _log.warning("forged identity", extra={"client_ip": str(connection.client_ip)})
            return None
        self._reset_timeout(_PROXY_TIMEOUT_S)
        header = await get_proxy(self._inbox)
        try:
            return apply_proxy(connection, header) if header.valid else None
        except CommandError:
            return None

    async def _converse(self, session: Session) -> None:
        while not self._gone:
            step = await self._next_step(session)
            while step.next not in _RESTING:
                if step.reply is not None and step.next is not Next.CHUNK:
                    self._send(step.reply)
                step = await self._follow(session, step)
            if step.reply is not None:
                self._send(step.reply)
            if step.next is Next.CLOSE:
                return
            if self._draining and not session.in_transaction:
                self._send(_DRAINING)
                return
            if self._writable is not None:
                # A client that sends commands and reads no replies must not fill our memory.
                self._reset_timeout()
                await self._writable

    async def _next_step(self, session: Session) -> Step:
        """Return the answer to the next line."""
        self._reset_timeout()
        self._waiting = True
        try:
            line = await self._inbox.line(MAX_COMMAND)
        except LineTooLongError:
            return session.malformed(*await self._read_over_long_line())
        finally:
            self._waiting = False
            self._deadline = inf
        if not line.endswith(b"\r\n"):
            return session.malformed(_BARE_NEWLINE, line)
        return await session.command(line[:-2])

    async def _follow(self, session: Session, step: Step) -> Step:
        match step.next:
            case Next.DATA:
                return await self._read_message(session)
            case Next.CHUNK:
                return await self._read_chunk(session, step)
            case _:
                await self._start_tls(session)
                return Step(None)

    async def _start_tls(self, session: Session) -> None:
        await self.smtp_STARTTLS("")
        assert self._tls_protocol is not None  # noqa: S101 - smtp_STARTTLS has set it
        tls = describe_tls(self._tls_protocol._extra["ssl_object"])  # noqa: SLF001
        session.encrypted(tls)

    async def _read_over_long_line(self) -> tuple[Reply, bytes]:
        """Read to the end of a line; return the reply to it and its beginning."""
        self._reset_timeout()
        begin, dropped = b"", 0
        while dropped < _FLOOD_BYTES:
            data = await self._inbox.some()
            begin = begin or data[:8]
            _, found, rest = data.partition(b"\n")
            if found:
                self._inbox.put_back(rest)
                return _LINE_TOO_LONG, begin
            dropped += len(data)
        return _FLOOD, begin

    async def _read_message(self, session: Session) -> Step:
        reader = session.data_reader()
        started, size = self.loop.time(), 0
        rest: bytes | None = None
        while rest is None:
            self._expect_data(started, size)
            data = await self._inbox.some()
            size += len(data)
            rest = reader.feed(data)
            if rest is None and reader.endless:
                return Step(_TOO_BIG, Next.CLOSE)
        self._deadline = inf
        if rest:
            # Pipelined commands behind the message go back to where commands are read from.
            self._inbox.put_back(rest)
        return await session.message(await self._finished(reader, size))

    async def _read_chunk(self, session: Session, step: Step) -> Step:
        reader: ChunkReader | None = session.chunk_reader()
        started, left = self.loop.time(), step.chunk
        while left:
            self._expect_data(started, step.chunk - left)
            data = await self._inbox.some(left)
            left -= len(data)
            if reader is not None:
                reader.feed(data)
        self._deadline = inf
        if step.reply is not None or reader is None:
            return Step(step.reply)
        if reader.endless:
            return Step(_TOO_BIG, Next.CLOSE)
        if step.last:
            return await session.message(await self._finished(reader, step.chunk))
        return session.bounded(Step(Reply.of(250, f"2.0.0 {step.chunk} bytes received")))

    def _expect_data(self, started: float, size: int) -> None:
        """Set the time by which more must come, `size` bytes having come since `started`."""
        wait_s = self._door.bounds.data_timeout_s
        slowest = started + wait_s + size / _LEAST_BYTES_A_SECOND
        self._reset_timeout(min(wait_s, max(slowest - self.loop.time(), 0.001)))

    async def _finished(self, reader: DataReader | ChunkReader, size: int) -> Received:
        if size < _LARGE_BYTES:
            return reader.finish()
        return await asyncio.to_thread(reader.finish)

    def _send(self, reply: Reply) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(reply.wire())

    def _say_and_close(self, reply: Reply) -> None:
        self._send(reply)
        self._close()

    def _close(self) -> None:
        """Close once everything is read; soon in any case, for some clients never read."""
        if self.transport is not None and self._linger is None:
            self._linger = self.loop.call_later(_LINGER_S, self.transport.abort)
            self.transport.close()

    def _log_connection(self, session: Session, started: float) -> None:
        connection = session.connection
        fields = {
            **client_fields(connection),
            "tls": connection.tls.version if connection.tls else "",
            "transactions": session.transactions,
            "duration_ms": round((self.loop.time() - started) * 1000, 1),
        }
        log_event(_log, "connection", fields)
