"""The connections that one transaction holds: each opened with MAIL, each given back once.

It knows when a connection that was kept is replaced by a new one. What is said on it after MAIL is
in `delivery`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.core.errors import RelayError
from milter.relay.group import send_mail, send_rcpt
from milter.relay.promises import not_for_good

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from milter.core.connection import Connection
    from milter.core.reply import Reply
    from milter.relay.client import HopConnection
    from milter.relay.handshake import Manner
    from milter.relay.journal import Journal
    from milter.relay.pool import Pool


class HeldConnections:
    """What a transaction took out of the pool.

    Args:
        pool: Where connections come from.
        manner: How the next hop is spoken to.
        client: For whom.
        journal: Told what failed.
        on_unusable: Told of a host that took a new connection and then failed before the final dot.
        promised: Whether some host offered an extension when it was spoken to last.

    Attributes:
        mail: What follows "MAIL ", as the client wrote it.
    """

    def __init__(
        self,
        pool: Pool,
        manner: Manner,
        client: Connection,
        journal: Journal,
        *,
        on_unusable: Callable[[str], None] | None,
        promised: Callable[[str], bool],
    ) -> None:
        self.mail = b""
        self._pool = pool
        self._manner = manner
        self._client = client
        self._journal = journal
        self._on_unusable = on_unusable
        self._promised = promised
        self._held: set[HopConnection] = set()
        self._dot_at: float | None = None

    async def begin(self) -> tuple[HopConnection, Reply]:
        """Return a connection and the hop's reply to MAIL on it.

        Raises:
            RelayError: The hop cannot be reached, closed or talked nonsense.
        """
        connection = await self._acquire(fresh=False)
        try:
            return connection, await self.send_mail(connection)
        except RelayError as err:
            self.give_back(connection)
            # A hop may close a kept connection at the very moment when we use it again.
            if not (connection.reused and connection.lost):
                self.note_unusable(connection, err)
                raise
        connection = await self._acquire(fresh=True)
        try:
            return connection, await self.send_mail(connection)
        except RelayError as err:
            self.give_back(connection)
            self.note_unusable(connection, err)
            raise

    async def send_mail(self, connection: HopConnection) -> Reply:
        """Send MAIL; return its reply. Raises as `begin`."""
        reply = await send_mail(connection, self._manner, self._client, self.mail)
        return self._for_the_client(reply, self.mail, connection)

    async def send_rcpt(self, connection: HopConnection, argument: bytes) -> Reply:
        """Send RCPT; return its reply. Raises as `begin`."""
        reply = await send_rcpt(connection, argument)
        return self._for_the_client(reply, argument, connection)

    def give_back(self, connection: HopConnection) -> None:
        """Let go of a connection; harmless when it is not held."""
        if connection in self._held:
            self._held.discard(connection)
            self._pool.release(connection)

    def give_all_back(self) -> None:
        """Let go of all connections. Never blocks."""
        while self._held:
            self._pool.release(self._held.pop())

    def hurry(self, dot_at: float) -> None:
        """Keep to what our client still waits, now and on what is opened later.

        Args:
            dot_at: Loop time at which its final dot came.
        """
        self._dot_at = dot_at
        for connection in self._held:
            connection.hurry(dot_at)

    def note_unusable(self, connection: HopConnection, error: RelayError) -> None:
        """Note that a connection failed when it was used; a new one says something of its host."""
        self._journal.failed(error)
        if self._on_unusable is not None and not connection.reused:
            self._on_unusable(connection.host)

    async def _acquire(self, *, fresh: bool) -> HopConnection:
        acquiring = self._pool.acquire(self._client, fresh=fresh, wait=not self._held)
        if self._dot_at is None:
            # As a rule: a deadline would cost every message a timer.
            connection = await acquiring
        else:
            connection = await self._acquired_in_time(acquiring, self._dot_at)
        self._held.add(connection)
        return connection

    async def _acquired_in_time(
        self, acquiring: Coroutine[object, object, HopConnection], dot_at: float
    ) -> HopConnection:
        try:
            async with asyncio.timeout_at(dot_at + self._manner.timers.dot_by_s):
                connection = await acquiring
        except TimeoutError as err:
            raise self._pool.error("too late for the final dot") from err
        connection.hurry(dot_at)
        return connection

    def _for_the_client(self, reply: Reply, argument: bytes, connection: HopConnection) -> Reply:
        said = not_for_good(reply, argument, connection.capabilities, self._promised)
        if said is not reply:
            self._journal.lacking(connection.host, reply)
        return said
