"""A client that sends messages with serial numbers and remembers every reply.

It knows as much of RFC 5321 as a sending mail server needs: one command at a time, connections that
are kept, another one after a 421 or a lost one. It judges nothing: what became of each try stands
in `attempts`, and whoever wants a try repeated sends the message again. Told so, it hangs up in the
middle of every message.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, NoReturn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

# A reply that takes longer is a fault of its own, and fails the test.
_REPLY_S: Final = 60
_BODY: Final = b"".join(
    b"%03d A line of a letter that nobody will read.\r\n" % i for i in range(30)
)

Fate = Literal["told", "refused", "again"]
Stage = Literal["connect", "mail", "rcpt", "data", "body", "final"]


@dataclass(frozen=True, slots=True)
class HangUp:
    """Where a client goes away without waiting for a reply.

    Attributes:
        stage: data, behind the command; body, in the middle of the message; final, behind its dot.
        reset: Whether the connection is reset; else it is closed.
        until: Waited for before that.
    """

    stage: Literal["data", "body", "final"]
    reset: bool = False
    until: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class SerialMessage:
    """One message.

    Attributes:
        serial: Its number, told in the reverse path and in the message.
        recipients: Whom it is for.
        retries: Whether it is sent again after a 4xx or a lost connection.
    """

    serial: str
    recipients: tuple[str, ...]
    retries: bool = False

    @property
    def mail_from(self) -> str:
        """The reverse path."""
        return f"{self.serial}@sender.example.com"

    @property
    def content(self) -> bytes:
        """The message, dots not stuffed: what must arrive begins at `marked`."""
        return (
            b"Subject: A numbered letter\r\nFrom: Alice <alice@sender.example.com>\r\n"
            b"To: bob@first.example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            b"Message-ID: <%s@sender.example.com>\r\n" % self.serial.encode() + self.marked
        )

    @property
    def marked(self) -> bytes:
        """The part that nobody on the way may change."""
        serial = self.serial.encode()
        return b"X-Serial: %s\r\n\r\n%s.. and a dot\r\nEnd of %s\r\n" % (serial, _BODY, serial)


Order = tuple[SerialMessage, tuple[str, ...]]


@dataclass(slots=True)
class Attempt:
    """One try to send one message.

    Attributes:
        message: What.
        recipients: For whom this time.
        replies: Every reply, each with the stage that it answers.
        accepted: Recipients whose RCPT got a 250.
        told: Recipients for whom the final 250 came.
        dot_sent: Whether the final dot was handed to the system.
        lost: The stage at which the connection ended instead of a reply; None: it did not.
        began: When MAIL, or before it the connection, was begun (monotonic seconds).
        ended: When the outcome was known; infinite before.
    """

    message: SerialMessage
    recipients: tuple[str, ...]
    replies: list[tuple[Stage, bytes]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    told: tuple[str, ...] = ()
    dot_sent: bool = False
    lost: Stage | None = None
    began: float = field(default_factory=monotonic)
    ended: float = float("inf")

    def answered(self, stage: Stage, start: bytes | tuple[bytes, ...]) -> bool:
        """Whether a reply at `stage` began with `start`, or with one of several."""
        return any(at == stage and reply.startswith(start) for at, reply in self.replies)

    def during(self, moment: float) -> bool:
        """Whether it was under way at `moment`."""
        return self.began <= moment <= self.ended

    def fate(self, recipient: str) -> Fate:
        """What a mail server makes of the replies for `recipient` (RFC 5321 §4.2.1)."""
        if recipient in self.told:
            return "told"
        permanent = (
            self.answered("mail", b"5")
            or self._rcpt_reply(recipient).startswith(b"5")
            or (recipient in self.accepted and self.answered("final", b"5"))
        )
        return "refused" if permanent else "again"

    def _rcpt_reply(self, recipient: str) -> bytes:
        replies = [reply for stage, reply in self.replies if stage == "rcpt"]
        position = self.recipients.index(recipient)
        return replies[position] if position < len(replies) else b""


class SerialClient:
    """Sends to one port; made and used inside one event loop.

    Attributes:
        attempts: All tries that have ended.
        refused: Whether the port took no connections any more.
        hang_up: Where it goes away in each message; None: it does not.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.hang_up: HangUp | None = None
        self.attempts: list[Attempt] = []
        self.refused = False
        self._changed = asyncio.Condition()

    async def send(self, orders: Iterable[Order], connections: int) -> None:
        """Send each message once, over so many connections at a time.

        Where nobody listens any more it ends early; what is left then was never tried.
        """
        self.refused = False
        waiting = iter(orders)
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._work(waiting))

    async def answered(self, count: int) -> None:
        """Return once `count` tries have ended."""
        async with self._changed, asyncio.timeout(_REPLY_S):
            await self._changed.wait_for(lambda: len(self.attempts) >= count)

    async def _work(self, orders: Iterable[Order]) -> None:
        connection: _Connection | None = None
        try:
            for message, recipients in orders:
                attempt = Attempt(message, recipients)
                try:
                    if connection is None:
                        connection = await _open(self.port)
                    await _converse(connection, attempt, self.hang_up)
                except ConnectionRefusedError:
                    self.refused = True
                    return
                except _OverError:
                    await _close(connection)
                    connection = None
                await self._note(attempt)
        finally:
            await _close(connection)

    async def _note(self, attempt: Attempt) -> None:
        if not attempt.replies and attempt.lost is None:
            attempt.lost = "connect"
        attempt.ended = monotonic()
        self.attempts.append(attempt)
        async with self._changed:
            self._changed.notify_all()


class _OverError(Exception):
    """The connection is over."""


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection that has said EHLO."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> bytes:
        """Send `data`; return the whole reply."""
        self.writer.write(data)
        return await self.reply()

    async def reply(self) -> bytes:
        """Return the next reply; raise `_OverError` where there is none."""
        lines: list[bytes] = []
        async with asyncio.timeout(_REPLY_S):
            try:
                while not lines or lines[-1][3:4] == b"-":
                    lines.append(await self.reader.readuntil(b"\n"))
            except (ConnectionError, asyncio.IncompleteReadError) as err:
                raise _OverError from err
        return b"".join(lines)


async def _open(port: int) -> _Connection:
    try:
        connection = _Connection(*await asyncio.open_connection("127.0.0.1", port))
    except ConnectionResetError as err:
        raise _OverError from err
    greeting = await _first_words(connection)
    if not greeting.startswith(b"2"):
        await _close(connection)
        raise _OverError
    return connection


async def _first_words(connection: _Connection) -> bytes:
    """Return the greeting, or the answer to EHLO where the greeting was friendly."""
    try:
        greeting = await connection.reply()
        if greeting.startswith(b"2"):
            return await connection.ask(b"EHLO client.example.com\r\n")
    except BaseException:
        await _close(connection)
        raise
    return greeting


async def _close(connection: _Connection | None) -> None:
    if connection is not None:
        connection.writer.transport.abort()
        with suppress(OSError):
            await connection.writer.wait_closed()


async def _converse(connection: _Connection, attempt: Attempt, hang_up: HangUp | None) -> None:
    """Take one message as far as it gets."""
    mail = b"MAIL FROM:<%s>\r\n" % attempt.message.mail_from.encode()
    if not await _ask(connection, attempt, "mail", mail):
        return
    for recipient in attempt.recipients:
        rcpt = b"RCPT TO:<%s>\r\n" % recipient.encode()
        if await _ask(connection, attempt, "rcpt", rcpt):
            attempt.accepted.append(recipient)
    if not attempt.accepted:
        await connection.ask(b"RSET\r\n")
        return
    if hang_up is not None and hang_up.stage == "data":
        await _hang_up(connection, attempt, b"DATA\r\n", hang_up)
    if not await _ask(connection, attempt, "data", b"DATA\r\n"):
        return
    wire = attempt.message.content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    if hang_up is not None and hang_up.stage == "body":
        await _hang_up(connection, attempt, wire[: len(wire) // 2], hang_up)
    attempt.dot_sent = True
    if hang_up is not None:
        await _hang_up(connection, attempt, wire, hang_up)
    if await _ask(connection, attempt, "final", wire):
        attempt.told = tuple(attempt.accepted)


async def _hang_up(
    connection: _Connection, attempt: Attempt, data: bytes, hang_up: HangUp
) -> NoReturn:
    """Send `data` and go."""
    connection.writer.write(data)
    if hang_up.until is not None:
        await hang_up.until()
    if hang_up.reset:
        # Lingering for no time sends RST instead of FIN (socket(7)).
        linger = struct.pack("ii", 1, 0)
        raw = connection.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.writer.close()
    attempt.lost = hang_up.stage
    raise _OverError


async def _ask(connection: _Connection, attempt: Attempt, stage: Stage, data: bytes) -> bool:
    try:
        reply = await connection.ask(data)
    except _OverError:
        attempt.lost = stage
        raise
    attempt.replies.append((stage, reply))
    # RFC 5321 §3.8: after a 421 the server closes the connection.
    if reply.startswith(b"421"):
        raise _OverError
    return reply[:1] in (b"2", b"3")


def orders(messages: Sequence[SerialMessage]) -> list[Order]:
    """Return the first try of each message: for all of its recipients."""
    return [(message, message.recipients) for message in messages]
