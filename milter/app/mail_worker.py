"""A worker that takes mail, from its start to its end."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from milter.daemon.shared import NextHopState
from milter.telemetry.metrics import FLUSH_S
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from milter.app.doors import Server
    from milter.app.lists import ListKeeper
    from milter.app.memory import WorkingMemory
    from milter.app.scan_port import ScanPort
    from milter.relay.nexthop import NextHop
    from milter.telemetry.metrics import Metrics

# For the first EHLO of each host: what is offered should be known when the first client asks, but
# one that is down must not keep us from saying 451, nor from asking the next one.
_FIRST_PROBE_S: Final = 2.0
_PROBE_S: Final = 30.0
_PROBE_EVERY_S: Final = 10.0


class MailWorker:
    """Takes mail on all listeners of a worker.

    Args:
        servers: Each with the descriptor of its listening socket.
        next_hop: Where mail goes; None where mail servers only ask.
        scan: Where scans come in; None: nowhere.
        memory: What is remembered; None: nothing.
        closing: Closes what else was opened, such as the sockets to name servers.
        metrics: What is counted of all that.
        lists: The DNS lists.
    """

    def __init__(
        self,
        servers: Sequence[tuple[Server, int]],
        next_hop: NextHop | None,
        *,
        scan: ScanPort | None,
        memory: WorkingMemory | None,
        closing: ExitStack,
        metrics: Metrics,
        lists: ListKeeper,
    ) -> None:
        self._servers = tuple(server for server, _ in servers)
        self._sockets = tuple(descriptor for _, descriptor in servers)
        self._next_hop = next_hop
        self._scan = scan
        self._memory = memory
        self._closing = closing
        self._metrics = metrics
        self._lists = lists
        self._tried = False

    async def start(self) -> None:
        """Begin to take mail; next hop and DNS lists are asked first, for a short while."""
        if self._memory is not None:
            await self._memory.store.start()
        await asyncio.gather(self._probe(_FIRST_PROBE_S), self._lists.probed(_FIRST_PROBE_S))
        # The server closes the descriptor when it stops: as long as we had it open, clients would
        # connect and wait.
        for server, descriptor in zip(self._servers, self._sockets, strict=True):
            await server.serve(socket.socket(fileno=descriptor))
        if self._scan is not None:
            await self._scan.start()

    async def tend(self) -> None:
        """Look after next hop and lists, and show what was counted to whoever scrapes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lists.tend())
            group.create_task(self._watch_next_hop())
            group.create_task(self._flush_metrics())
            if self._memory is not None:
                group.create_task(self._memory.tend())

    def stop_accepting(self) -> None:
        """Take no more connections."""
        for server in self._servers:
            server.stop_accepting()
        if self._scan is not None:
            self._scan.stop_accepting()

    async def drain(self, timeout_s: float) -> None:
        """Finish the messages that are being sent."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(server.drain(timeout_s))
            if self._scan is not None:
                group.create_task(self._scan.drain(timeout_s))

    async def close(self) -> None:
        """Let go of the next hop and all else; nothing that was counted is lost."""
        try:
            with self._closing:
                if self._next_hop is not None:
                    await self._next_hop.close()
                if self._memory is not None:
                    await self._memory.close()
        finally:
            self._metrics.flush()

    def next_hop_state(self) -> NextHopState:
        """Return what is known of the next hop."""
        if self._next_hop is None or self._next_hop.up:
            return NextHopState.UP
        return NextHopState.DOWN if self._tried else NextHopState.UNKNOWN

    def verdicts(self) -> Sequence[int]:
        """Return the verdicts on mail since the start, by action."""
        return [self._metrics.verdicts[action.word] for action in Action]

    async def _watch_next_hop(self) -> None:
        """Try the next hop again for as long as it is down, so that we know when it is back."""
        while True:
            await asyncio.sleep(_PROBE_EVERY_S)
            if self._next_hop is not None and not self._next_hop.up:
                await self._probe(_PROBE_S)

    async def _flush_metrics(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._metrics.flush()

    async def _probe(self, host_s: float) -> None:
        if self._next_hop is None:
            return
        # Why it failed is logged by the next hop itself.
        await self._next_hop.probe(host_s)
        self._tried = True
