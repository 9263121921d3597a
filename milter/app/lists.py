"""The DNS lists of one worker: who asks them, who looks after their health, and who tells of it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.health import ListHealth, Report, State
from milter.checks.dnslists.probe import probe
from milter.checks.networks import DOCUMENTATION_NETWORKS, LOCAL, LOCAL_NETWORKS
from milter.daemon.list_board import DAY_S, ListBoard
from policies.ranges import AddressRanges, parse_ip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.checks.networks import Network
    from milter.daemon.handover import Handover
    from milter.dns.resolver import Resolver
    from milter.settings import Settings
    from milter.telemetry.metrics import Metrics
    from policies.compile import Plan
    from policies.dnslists import DnsList

_log: Final = logging.getLogger("gatepost.lists")

Clock = Callable[[], float]
_TURN_S: Final = 1.0
# A list that takes longer for its test points would hold up every message.
PROBE_S: Final = 5.0


class ListKeeper:
    """Keeps the lists of a worker; `tend` as long as it lives.

    Args:
        lists: All lists of the policies.
        resolver: Asks test points; below any cache, which would tell how a list was.
        metrics: Are told of questions and of health.
        board: Where other workers and the supervisor read; None: nobody does.
        probing: Whether test points are asked.
        never_ask: Addresses that no list is asked about.
        clocks: The one that never goes back, and seconds since 1970.
    """

    def __init__(
        self,
        lists: Sequence[DnsList],
        resolver: Resolver,
        metrics: Metrics,
        board: ListBoard | None,
        *,
        probing: bool,
        never_ask: AddressRanges = LOCAL,
        clocks: tuple[Clock, Clock] = (time.monotonic, time.time),
    ) -> None:
        self._resolver = resolver
        self._metrics = metrics
        self._board = board
        clock, self._wall = clocks
        self._probing = probing
        self._first = asyncio.Event()
        self.health = ListHealth(lists, clock, self._wall, self._changed, probing=probing)
        self.asker = ListAsker(lists, clock, self.health, metrics.dns_list, never_ask)
        self._tell()

    async def tend(self) -> None:
        """Ask test points when they are due, and tell of what changed."""
        while True:
            await self.turn()
            self._first.set()
            await asyncio.sleep(_TURN_S)

    async def probed(self, timeout_s: float) -> None:
        """Wait until `tend` has asked all test points once, for `timeout_s` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._first.wait()

    async def turn(self) -> None:
        """Ask the test points that are due; takes `PROBE_S` at most."""
        if self._board is not None:
            self.health.count_others(self._board.asked_by_others(self._day()))
        due = self.health.due() if self._probing else []
        if due:
            await asyncio.gather(*[self._probe(dns_list) for dns_list in due])
        self._tell()

    async def _probe(self, dns_list: DnsList) -> None:
        try:
            async with asyncio.timeout(PROBE_S):
                said = await probe(dns_list, self._resolver, os.urandom(20))
        except TimeoutError:
            self.health.probed(dns_list, f"its test points had no answer within {PROBE_S:g} s")
        else:
            self.health.probed(dns_list, said.trouble)

    def _tell(self) -> None:
        reports = self.health.reports()
        for report in reports:
            self._metrics.dns_list_up(report.zone, up=report.state is State.UP)
        if self._board is not None:
            self._board.write(reports, os.getpid(), self._day())

    def _day(self) -> int:
        """Return today, in days since 1970 (UTC)."""
        return int(self._wall() // DAY_S)

    def _changed(self, report: Report) -> None:
        up = report.state is State.UP
        self._metrics.dns_list_up(report.zone, up=up)
        fields = {"zone": report.zone, "result": report.state.value}
        if report.reason:
            fields["error"] = report.reason
        if up:
            _log.info("dns list taken", extra=fields)
        else:
            _log.warning("dns list set aside", extra=fields)


def open_keeper(
    plan: Plan, settings: Settings, handover: Handover, resolver: Resolver, metrics: Metrics
) -> ListKeeper:
    """Return the keeper of the lists of `plan`, for the worker that `handover` describes."""
    board = ListBoard(Path(handover.lists_folder), handover.slot, int(time.time() // DAY_S))
    # A zone file stands for the whole DNS of a try: nobody there can refuse us, and few who write
    # one think of test points.
    probing = settings.dns.zone_file is None
    return ListKeeper(
        plan.dns_lists,
        resolver,
        metrics,
        board,
        probing=probing,
        never_ask=never_asked(settings),
    )


def never_asked(settings: Settings) -> AddressRanges:
    """Return the addresses that no list is asked about: local ones, our own, those of examples."""
    networks = [*LOCAL_NETWORKS, *settings.trusted_relays, *_own(settings)]
    if settings.dns.zone_file is None:
        networks += DOCUMENTATION_NETWORKS
    return AddressRanges.of_networks(networks)


def _own(settings: Settings) -> Iterator[Network]:
    """Yield the addresses on which mail is taken and to which it goes."""
    places = [listener.bind for listener in settings.listeners]
    for place in (*places, *settings.next_hop.hosts):
        address = parse_ip(place.rpartition(":")[0].strip("[]"))
        if address is not None and not address.is_unspecified:
            yield ip_network(address)
