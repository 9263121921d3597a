"""The process of one worker: takes over what it is given, says when it is ready, drains, ends.

What a worker does is not known here: `app` builds it. A worker whose supervisor is gone notices by
the end of its standard input; it finishes its messages and ends, for nobody would ever reload it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import uvloop

from milter.daemon.handover import Handover, read_handover
from milter.daemon.shared import NextHopState, SharedTable, WorkerLimits, WorkerState
from milter.daemon.worker_process import DRAINING, READY
from milter.telemetry.multiprocess import share_metrics
from milter.telemetry.writer import Logging
from policies.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.core.limits import SharedLimits
    from milter.settings import Settings

_log: Final = logging.getLogger("gatepost.worker")

_REPORT_S: Final = 1.0
_EX_CONFIG: Final = 78
_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


class Worker(Protocol):
    """What takes mail in a worker."""

    async def start(self) -> None:
        """Begin to take mail."""
        ...

    async def tend(self) -> None:
        """Do what is to be done beside taking mail, until cancelled."""
        ...

    def stop_accepting(self) -> None:
        """Take nothing new from here on; always called before `drain`."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Finish what is there, for `timeout_s` at most.

        It may be cancelled and called again with another time.
        """
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...

    def next_hop_state(self) -> NextHopState:
        """Return what is known of the next hop."""
        ...

    def verdicts(self) -> Sequence[int]:
        """Return the verdicts on mail since the start, by action."""
        ...


class Workplace(Protocol):
    """The configuration of a worker, read and compiled, before anything runs."""

    @property
    def settings(self) -> Settings:
        """The settings that were handed over."""
        ...

    async def build(self, limits: SharedLimits) -> Worker:
        """Return the worker; called once, inside its event loop."""
        ...


@dataclass(frozen=True, slots=True)
class _Seat:
    """Where a worker reports of itself."""

    table: SharedTable
    slot: int

    def enter(self, state: WorkerState) -> None:
        self.table.pid[self.slot] = os.getpid()
        self.table.state[self.slot] = state

    def report(self, worker: Worker) -> None:
        self.table.beats[self.slot] += 1
        self.table.next_hop[self.slot] = worker.next_hop_state()
        self.table.tell_verdicts(self.slot, worker.verdicts())


def run_worker(open_workplace: Callable[[Handover], Workplace]) -> int:
    """Be a worker from the handover on standard input to the end; return the exit code."""
    handover = read_handover(_STDIN)
    share_metrics(Path(handover.metrics_folder), str(handover.slot))
    try:
        workplace = open_workplace(handover)
    except PolicyError as err:
        # The supervisor read the same bytes without a mistake; if we do not, only it can tell.
        os.write(_STDERR, f"{err}\n".encode("utf-8", "backslashreplace"))
        return _EX_CONFIG
    log = workplace.settings.log
    hash_key = handover.hash_key if log.addresses == "hashed" else None
    logging_ = Logging(log.format, log.level, hash_key)
    try:
        return _run(workplace, handover)
    finally:
        logging_.close()


def _run(workplace: Workplace, handover: Handover) -> int:
    table = SharedTable(handover.memory_fd)
    limits = WorkerLimits(table, handover.slot, workplace.settings.limits, handover.limits_key)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(workplace, limits, _Seat(table, handover.slot)))
    except Exception:  # noqa: BLE001 - the top of the process: what ends it must reach the log
        _log.exception("worker failed", extra={"worker": handover.slot})
        return 1
    finally:
        table.close()
    return 0


async def _work(workplace: Workplace, limits: SharedLimits, seat: _Seat) -> None:
    worker = await workplace.build(limits)
    try:
        await _live(worker, seat, workplace.settings.limits.drain_s)
    finally:
        await worker.close()


async def _live(worker: Worker, seat: _Seat, drain_s: float) -> None:
    """Take mail until told to drain, and drain."""
    commands: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, commands.put_nowait, drain_s)
    # A terminal sends these to the whole group; it is the supervisor's business what they mean.
    for ignored in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(ignored, lambda: None)
    async with asyncio.TaskGroup() as group:
        side = (
            group.create_task(_listen(commands, drain_s)),
            group.create_task(_report(worker, seat)),
            group.create_task(worker.tend()),
        )
        await worker.start()
        seat.report(worker)
        seat.enter(WorkerState.READY)
        _tell(READY)
        timeout_s = await commands.get()
        worker.stop_accepting()
        seat.enter(WorkerState.DRAINING)
        _tell(DRAINING)
        await _drain(worker, commands, timeout_s)
        for task in side:
            task.cancel()


def _tell(word: bytes) -> None:
    # A supervisor that is gone hears nothing; its end is noticed elsewhere.
    with contextlib.suppress(OSError):
        os.write(_STDOUT, word + b"\n")


async def _drain(worker: Worker, commands: asyncio.Queue[float], timeout_s: float) -> None:
    """Drain; a command that comes meanwhile sets a new time."""
    while True:
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(worker.drain(timeout_s))
            changing = group.create_task(commands.get())
            done, _ = await asyncio.wait({draining, changing}, return_when=asyncio.FIRST_COMPLETED)
            draining.cancel()
            changing.cancel()
        if draining in done:
            return
        timeout_s = changing.result()


async def _listen(commands: asyncio.Queue[float], drain_s: float) -> None:
    """Turn what the supervisor says into commands; its end is one too."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(_STDIN, "rb", closefd=False)
    )
    try:
        while line := await reader.readline():
            _, _, seconds = line.partition(b"drain ")
            with contextlib.suppress(ValueError):
                commands.put_nowait(float(seconds))
        commands.put_nowait(drain_s)
    finally:
        transport.close()


async def _report(worker: Worker, seat: _Seat) -> None:
    """Write into the shared table what only this worker knows, and that its loop turns."""
    while True:
        seat.report(worker)
        await asyncio.sleep(_REPORT_S)
