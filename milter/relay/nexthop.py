"""The next hop as the rest of the door sees it: several hosts, one of them in use, and a pool.

It knows which host is tried first and what the hosts offer. What is said in a transaction is in
`delivery`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from milter.core.errors import RelayError
from milter.relay.delivery import Relaying
from milter.relay.handshake import Manner, dial, introduce, names_the_client, tls_context
from milter.relay.pool import Pool
from milter.relay.protocol import NOTHING_OFFERED, Capabilities
from milter.relay.timers import DEFAULT_TIMERS, Timers
from milter.settings.places import Place, parse_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import Connection
    from milter.relay.client import HopConnection, OnStage
    from milter.relay.partial import PartialDeliveries
    from milter.settings import NextHop as NextHopSettings

log = logging.getLogger("gatepost.relay")


@dataclass(slots=True)
class _Host:
    """A host with what its last attempt taught.

    Attributes:
        address: Where it is.
        failed_at: When it failed; None since it succeeded.
        capabilities: What it offers; None while it is down.
        offered: What it offered when it was up last.
    """

    address: Place
    failed_at: float | None = None
    capabilities: Capabilities | None = None
    offered: Capabilities = NOTHING_OFFERED


class NextHop:
    """Where mail of one worker goes.

    Args:
        settings: Hosts and how they are spoken to.
        hostname: Our name in EHLO.
        clock: Monotonic seconds; decides which failed host is tried again.
        timers: The deadlines.
        partial: Remembers recipients that got a message which others did not; None: nothing does.
        on_stage: Told the name and the seconds of each stage: connect, ehlo, starttls, identity,
            mail, rcpt, data, final.

    Raises:
        ParseError: A host is not `host:port`, `[v6]:port` or `unix:/path`.
        OSError: The CA file cannot be read.
    """

    def __init__(
        self,
        settings: NextHopSettings,
        hostname: str,
        *,
        clock: Callable[[], float],
        timers: Timers = DEFAULT_TIMERS,
        partial: PartialDeliveries | None = None,
        on_stage: OnStage | None = None,
    ) -> None:
        self._hosts = [_Host(parse_place(text)) for text in settings.hosts]
        self._manner = Manner(
            hostname=hostname,
            protocol=settings.protocol,
            tls=settings.tls,
            tls_context=tls_context(settings.tls, settings.tls_ca_file),
            told_by=settings.pass_client,
            timers=timers,
            on_stage=on_stage,
        )
        self._clock = clock
        self._partial = partial
        self._pool = Pool(self._connect, self._manner, settings)

    @property
    def capabilities(self) -> Capabilities | None:
        """What every host in use offers; None before the first contact and while all are down.

        In use is each host whose last attempt succeeded.
        """
        known = [host.capabilities for host in self._hosts if host.capabilities is not None]
        return reduce(Capabilities.common, known) if known else None

    @property
    def up(self) -> bool:
        """Whether the last attempt at any host succeeded."""
        return any(host.capabilities is not None for host in self._hosts)

    @property
    def verified_tls(self) -> bool:
        """Whether mail reaches the next hop only over TLS with a verified certificate."""
        return self.up and self._manner.tls == "verify"

    @property
    def single_recipient(self) -> bool:
        """Whether a transaction may have one recipient only.

        LMTP answers for each recipient, a client hears one answer for all; without a memory of who
        got the message, whoever comes again for one would double it for the others.
        """
        return self._manner.protocol == "lmtp" and self._partial is None

    @property
    def single_group(self) -> bool:
        """Whether all recipients of a transaction must get the same message.

        Each group is a delivery of its own at the next hop, and one may be taken while another is
        not; without a memory of that, whoever comes again for one would double it for the others.
        """
        return self._partial is None

    async def probe(self, host_s: float = math.inf) -> RelayError | None:
        """Learn what the next hop offers; return why that was not possible, None where it was.

        Args:
            host_s: How long each host is waited for.
        """
        try:
            connection = await self._connect(None, host_s)
        except RelayError as err:
            return err
        self._pool.adopt(connection)
        return None

    def open(self, client: Connection, txn_id: str = "") -> Relaying:
        """Return a transaction for `client`; nothing is sent before its `mail`.

        Args:
            client: The client, after PROXY, XCLIENT or XFORWARD have said who it is.
            txn_id: For the log.
        """
        return Relaying(
            self._pool,
            self._manner,
            client,
            partial=self._partial,
            txn_id=txn_id,
            on_unusable=self._note_unusable,
            promised=lambda name: any(host.offered.offers(name) for host in self._hosts),
        )

    def leave(self, client: Connection) -> None:
        """Note that `client` has gone: with PROXY and XCLIENT its kept connection goes too."""
        self._pool.leave(client)

    async def close(self) -> None:
        """Close all connections; transactions that are still open are cut."""
        await self._pool.close()

    async def _connect(self, client: Connection | None, host_s: float = math.inf) -> HopConnection:
        errors: list[RelayError] = []
        hosts = self._order()
        for host in hosts:
            left = host is not hosts[-1]
            limit_s = min(host_s, self._manner.timers.failover_s) if left else host_s
            try:
                connection = await self._dial(host, client, limit_s)
            except RelayError as err:
                errors.append(err)
                self._note_failure(host, err)
            else:
                host.failed_at = None
                return connection
        # What a host said to the client itself is more of an answer than that another is down.
        raise next((error for error in errors if error.refuses_client), errors[0])

    async def _dial(self, host: _Host, client: Connection | None, limit_s: float) -> HopConnection:
        began = self._clock()
        if host.failed_at is not None:
            # One tries it again; the others need not wait for what comes of that.
            host.failed_at = began
        try:
            async with asyncio.timeout(limit_s if math.isfinite(limit_s) else None):
                return await self._opened(host, client)
        except TimeoutError as err:
            what = f"not ready within {limit_s:g} s"
            raise RelayError(str(host.address), "connect", what) from err
        except asyncio.CancelledError:
            if self._clock() - began >= self._manner.timers.hung_s:
                host.failed_at, host.capabilities = self._clock(), None
            raise

    async def _opened(self, host: _Host, client: Connection | None) -> HopConnection:
        connection = await dial(host.address, self._manner, client)
        # What it offers to us: after XCLIENT it speaks to one client.
        host.capabilities = host.offered = connection.capabilities
        if client is not None and self._manner.told_by == "xclient":
            await introduce(connection, self._manner, client)
        return connection

    def _order(self) -> list[_Host]:
        """Return the hosts as configured, those that failed a short while ago last."""
        now = self._clock()

        def recently_failed(host: _Host) -> bool:
            retry_s = self._manner.timers.retry_s
            return host.failed_at is not None and now - host.failed_at < retry_s

        return sorted(self._hosts, key=recently_failed)

    def _note_unusable(self, address: str) -> None:
        # It greets and yet takes no mail: another host is tried first next time.
        for host in self._hosts:
            if str(host.address) == address:
                host.failed_at = self._clock()

    def _note_failure(self, host: _Host, error: RelayError) -> None:
        if not names_the_client(error, self._manner):
            host.failed_at, host.capabilities = self._clock(), None
        log.warning(
            "next hop failed",
            extra={
                "next_hop": error.next_hop,
                "error": f"{error.stage}: {error.what}",
                "reply": str(error.reply) if error.reply else "",
                "temporary": True,
            },
        )
