"""An SMTP or LMTP server in the test's own loop that answers as it is told, stage by stage.

Without instructions it takes everything. `answers` maps a stage to what it says there: one answer
for every time, or a list that is used up before the usual answer comes back. Stages are `connect`
(the greeting), the verbs, and `.` for the end of a message. It does not judge what it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    import ssl
    from types import TracebackType


class Deed(Enum):
    """What the server does instead of answering."""

    CLOSE = "closes the connection"
    RESET = "cuts the connection"
    SILENCE = "says nothing"


@dataclass(frozen=True, slots=True)
class ThenClose:
    """Say something, then close."""

    words: bytes


Answer = bytes | Deed | ThenClose
Answers = Mapping[str, Answer | Sequence[Answer]]
Script = dict[str, Answer | Sequence[Answer]]

EHLO = (
    b"250-hop.example\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n"
    b"250-8BITMIME\r\n250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 DSN\r\n"
)

_USUAL: dict[str, Answer] = {
    "connect": b"220 hop.example ESMTP\r\n",
    "EHLO": EHLO,
    "LHLO": EHLO,
    "HELO": b"250 hop.example\r\n",
    "STARTTLS": b"220 2.0.0 go\r\n",
    "XCLIENT": b"220 hop.example ESMTP\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 2.0.0 Ok: queued as ABC\r\n",
    "QUIT": ThenClose(b"221 2.0.0 bye\r\n"),
}


@dataclass(slots=True)
class Seen:
    """What one connection brought.

    Attributes:
        commands: The lines of commands, without CRLF.
        messages: The messages as they were on the wire, dots stuffed, without the final dot.
        unfinished: What came of a message whose final dot did not.
        first_bytes: What came before the greeting was said (a PROXY header).
        closed: Done when the connection has ended.
    """

    closed: asyncio.Future[None]
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    unfinished: bytes = b""
    first_bytes: bytes = b""
    encrypted: bool = False

    @property
    def verbs(self) -> list[str]:
        """The verbs of the commands, in upper case."""
        return [command.split(" ", 1)[0].upper() for command in self.commands]


class ScriptedServer:
    """The server; an async context manager that listens on a loopback port or a unix socket.

    Args:
        answers: What is said at each stage, on every connection.
        per_connection: The same for the first, second ... connection, before `answers`.
        lmtp: Whether the end of a message is answered once for each accepted RCPT.
        tls: What STARTTLS goes on with.
        proxy: Whether a PROXY header is awaited before the greeting.
        path: Unix socket to listen on instead of a port.

    Attributes:
        to_tls: What the client's first bytes after STARTTLS are met with, where that is not TLS.
    """

    def __init__(
        self,
        answers: Answers | None = None,
        *,
        per_connection: Sequence[Answers] = (),
        lmtp: bool = False,
        tls: ssl.SSLContext | None = None,
        proxy: bool = False,
        path: str = "",
    ) -> None:
        self.answers = _queues(answers or {})
        self.per_connection = [_queues(some) for some in per_connection]
        self.lmtp = lmtp
        self.tls = tls
        self.proxy = proxy
        self.connections: list[Seen] = []
        self.protocols: list[_Conversation] = []
        self.to_tls: Answer | None = None
        self._path = path
        self._server: asyncio.Server | None = None
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path:
            self._server = await loop.create_unix_server(lambda: _Conversation(self), self._path)
        else:
            self._server = await loop.create_server(lambda: _Conversation(self), "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        """Where it listens, as configuration writes it."""
        if self._path:
            return f"unix:{self._path}"
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for protocol in self.protocols:
            await protocol.end()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is asked after each thing that happens here."""
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._watchers.append((condition, future))
            async with asyncio.timeout(10):
                await future

    @property
    def messages(self) -> list[bytes]:
        """The messages of all connections."""
        return [message for seen in self.connections for message in seen.messages]

    def happened(self) -> None:
        """Wake those whose condition holds now."""
        for condition, future in self._watchers:
            if not future.done() and condition():
                future.set_result(None)

    def answer(self, number: int, stage: str) -> Answer:
        """Return what connection `number` is told at `stage`."""
        special = self.per_connection[number] if number < len(self.per_connection) else {}
        for queues in (special, self.answers):
            if stage in queues:
                queue = queues[stage]
                if not isinstance(queue, list):
                    return queue
                if queue:
                    return queue.pop(0)
        return _USUAL.get(stage, b"250 2.0.0 Ok\r\n")


def _queues(answers: Answers) -> dict[str, Answer | list[Answer]]:
    return {
        stage: said if isinstance(said, bytes | Deed | ThenClose) else list(said)
        for stage, said in answers.items()
    }


class _Conversation(asyncio.Protocol):
    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._number = len(server.connections)
        self._seen = Seen(asyncio.get_running_loop().create_future())
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._in_data = False
        self._greeted = not server.proxy
        self._accepted = 0
        self._upgrade: asyncio.Task[None] | None = None
        self._upgrading = False
        self._stop_after = ""
        server.connections.append(self._seen)
        server.protocols.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._greeted:
            self._say("connect")
        self._server.happened()

    def data_received(self, data: bytes) -> None:
        if self._seen.verbs[-1:] == ["STARTTLS"] and self._server.to_tls is not None:
            self._do(self._server.to_tls)
            return
        self._buffer += data
        if not self._greeted:
            self._seen.first_bytes += data
            self._buffer = b""
            self._greeted = True
            self._say("connect")
        self._go_on()

    def _go_on(self) -> None:
        # Inside TLS the first bytes may come before start_tls has returned the transport for it.
        while not self._upgrading and self._step():
            pass
        self._seen.unfinished = self._buffer if self._in_data else b""
        self._server.happened()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._seen.closed.done():
            self._seen.closed.set_result(None)
        self._server.happened()

    async def end(self) -> None:
        if self._upgrade is not None:
            await asyncio.gather(self._upgrade, return_exceptions=True)
        if self._transport is not None:
            self._transport.abort()

    def stop_reading_after(self, verb: str) -> None:
        """Read nothing more once `verb` has been answered."""
        self._stop_after = verb

    def write(self, words: bytes) -> None:
        assert self._transport is not None
        self._transport.write(words)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def _step(self) -> bool:
        if self._in_data:
            return self._message()
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        self._buffer = rest
        self._seen.commands.append(line.decode("latin-1"))
        self._command(line.split(b" ", 1)[0].decode("latin-1").upper())
        return True

    def _message(self) -> bool:
        # The CRLF of the DATA line counts as the line break before the first line.
        end = (b"\r\n" + self._buffer).find(b"\r\n.\r\n")
        if end < 0:
            return False
        self._seen.messages.append(self._buffer[:end])
        self._buffer = self._buffer[end + 3 :]
        self._in_data = False
        for _ in range(self._accepted if self._server.lmtp else 1):
            self._say(".")
        return True

    def _command(self, verb: str) -> None:
        said = self._say(verb)
        words = said if isinstance(said, bytes) else b""
        taken = words[:1] in (b"2", b"3")
        if verb == self._stop_after and self._transport is not None:
            self._transport.pause_reading()
        if verb in ("MAIL", "RSET"):
            self._accepted = 0
        elif verb == "RCPT" and taken:
            self._accepted += 1
        elif verb == "DATA" and taken:
            self._in_data = words.startswith(b"354")
        elif verb == "STARTTLS" and taken and self._server.tls is not None:
            self._upgrading = True
            self._upgrade = asyncio.get_running_loop().create_task(self._start_tls())

    async def _start_tls(self) -> None:
        assert self._transport is not None
        assert self._server.tls is not None
        loop = asyncio.get_running_loop()
        try:
            upgraded = await loop.start_tls(
                self._transport, self, self._server.tls, server_side=True
            )
        except OSError:
            self._transport.abort()
            return
        if upgraded is not None:
            self._transport = upgraded
            self._seen.encrypted = True
            self._upgrading = False
            self._go_on()

    def _say(self, stage: str) -> Answer:
        said = self._server.answer(self._number, stage)
        self._do(said)
        return said

    def _do(self, said: Answer) -> None:
        assert self._transport is not None
        match said:
            case bytes():
                self._transport.write(said)
            case ThenClose(words):
                self._transport.write(words)
                self._transport.close()
            case Deed.CLOSE:
                self._transport.close()
            case Deed.RESET:
                self._transport.abort()
            case Deed.SILENCE:
                pass
