"""A next hop of the tests' own: an SMTP or LMTP server that keeps what it got, byte for byte.

It runs in a thread with its own event loop, so that plain tests and other processes can talk to it.
What it does at each step is told by a function (`decide`), which can refuse, drop the connection,
hold the answer until the test releases it, or take the message and drop the connection instead of
saying so. It knows as much of RFC 5321 and RFC 2033 as a next hop needs, and no TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_LIMIT: Final = 1 << 26
_GREETING: Final = b"220 sink.example.net ESMTP\r\n"
DEFAULT_EXTENSIONS: Final = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the peer did.

    Attributes:
        verb: CONNECT, a command's verb in capitals, or BODY once the final dot was read.
        argument: What stood after the verb; the recipient's argument at an LMTP BODY.
        session: Number of the connection, from 0.
        count: How many times this verb came over all connections, this one included.
    """

    verb: str
    argument: bytes
    session: int
    count: int


@dataclass(frozen=True, slots=True)
class Act:
    """What the sink does at a step.

    Attributes:
        reply: Said instead of what a friendly server says; without CRLF.
        drop: The connection is closed, without any reply.
        hold: Nothing is said until `MailboxSink.release`.
        keep: At BODY, whether the message is kept; absent: when the reply is a 2xx.
    """

    reply: bytes | None = None
    drop: bool = False
    hold: bool = False
    keep: bool | None = None


FRIENDLY: Final = Act()
Decide = Callable[[Step], Act]


def friendly(_step: Step) -> Act:
    """Take everything."""
    return FRIENDLY


@dataclass(frozen=True, slots=True)
class Received:
    """One message that was taken.

    Attributes:
        session: Number of the connection.
        mail_from: The argument of MAIL, as it came: `FROM:<a@b> SIZE=3`.
        rcpt_to: The arguments of each accepted RCPT.
        content: The message, dots unstuffed, the end mark left out.
        commands: Every command line of the connection up to here.
    """

    session: int
    mail_from: bytes
    rcpt_to: tuple[bytes, ...]
    content: bytes
    commands: tuple[bytes, ...]


class _GoneError(Exception):
    """The connection is over."""


class MailboxSink:
    """The server; `running_sink` starts and stops it.

    Args:
        decide: Called at each step, in the sink's thread.
        extensions: Lines of the EHLO reply after the first.
        lmtp: Whether LHLO is spoken, and a reply given for each recipient.
    """

    def __init__(
        self,
        decide: Decide,
        extensions: tuple[str, ...] = DEFAULT_EXTENSIONS,
        *,
        lmtp: bool = False,
    ) -> None:
        self.port = 0
        self.extensions = extensions
        self.lmtp = lmtp
        self.sessions = 0
        self._decide = decide
        self._messages: list[Received] = []
        self._counts: dict[str, int] = {}
        self._changed = threading.Condition()
        self._held: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def host(self) -> str:
        """Its address as configuration writes it."""
        return f"127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Received]:
        """What was taken so far."""
        with self._changed:
            return list(self._messages)

    def wait_for(self, count: int, timeout_s: float = 30) -> list[Received]:
        """Return the messages once there are `count` of them.

        Raises:
            TimeoutError: They did not come in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout_s):
                raise TimeoutError(f"{len(self._messages)} of {count} messages came")
            return list(self._messages)

    def wait_for_step(self, verb: str, count: int = 1, timeout_s: float = 30) -> None:
        """Return once `verb` was seen `count` times.

        Raises:
            TimeoutError: It was not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._counts.get(verb, 0) >= count, timeout_s):
                raise TimeoutError(f"{verb} came {self._counts.get(verb, 0)} times of {count}")

    def wait_until_idle(self, timeout_s: float = 30) -> None:
        """Return once nobody is connected: whatever a peer sent before it left is dealt with.

        Raises:
            TimeoutError: Somebody stays connected.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._writers, timeout_s):
                raise TimeoutError(f"{len(self._writers)} connections stay open")

    def decide_by(self, decide: Decide) -> None:
        """Use another function from the next step on."""
        self._decide = decide

    def release(self) -> None:
        """Let everything go on that is on hold, and hold nothing from now on."""
        if self._loop is not None and self._held is not None:
            self._loop.call_soon_threadsafe(self._held.set)

    async def serve(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve on an ephemeral port until `stop` is set."""
        self._loop = asyncio.get_running_loop()
        self._held = asyncio.Event()
        server = await asyncio.start_server(self._session, "127.0.0.1", 0, limit=_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        await stop.wait()
        server.close()
        self._held.set()
        for writer in list(self._writers.values()):
            writer.transport.abort()
        # Each session ends by itself once its connection is gone.
        await asyncio.gather(*self._writers)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers[task] = writer
        number, self.sessions = self.sessions, self.sessions + 1
        dialog = _Dialog(self, reader, writer, number)
        try:
            with contextlib.suppress(_GoneError, ConnectionError, asyncio.IncompleteReadError):
                await dialog.run()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            with self._changed:
                del self._writers[task]
                self._changed.notify_all()

    async def act(self, verb: str, argument: bytes, session: int) -> Act:
        """Count a step, and return what is to be done, once a hold is over."""
        with self._changed:
            count = self._counts[verb] = self._counts.get(verb, 0) + 1
            self._changed.notify_all()
        act = self._decide(Step(verb, argument, session, count))
        if act.hold and self._held is not None:
            await self._held.wait()
        return act

    def keep(self, message: Received) -> None:
        """Add a message to what was taken."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()


class _Dialog:
    """One connection."""

    def __init__(
        self,
        sink: MailboxSink,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._number = number
        self._commands: list[bytes] = []
        self._mail_from: bytes | None = None
        self._rcpt_to: list[bytes] = []

    async def run(self) -> None:
        await self._answer("CONNECT", b"", _GREETING)
        while True:
            line = (await self._reader.readuntil(b"\r\n"))[:-2]
            self._commands.append(line)
            verb, _, argument = line.partition(b" ")
            await self._command(verb.decode("ascii", "replace").upper(), argument)

    async def _command(self, verb: str, argument: bytes) -> None:
        if verb in ("EHLO", "LHLO", "HELO"):
            self._reset()
            await self._answer(verb, argument, self._capabilities(verb))
        elif verb == "MAIL":
            if await self._answer(verb, argument, b"250 2.1.0 Ok\r\n"):
                self._mail_from = argument
        elif verb == "RCPT":
            if await self._answer(verb, argument, b"250 2.1.5 Ok\r\n"):
                self._rcpt_to.append(argument)
        elif verb == "DATA":
            await self._data()
        elif verb == "QUIT":
            await self._answer(verb, argument, b"221 2.0.0 Bye\r\n")
            raise _GoneError
        elif verb == "XCLIENT":
            # The session starts anew after it, greeting included.
            self._reset()
            await self._answer(verb, argument, _GREETING)
        else:
            self._reset() if verb == "RSET" else None
            await self._answer(verb, argument, b"250 2.0.0 Ok\r\n")

    def _capabilities(self, verb: str) -> bytes:
        if verb == "HELO":
            return b"250 sink.example.net\r\n"
        lines = [b"sink.example.net", *(line.encode() for line in self._sink.extensions)]
        last = len(lines) - 1
        return b"".join(
            b"250" + (b" " if i == last else b"-") + line + b"\r\n" for i, line in enumerate(lines)
        )

    async def _data(self) -> None:
        if not self._rcpt_to:
            await self._answer("DATA", b"", b"554 5.5.1 No valid recipients\r\n")
            return
        if not await self._answer("DATA", b"", b"354 Go ahead\r\n"):
            return
        content = await self._body()
        if self._sink.lmtp:
            # RFC 2033 §4.2: one reply for each recipient whose RCPT was taken.
            for rcpt in self._rcpt_to:
                await self._end(content, (rcpt,))
        else:
            await self._end(content, tuple(self._rcpt_to))
        self._reset()

    async def _body(self) -> bytes:
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    async def _end(self, content: bytes, rcpt_to: tuple[bytes, ...]) -> None:
        act = await self._sink.act("BODY", rcpt_to[0], self._number)
        reply = act.reply or b"250 2.0.0 Kept"
        keep = act.keep
        if keep is None:
            keep = reply.startswith(b"2") and not act.drop
        if keep:
            self._sink.keep(
                Received(
                    self._number, self._mail_from or b"", rcpt_to, content, tuple(self._commands)
                )
            )
        if act.drop:
            raise _GoneError
        self._writer.write(reply + b"\r\n")
        await self._writer.drain()

    async def _answer(self, verb: str, argument: bytes, usual: bytes) -> bool:
        act = await self._sink.act(verb, argument, self._number)
        if act.drop:
            raise _GoneError
        reply = usual if act.reply is None else act.reply + b"\r\n"
        self._writer.write(reply)
        await self._writer.drain()
        return reply[:1] in (b"2", b"3")

    def _reset(self) -> None:
        self._mail_from = None
        self._rcpt_to = []


@contextlib.contextmanager
def running_sink(
    decide: Decide = friendly,
    extensions: tuple[str, ...] = DEFAULT_EXTENSIONS,
    *,
    lmtp: bool = False,
) -> Iterator[MailboxSink]:
    """Start a sink on an ephemeral port; stop it, and whatever it holds, at the end."""
    sink = MailboxSink(decide, extensions, lmtp=lmtp)
    ready = threading.Event()
    box: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        box.append((asyncio.get_running_loop(), stop))
        await sink.serve(ready.set, stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="mailbox-sink")
    thread.start()
    try:
        if not ready.wait(30):
            raise TimeoutError("the sink did not start")
        yield sink
    finally:
        if box:
            loop, stop = box[0]
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
