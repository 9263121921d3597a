"""Connections that are kept for the next transaction, in one worker.

It knows when a connection may be used again and for whom, and how many there may be. How one is
opened is `handshake`'s business, to which host `nexthop`'s.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from milter.core.errors import RelayError
from milter.relay.handshake import Manner, introduce, told_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from milter.core.connection import Connection
    from milter.relay.client import HopConnection
    from milter.settings import NextHop

# Servers count messages of a connection too, and say 421 in the middle where they have had enough.
MAX_MESSAGES: Final = 100


class Pool:
    """The connections of one worker to the next hop.

    Each connection that `acquire` returns is given back by one `release`, whatever became of it.

    Args:
        connect: Opens a connection that speaks for a client; raises RelayError.
        manner: How the next hop is spoken to.
        settings: Hosts, for errors; connections at once, kept ones included; seconds for which an
            unused one is kept.
    """

    def __init__(
        self,
        connect: Callable[[Connection | None], Awaitable[HopConnection]],
        manner: Manner,
        settings: NextHop,
    ) -> None:
        self._connect = connect
        self._manner = manner
        self._name = ", ".join(settings.hosts)
        self._limit = settings.connections
        self._idle_s = settings.idle_s
        self._queue: deque[asyncio.Future[None]] = deque()
        self._taken = 0
        self._used: set[HopConnection] = set()
        # Kept connections with the time of their end, oldest first.
        self._kept: dict[HopConnection, float] = {}
        self._leaving: set[HopConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def kept(self) -> int:
        """Connections that wait for a transaction."""
        return len(self._kept)

    @property
    def used(self) -> int:
        """Connections in a transaction."""
        return len(self._used)

    async def acquire(
        self, client: Connection, *, fresh: bool = False, wait: bool = True
    ) -> HopConnection:
        """Return a connection that speaks for `client` and holds no transaction.

        Args:
            client: The client of the transaction.
            fresh: Whether only a new connection will do.
            wait: Whether to wait for a place; who holds one already must not, or several who each
                hold one would wait for each other.

        Raises:
            RelayError: None could be opened, or none became free in time.
        """
        if self._closed or self._taken >= self._limit:
            await self._wait_for_place(wait=wait)
        self._taken += 1
        try:
            connection = None if fresh else await self._reuse(client)
            if connection is None:
                connection = await self._open(client)
        except BaseException:
            self._give_place()
            raise
        self._used.add(connection)
        return connection

    def release(self, connection: HopConnection) -> None:
        """Take a connection back; keep it where that is safe, else close it. Never blocks."""
        self._used.discard(connection)
        self._give_place()
        connection.hurry(math.inf)
        if not connection.reusable:
            self._watch(connection)
            connection.abort()
        elif self._closed or connection.messages >= MAX_MESSAGES or self._idle_s <= 0:
            self._dismiss(connection)
        else:
            self._keep(connection)

    def adopt(self, connection: HopConnection) -> None:
        """Keep a connection that was opened outside of a transaction (a probe)."""
        if self._closed or self._manner.told_by == "proxy" or self._idle_s <= 0:
            self._dismiss(connection)
        else:
            self._keep(connection)

    def leave(self, client: Connection) -> None:
        """Close what is kept for `client`, which has gone, and can serve nobody else.

        Without this a busy hop would hold a process for each client of the last `idle_s` seconds:
        Postfix takes one XCLIENT a connection, and PROXY cannot be said twice at all.
        """
        told = told_of(client, self._manner)
        if told is None:
            return
        gone = [kept for kept in self._kept if kept.told == told]
        for connection in gone:
            if connection.capabilities.offers("XCLIENT") and self._manner.told_by == "xclient":
                continue
            del self._kept[connection]
            self._dismiss(connection)

    def error(self, what: str) -> RelayError:
        """Return why there is no connection as an exception."""
        return RelayError(self._name, "connect", what)

    async def close(self) -> None:
        """Say QUIT on kept connections, cut those in use, and wait until all are gone."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._kept):
            del self._kept[connection]
            self._dismiss(connection)
        for connection in self._used:
            self._watch(connection)
            connection.abort()
        while self._leaving:
            # Each ends by itself within `quit_s`.
            await asyncio.wait([connection.closed for connection in self._leaving])
            # The callbacks that empty the set run in the next turn of the loop.
            await asyncio.sleep(0)

    async def _wait_for_place(self, *, wait: bool) -> None:
        """Wait until there is a place; who is woken first takes it first."""
        if wait and not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._manner.timers.queue_s):
                    await self._until_place()
        if self._closed:
            raise self.error("shutting down")
        if self._taken >= self._limit:
            raise self.error("all connections are in use")

    async def _until_place(self) -> None:
        while self._taken >= self._limit and not self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    # The place that was given to this one is for the next.
                    self._wake_next()
                raise

    def _give_place(self) -> None:
        self._taken -= 1
        if self._queue:
            self._wake_next()

    def _wake_next(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _open(self, client: Connection) -> HopConnection:
        # Kept connections count too; the one unused for longest makes room.
        if self._kept and len(self._kept) + self._taken > self._limit:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._dismiss(oldest)
        return await self._connect(client)

    async def _reuse(self, client: Connection) -> HopConnection | None:
        while (connection := self._pick(client)) is not None:
            del self._kept[connection]
            connection.reused = True
            try:
                await self._make_ready(connection, client)
            except BaseException as err:
                self._watch(connection)
                connection.abort()
                # A dead one: nothing was sent for this client yet, the next or a new one will do.
                # A refusal of this client would cost us every kept connection in turn.
                if not isinstance(err, RelayError) or _refuses_client(err, connection):
                    raise
            else:
                return connection
        return None

    async def _make_ready(self, connection: HopConnection, client: Connection) -> None:
        await connection.settle()
        manner = self._manner
        if manner.told_by == "xclient" and connection.told != told_of(client, manner):
            await introduce(connection, manner, client)
        # A hop that waited too long says 421 unasked, and is kept until we have seen it close.
        if connection.failed:
            raise connection.error("connect")

    def _pick(self, client: Connection) -> HopConnection | None:
        """Return the kept connection to use for `client`, the youngest first."""
        if self._manner.told_by in ("none", "xforward"):
            return next(reversed(self._kept), None)
        youngest_first = list(reversed(self._kept))
        told = told_of(client, self._manner)
        same = next((kept for kept in youngest_first if kept.told == told), None)
        if same is not None or self._manner.told_by == "proxy":
            return same
        return next((c for c in youngest_first if c.capabilities.offers("XCLIENT")), None)

    def _keep(self, connection: HopConnection) -> None:
        if connection.in_transaction:
            connection.reset()
        connection.on_lost = self._forget
        loop = asyncio.get_running_loop()
        self._kept[connection] = loop.time() + self._idle_s
        if self._timer is None:
            self._timer = loop.call_later(self._idle_s, self._dismiss_old)

    def _forget(self, connection: HopConnection) -> None:
        self._kept.pop(connection, None)

    def _dismiss_old(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection, end in list(self._kept.items()):
            if end > now:
                self._timer = loop.call_at(end, self._dismiss_old)
                return
            del self._kept[connection]
            self._dismiss(connection)

    def _dismiss(self, connection: HopConnection) -> None:
        self._watch(connection)
        connection.quit()

    def _watch(self, connection: HopConnection) -> None:
        if not connection.closed.done():
            self._leaving.add(connection)
            connection.closed.add_done_callback(lambda _: self._leaving.discard(connection))


def _refuses_client(error: RelayError, connection: HopConnection) -> bool:
    return error.reply is not None and error.stage != "rset" and not connection.lost
