"""Workers are killed, the daemon is told to reload and to stop, all of it under load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.fault_hops import FIRST, SECOND, kept_copies
from tests.support.fault_ledger import Kind, Ledger, Row, check
from tests.support.fault_run import (
    COUNT,
    FILES,
    LEAST,
    ROUNDS,
    faults_configuration,
    numbered,
    send_all,
)
from tests.support.gatepost import Gatepost, running_gatepost
from tests.support.mailbox_sink import FRIENDLY, Act, MailboxSink, Step, running_sink
from tests.support.serial_client import SerialMessage, orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.serial_client import Attempt, Order, SerialClient

pytestmark = pytest.mark.slow

_CONNECTIONS: Final = 120
_KILLS: Final = 6
_RELOADS: Final = 2
# Tries that end before anything happens, so that all connections are busy when it does.
_WARM: Final = 150
_BOTH: Final = frozenset({FIRST, SECOND})
_READINGS: Final = 100_000

KILLED: Final = "worker killed under load"
KILLED_BETWEEN: Final = "worker killed between 250 and 250"
RELOADED: Final = "reload under load"
STOPPED: Final = "stop under load, start again"
STOPPED_AT_ONCE: Final = "stop without time, start again"
KINDS: Final = (KILLED, KILLED_BETWEEN, RELOADED, STOPPED, STOPPED_AT_ONCE)


@dataclass(slots=True)
class Load:
    """Messages without an end, around those of a round.

    Attributes:
        name: Their serial numbers begin with it.
        over: Whether no more are wanted.
    """

    name: str
    over: bool = False
    _numbers: count[int] = field(default_factory=count)

    def around(self, middle: list[Order]) -> Iterator[Order]:
        """Yield some messages, then `middle`, then more until `over`."""
        return chain(islice(self._more(), _WARM // 2), middle, self._more())

    def _more(self) -> Iterator[Order]:
        while not self.over:
            number = next(self._numbers)
            recipients = (FIRST, SECOND) if number % 4 == 0 else (FIRST,)
            yield SerialMessage(f"{self.name}-{number}", recipients), recipients


@pytest.fixture
def sink() -> Iterator[MailboxSink]:
    with running_sink() as running:
        yield running


def _lost(attempt: Attempt) -> bool:
    """Whether its connection ended in the middle of it."""
    return attempt.lost not in (None, "connect")


def _checked(kind: Kind, attempts: list[Attempt], sink: MailboxSink) -> Row:
    """Compare with what the sink has once all that any worker sent has reached it."""
    sink.wait_until_idle()
    messages = {attempt.message.serial: attempt.message for attempt in attempts}
    return check(kind, attempts, kept_copies(sink.messages, messages.values()))


def _turned_away(attempt: Attempt) -> bool:
    """Whether a session that was about to end did not take it."""
    return attempt.answered("mail", b"421 4.3.2")


def _broken_off(attempts: list[Attempt]) -> list[Attempt]:
    """Return what was begun and not finished, though the next hop was well."""
    return [each for each in attempts if each.answered("mail", b"250") and not each.told]


def test_worker_killed_under_load_loses_and_doubles_nothing(
    sink: MailboxSink, ledger: Ledger
) -> None:
    messages = numbered("kill", 5 * COUNT)
    with running_gatepost(faults_configuration(sink.host), FILES) as daemon:

        async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(client.send(orders, _CONNECTIONS))
                if number < ROUNDS - 1:
                    group.create_task(_kill_now_and_then(daemon, client, len(orders)))

        attempts = send_all(daemon.port, messages, send_round)
    row = _checked(Kind(KILLED, _lost, _BOTH), attempts, sink)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met >= LEAST


async def _kill_now_and_then(daemon: Gatepost, client: SerialClient, total: int) -> None:
    """Kill the oldest worker, each time when so many more of `total` tries have ended."""
    before = len(client.attempts)
    for number in range(_KILLS):
        await client.answered(before + total * (number + 1) // (_KILLS + 1))
        # What a kill breaks off counts as ended too: the next one may find nobody left to kill yet.
        for pid in daemon.worker_pids[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_worker_killed_between_the_next_hops_250_and_ours_doubles_once(
    sink: MailboxSink, ledger: Ledger
) -> None:
    messages = numbered("between", COUNT)
    sink.decide_by(_hold_final_reply)
    with running_gatepost(faults_configuration(sink.host), FILES) as daemon:

        async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(client.send(orders, len(orders)))
                if number == 0:
                    group.create_task(asyncio.to_thread(_kill_in_the_window, daemon, sink, orders))

        attempts = send_all(daemon.port, messages, send_round)
    row = _checked(Kind(KILLED_BETWEEN, _lost, _BOTH), attempts, sink)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met == COUNT
    # Each of them was kept, and none of their clients was told.
    assert row.kept == sum(len(recipients) for _, recipients in orders(messages))


def _hold_final_reply(step: Step) -> Act:
    return Act(hold=True) if step.verb == "BODY" else FRIENDLY


def _kill_in_the_window(daemon: Gatepost, sink: MailboxSink, orders: list[Order]) -> None:
    """Let the next hop say its 250 to workers that cannot hear it any more."""
    dots = sum(len(recipients) for _, recipients in orders)
    sink.wait_for_step("BODY", dots)
    workers = daemon.worker_pids
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
        _wait_until_stopped(pid)
    sink.release()
    sink.wait_for(dots)
    # The sink has one loop: who is greeted after that knows that the last 250 was written.
    with socket.create_connection(("127.0.0.1", sink.port)) as connection:
        connection.recv(512)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


def _wait_until_stopped(pid: int) -> None:
    for _ in range(_READINGS):
        if Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].startswith("T"):
            return
        os.sched_yield()
    raise AssertionError("a worker goes on after SIGSTOP")


def test_reload_under_load_breaks_no_message_off(sink: MailboxSink, ledger: Ledger) -> None:
    messages, moments = numbered("reload", COUNT), list[float]()
    with running_gatepost(faults_configuration(sink.host), FILES) as daemon:

        async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
            load = Load(f"reload-{number}")
            async with asyncio.TaskGroup() as group:
                group.create_task(client.send(load.around(orders), _CONNECTIONS))
                await client.answered(len(client.attempts) + _WARM)
                for _ in range(_RELOADS if number == 0 else 0):
                    moments.append(monotonic())
                    await asyncio.to_thread(daemon.reload)
                    moments.append(monotonic())
                load.over = True

        attempts = send_all(daemon.port, messages, send_round)
        assert daemon.log.count('"event":"reloaded"') == _RELOADS
    row = _checked(_at_moments(RELOADED, moments), attempts, sink)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met >= LEAST
    assert _broken_off(attempts) == []


def _at_moments(name: str, moments: list[float], window: frozenset[str] = frozenset()) -> Kind:
    """Return a kind that was met by what was under way at a moment, or was turned away."""
    return Kind(
        name,
        lambda attempt: _turned_away(attempt) or any(map(attempt.during, moments)),
        window,
    )


@pytest.mark.parametrize("drain_s", [30, 0], ids=["with time", "without time"])
def test_stop_under_load_and_start_again_loses_and_doubles_nothing(
    drain_s: int, sink: MailboxSink, ledger: Ledger, tmp_path: Path
) -> None:
    messages, moments = numbered("stop", COUNT), list[float]()
    config = faults_configuration(sink.host, drain_s=drain_s)
    # Who got a message in part must be known after the next start too.
    config["store"] = f"sqlite:{tmp_path}/gatepost.db"

    async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
        with running_gatepost(config, FILES) as daemon:
            load = Load(f"stop-{number}")
            async with asyncio.TaskGroup() as group:
                group.create_task(client.send(load.around(orders), _CONNECTIONS))
                await client.answered(len(client.attempts) + _WARM)
                if number < ROUNDS - 1:
                    moments.append(monotonic())
                    assert await asyncio.to_thread(daemon.stop) == 0
                load.over = True

    attempts = send_all(
        int(config["listeners"][0]["bind"].rpartition(":")[2]), messages, send_round
    )
    name, window = (STOPPED, frozenset[str]()) if drain_s else (STOPPED_AT_ONCE, _BOTH)
    row = _checked(_at_moments(name, moments, window), attempts, sink)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met >= LEAST
    assert not drain_s or _broken_off(attempts) == []
