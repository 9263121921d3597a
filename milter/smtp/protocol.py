"""The socket side of a session, on aiosmtpd.

aiosmtpd gives the protocol class, STARTTLS and the PROXY header. Reading commands and messages, the
timers and the dispatch are ours: its own loop answers exceptions with 500 and their text, has one
timer for everything, reads messages line by line and destroys parameters
(docs/decisions/aiosmtpd.md).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP, TLSSetupException

from milter.core.reply import Reply
from milter.doors.record import log_connection
from milter.relay.wakeup import Wakeup
from milter.smtp.client_identity import apply_proxy
from milter.smtp.commands import CommandError
from milter.smtp.greeting import before_greeting
from milter.smtp.inbox import Inbox, LineTooLongError
from milter.smtp.session import MAX_COMMAND, Session
from milter.smtp.step import Next, Step
from milter.smtp.tls import describe_tls

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
# How long a client that had its reply is given to say QUIT when the worker goes.
_QUIT_S: Final = 1.0
# A line this long is no mistake of a mail client.
_FLOOD_BYTES: Final = 4_194_304
_PROXY_TIMEOUT_S: Final = 10.0
_TOO_BIG: Final = Reply.of(552, "5.3.4 Message is much larger than this server takes")
_TIMEOUT: Final = Reply.of(421, "4.4.2 Timeout, closing the connection")
_DRAINING: Final = Reply.of(421, "4.3.2 Server is going down, try again")
_LINE_TOO_LONG: Final = Reply.of(500, "5.5.2 Line too long")
_FLOOD: Final = Reply.of(421, "4.7.0 Line without an end")


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
        self._linger: asyncio.TimerHandle | None = None
        self._door = door
        self._reception = reception
        self._wakeup = Wakeup(loop)
        self._inbox = Inbox(self._wakeup, self._pause_reading)
        self._conversation: Session | None = None
        self._writable = True
        self._draining = False
        self._line_due: float | None = None
        self._gone = False

    # -- what the loop and aiosmtpd call ------------------------------------------------------

    async def push(self, status: str) -> None:  # type: ignore[override]
        """Send a reply in aiosmtpd's form: only its STARTTLS does."""
        code, _, text = status.partition(" ")
        self._send(Reply.of(int(code), f"{code[0]}.0.0 {text}"))

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
        self._writable = False

    def resume_writing(self) -> None:
        """The client reads again."""
        self._writable = True
        self._wakeup.wake()

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
        self._wakeup.stop()
        if self._linger is not None:
            self._linger.cancel()
        if self._original_transport is not None:
            self._original_transport.close()
        # Narrower than in the base class, whose own reader would take other transports as well.
        self.transport = None  # pyright: ignore[reportIncompatibleVariableOverride]
        self._writable = True
        self._inbox.end()
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
        if self._line_due is not None and (session is None or not session.in_transaction):
            self._send(_DRAINING)
            self._close()

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
        except TimeoutError:
            self._send(_TIMEOUT)
        except TLSSetupException:
            _log.info("tls handshake failed", extra={"listener": self._door.listener.name})
        except Exception as error:  # noqa: BLE001 - the top of a connection
            self._crashed(session, error)
        finally:
            if session is not None:
                session.close()
                log_connection(session.connection, session.transactions, self.loop.time() - started)

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
        greeted = await before_greeting(
            self._door, connection, trusted=trusted, talks=lambda: bool(self._inbox.unread)
        )
        if isinstance(greeted, Reply) or self._draining:
            self._send(greeted if isinstance(greeted, Reply) else _DRAINING)
            return None
        client, arrival = greeted
        session = Session(self._door, client, trusted=trusted, arrival=arrival)
        self._send(session.greeting())
        return session

    async def _read_proxy_header(
        self, connection: Connection, *, trusted: bool
    ) -> Connection | None:
        if not trusted:
            self._door.metrics.forged_identity("proxy")
            _log.warning("forged identity", extra={"client_ip": str(connection.client_ip)})
            return None
        async with asyncio.timeout(_PROXY_TIMEOUT_S):
            header = await get_proxy(self._inbox)
        try:
            return apply_proxy(connection, header) if header.valid else None
        except CommandError:
            return None

    async def _converse(self, session: Session) -> None:
        inbox = self._inbox
        while not self._gone:
            try:
                line = inbox.line(MAX_COMMAND)
            except LineTooLongError:
                step = session.malformed(*await self._read_over_long_line())
            else:
                if line is None:
                    await self._rest_of_line()
                    continue
                self._line_due = None
                step = await session.command(line)
            if step.next is not None:
                step = await self._follow(session, step)
            if step.reply is not None:
                self._send(step.reply)
            if step.next is Next.CLOSE:
                return
            if self._draining and not session.in_transaction:
                self._send(await self._last_word(session))
                return
            if not self._writable:
                await self._until_writable()

    async def _last_word(self, session: Session) -> Reply:
        """Return what ends the session when the worker goes.

        Who has had a reply says QUIT as a rule, and would take a 421 that we say of ourselves for
        the answer to it: 221 is what it must hear (RFC 5321 §4.1.1.10).
        """
        due = self.loop.time() + _QUIT_S
        try:
            while (line := self._inbox.line(MAX_COMMAND)) is None:
                await self._inbox.more(due)
        except (TimeoutError, LineTooLongError):
            return _DRAINING
        if line.strip().upper() != b"QUIT":
            return _DRAINING
        return (await session.command(line)).reply or _DRAINING

    def _rest_of_line(self) -> Wakeup:
        """Return what is awaited for more; drops of a line do not move its deadline."""
        if self._line_due is None:
            self._line_due = self.loop.time() + self._door.session_bounds.command_timeout_s
        return self._inbox.more(self._line_due)

    async def _until_writable(self) -> None:
        """Wait for a client that sends commands and reads no replies: it must not fill memory."""
        deadline = self.loop.time() + self._door.session_bounds.command_timeout_s
        while not self._writable:
            await self._wakeup.until(deadline)

    async def _follow(self, session: Session, step: Step) -> Step:
        """Return what becomes of a step after what it asks for; its reply is not sent yet."""
        match step.next:
            case Next.DATA:
                if step.reply is not None:
                    self._send(step.reply)
                return await self._read_message(session)
            case Next.CHUNK:
                return await self._read_chunk(session, step)
            case Next.STARTTLS:
                await self._start_tls(session)
                return Step(None)
            case _:
                return step

    async def _start_tls(self, session: Session) -> None:
        await self.smtp_STARTTLS("")
        assert self._tls_protocol is not None  # noqa: S101 - smtp_STARTTLS has set it
        tls = describe_tls(self._tls_protocol._extra["ssl_object"])  # noqa: SLF001
        session.encrypted(tls)

    async def _read_over_long_line(self) -> tuple[Reply, bytes]:
        """Read to the end of a line; return the reply to it and its beginning."""
        inbox = self._inbox
        begin, dropped = b"", 0
        while dropped < _FLOOD_BYTES:
            if not inbox.unread:
                await self._rest_of_line()
            data = bytes(inbox.take())
            begin = begin or data[:8]
            _, found, rest = data.partition(b"\n")
            if found:
                inbox.put_back(rest)
                self._line_due = None
                return _LINE_TOO_LONG, begin
            dropped += len(data)
        return _FLOOD, begin

    async def _read_message(self, session: Session) -> Step:
        reader, inbox = session.data_reader(), self._inbox
        started, size = self.loop.time(), 0
        rest: bytes | None = None
        while rest is None:
            if not inbox.unread:
                await inbox.more(self._data_due(started, size))
            data = inbox.take()
            size += len(data)
            rest = reader.feed(data)
            if rest is None and reader.endless:
                return Step(_TOO_BIG, Next.CLOSE)
        if rest:
            # Pipelined commands behind the message go back to where commands are read from.
            inbox.put_back(rest)
        return await session.message(await self._finished(reader, size))

    async def _read_chunk(self, session: Session, step: Step) -> Step:
        reader, inbox = session.chunk_reader(), self._inbox
        started, left = self.loop.time(), step.chunk
        while left:
            if not inbox.unread:
                await inbox.more(self._data_due(started, step.chunk - left))
            data = inbox.take(left)
            left -= len(data)
            if reader is not None:
                reader.feed(data)
        if step.reply is not None or reader is None:
            return Step(step.reply)
        if reader.endless:
            return Step(_TOO_BIG, Next.CLOSE)
        if step.last:
            return await session.message(await self._finished(reader, step.chunk))
        return session.bounded(Step(Reply.of(250, f"2.0.0 {step.chunk} bytes received")))

    def _data_due(self, started: float, size: int) -> float:
        """Return by when more must come, after `size` bytes since `started`."""
        wait_s = self._door.session_bounds.data_timeout_s
        return min(self.loop.time(), started + size / _LEAST_BYTES_A_SECOND) + wait_s

    async def _finished(self, reader: DataReader | ChunkReader, size: int) -> Received:
        if size < _LARGE_BYTES:
            return reader.finish()
        return await asyncio.to_thread(reader.finish)

    def _send(self, reply: Reply) -> None:
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(reply.wire())

    def _close(self) -> None:
        """Close once everything is read; soon in any case, for some clients never read."""
        if self.transport is not None and self._linger is None:
            self._linger = self.loop.call_later(_LINGER_S, self.transport.abort)
            self.transport.close()
