"""One connection to the next hop: bytes out, replies in, each wait with a deadline.

It knows which replies are outstanding and whether the connection may be used again. It does not
know what is said in which order: `handshake` opens a connection, `delivery` uses it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, cast

from milter.core.errors import RelayError, RemoteProtocolError
from milter.relay.protocol import (
    DATA,
    FINAL_DOT,
    NOTHING_OFFERED,
    QUIT,
    RSET,
    Capabilities,
    ReplyParser,
)
from milter.relay.wakeup import Wakeup

if TYPE_CHECKING:
    import ssl

    from milter.core.connection import Connection, IpAddress
    from milter.core.reply import Reply
    from milter.relay.timers import Timers

# A message is handed to the transport in slices of this size, so that a slow hop does not make a
# second copy of a large message grow in the transport's buffer.
_SLICE: Final = 262_144

OnStage = Callable[[str, float], None]


class HopConnection(asyncio.Protocol):
    """One connection to one host.

    After any failure, or a word of the hop that nobody asked for, it is closed and never used
    again: what comes next could be the answer to something else.

    Attributes:
        host: As configured, for logs and errors.
        timers: The deadlines.
        capabilities: Of the last EHLO.
        told: For whom the hop takes this connection (XCLIENT, PROXY); None: for ourselves.
        verified_tls: Whether it is encrypted and the hop's certificate was verified.
        messages: Completed transactions.
        forwarded: The client of the last XFORWARD and its lines; None before the first.
        reused: Whether it was kept from an earlier transaction.
        lost: Whether the hop closed it, or said 421.
        in_transaction: Whether the hop holds something that RSET must clear.
        in_data: Whether 354 was asked for and the message is not yet answered.
        closed: Done when nothing of it is left.
    """

    def __init__(
        self,
        host: str,
        timers: Timers,
        loop: asyncio.AbstractEventLoop,
        on_stage: OnStage | None = None,
    ) -> None:
        self.host = host
        self.timers = timers
        self.capabilities: Capabilities = NOTHING_OFFERED
        self.told: Hashable = None
        self.verified_tls = False
        self.messages = 0
        self.forwarded: tuple[Connection, tuple[bytes, ...]] | None = None
        self.reused = False
        self.lost = False
        self.in_transaction = False
        self.in_data = False
        self.on_lost: Callable[[HopConnection], None] | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._on_stage = on_stage
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._unasked: Reply | None = None
        self._expected = 1  # the greeting; it may come before create_connection returns
        self._failure: str | None = None
        self._wakeup = Wakeup(loop)
        self._give_up_at = self._deadline = self._answer_by = math.inf
        self._paused = self._quitting = self._resetting = False
        self._sent_at = 0.0

    @property
    def reusable(self) -> bool:
        """Whether the next transaction may use it: nothing failed and nothing is outstanding."""
        return self._failure is None and not (self._expected or self._replies or self.in_data)

    @property
    def failed(self) -> bool:
        """Whether it is of no use any more."""
        return self._failure is not None

    @property
    def peer(self) -> tuple[IpAddress, int] | None:
        """IP address and port of the hop; None for a unix socket."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        if not isinstance(name, tuple):
            return None
        return ip_address(name[0].partition("%")[0]), name[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports do not derive from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Match replies to what was asked."""
        if self._quitting:
            return  # the 221; the hop closes after it
        reply = self._parser.whole(data)
        if reply is not None and self._expected:
            self._expected -= 1
            self._replies.append(reply)
        else:
            self._take_replies(data)
        self._wakeup.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits, and let the pool forget the connection."""
        self.lost = True
        self._break(f"connection lost: {exc}" if exc else "connection closed")
        self._wakeup.wake()
        self._wakeup.stop()
        if not self.closed.done():
            self.closed.set_result(None)
        if self.on_lost is not None:
            self.on_lost(self)

    def pause_writing(self) -> None:
        """Note that the transport holds as much as it should."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._paused = False
        self._wakeup.wake()

    def send(self, data: bytes, replies: int, timeout_s: float) -> None:
        """Write what is answered by `replies` replies, of which the last is due in `timeout_s`."""
        now = self._sent_at = self._loop.time()
        self._deadline = now + timeout_s
        if self._transport is None or self._failure is not None:
            return  # `receive` raises
        self._expected += replies
        self._transport.write(data)

    async def receive(self, stage: str) -> Reply:
        """Return the next outstanding reply, of whatever code but 421 and what fits no command.

        Whoever is cancelled in it leaves a reply outstanding; no connection is reused with one.

        Raises:
            RelayError: The hop closed, said 421 or nonsense, or did not answer in time. The
                connection is then closed.
        """
        while not self._replies:
            if self._failure is not None:
                raise self.error(stage)
            try:
                await self._wakeup.until(min(self._deadline, self._give_up_at))
            except TimeoutError:
                self._break("no answer in time")
        reply = self._replies.popleft()
        code = reply.code
        # RFC 5321 §3.8: 421 may answer any command, and the hop closes after it.
        if code == 421:
            self.lost = True
            self._break("the hop closes the connection")
            raise self.error(stage, reply)
        # RFC 5321 §4.3.2: 354 answers DATA and nothing else.
        if not (code >= 400 or (code == 354 if stage == "data" else code < 300)):
            raise self.reject(stage, "a reply that does not fit the command", reply)
        return reply

    async def command(self, stage: str, data: bytes, timeout_s: float) -> Reply:
        """Send one command and return its reply; raises as `receive` does."""
        self.send(data, 1, timeout_s)
        reply = await self.receive(stage)
        self.timed(stage)
        return reply

    async def mail(self, identity: Sequence[bytes], mail: bytes) -> Reply:
        """Send MAIL, after the lines that say who the client is; return the reply to MAIL.

        Args:
            identity: XFORWARD lines; the hop's refusal of them is not the client's concern, because
                they are for its log only.
            mail: The whole MAIL line.
        """
        self.in_transaction = True
        if identity and not self.capabilities.offers("PIPELINING"):
            for line in identity:
                await self.command("identity", line, self.timers.mail_s)
            identity = ()
        self.send(b"".join((*identity, mail)), len(identity) + 1, self.timers.mail_s)
        for _ in identity:
            await self.receive("identity")
        reply = await self.receive("mail")
        self.timed("mail")
        return reply

    def hurry(self, dot_at: float) -> None:
        """Keep to what our client still waits.

        Args:
            dot_at: Loop time at which its final dot came; infinite: nobody waits.
        """
        self._give_up_at = dot_at + self.timers.dot_by_s
        self._answer_by = dot_at + self.timers.answer_by_s

    def ask_for_data(self) -> None:
        """Send DATA without waiting; `receive` the answer to it at the stage `data`."""
        self.in_data = True
        self.send(DATA, 1, self.timers.data_s)

    async def send_body(self, wire: Sequence[bytes]) -> None:
        """Send the message without its final dot, waiting only where the hop is slow.

        Raises:
            RelayError: The hop closed, spoke too early, or took nothing for `block_s` seconds.
        """
        for piece in wire:
            view = memoryview(piece)
            for start in range(0, len(view), _SLICE):
                if self._failure is not None:
                    raise self.error("body")
                cast("asyncio.Transport", self._transport).write(view[start : start + _SLICE])
                if self._paused:
                    await self._drained()

    def check_before_dot(self) -> None:
        """Look whether the final dot may be sent.

        Raises:
            RelayError: The connection failed, or our client has waited too long.
        """
        if self._loop.time() >= self._give_up_at:
            self._break("too late for the final dot")
        if self._failure is not None:
            raise self.error("body")

    def end_body(self, wire: Sequence[bytes], replies: int) -> None:
        """Send the rest of the message and its final dot in one write; the hop may now deliver.

        Args:
            wire: The rest.
            replies: How many are to be received: one for SMTP, for LMTP one a recipient.
        """
        self._give_up_at = self._answer_by
        self.send(b"".join([*wire, FINAL_DOT]), replies, self.timers.final_s)

    def timed(self, stage: str) -> None:
        """Report how long the answer took to what was sent last."""
        if self._on_stage:
            self._on_stage(stage, self._loop.time() - self._sent_at)

    def note_delivered(self) -> None:
        """Note that the message was answered: the hop holds nothing of the transaction now."""
        self.in_data = self.in_transaction = False
        self.messages += 1

    def reset(self) -> None:
        """Send RSET without waiting; `settle` takes the reply."""
        self.send(RSET, 1, self.timers.reset_s)
        self.in_transaction = False
        self._resetting = True

    async def settle(self) -> None:
        """Wait for the reply to `reset`.

        Raises:
            RelayError: As `receive`, and where RSET was refused.
        """
        if not (self._expected or self._replies):
            return
        reply = await self.receive("rset")
        self._resetting = False
        if reply.code != 250:
            raise self.reject("rset", "RSET refused", reply)

    async def upgrade(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Begin TLS after the hop's 220 to STARTTLS.

        Raises:
            RelayError: The handshake failed, the certificate does not verify, or the hop sent more
                than its 220 in the clear.
        """
        # What stands behind the 220 may be there to be taken for an answer in TLS (RFC 3207 §6).
        if self._parser.pending:
            self._break("bytes after the answer to STARTTLS")
        if self._failure is not None or self._transport is None:
            raise self.error("starttls")
        try:
            upgraded = await self._loop.start_tls(
                self._transport,
                self,
                context,
                server_hostname=server_name,
                ssl_handshake_timeout=self.timers.starttls_s,
            )
        except (OSError, ValueError, asyncio.CancelledError) as err:
            self._end()
            if isinstance(err, asyncio.CancelledError):
                raise
            raise self.reject("starttls", f"TLS failed: {err}") from err
        if upgraded is None:
            self._end()
            raise self.reject("starttls", "connection closed")
        self._transport = upgraded
        self.capabilities = NOTHING_OFFERED

    def error(self, stage: str, reply: Reply | None = None) -> RelayError:
        """Return the failure of this connection as an exception."""
        return RelayError(self.host, stage, self._failure or "failed", reply=reply or self._unasked)

    def reject(self, stage: str, what: str, reply: Reply | None = None) -> RelayError:
        """Close the connection because of `what`; return that as an exception."""
        self._break(what)
        return RelayError(self.host, stage, what, reply=reply)

    def quit(self) -> None:
        """Say QUIT and close; does not wait."""
        answered = self.reusable or self._resetting
        if self._failure is not None or self._transport is None or not answered:
            self.abort()
            return
        # RFC 5321 §4.1.1.10: wait for the 221, but not for ever.
        self._quitting = True
        self._failure = "closed by us"
        self._transport.write(QUIT)
        timer = self._loop.call_later(self.timers.quit_s, self.abort)
        self.closed.add_done_callback(lambda _: timer.cancel())

    def abort(self) -> None:
        """Close at once. In DATA the hop sees no final dot and must deliver nothing.

        RFC 5321 §4.1.1.10: a connection that is closed early has its transaction cancelled.
        """
        self._failure = self._failure or "closed by us"
        if self._transport is None:
            self._end()
        else:
            self._transport.abort()

    def _end(self) -> None:
        # Where a TLS handshake fails, asyncio does not call connection_lost.
        self._wakeup.stop()
        if self._transport is not None:
            self._transport.abort()
        if not self.closed.done():
            self.closed.set_result(None)

    def _take_replies(self, data: bytes) -> None:
        self._parser.feed(data)
        try:
            while self._expected and (reply := self._parser.next_reply()) is not None:
                self._expected -= 1
                self._replies.append(reply)
            # Some hops refuse a message before its end.
            if self.in_data and not self._expected:
                self._unasked = self._parser.next_reply()
        except RemoteProtocolError as err:
            self._break(err.what)
        if self._unasked or (not self._expected and self._parser.pending):
            self._break("the hop spoke without being asked")

    def _break(self, what: str) -> None:
        if self._failure is None:
            self._failure = what
            self.abort()

    async def _drained(self) -> None:
        transport = cast("asyncio.Transport", self._transport)
        left, deadline = transport.get_write_buffer_size(), self._loop.time() + self.timers.block_s
        while self._paused and self._failure is None:
            try:
                await self._wakeup.until(min(deadline, self._give_up_at))
                continue
            except TimeoutError:
                now_left = transport.get_write_buffer_size()
            # A slow hop that takes a little in each block is not a dead one.
            if now_left >= left or self._loop.time() >= self._give_up_at:
                self._break("the hop takes no more of the message")
            left, deadline = now_left, self._loop.time() + self.timers.block_s
        if self._failure is not None:
            raise self.error("body")
