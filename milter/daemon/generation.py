"""The workers of one configuration: started together, each kept alive, drained together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError
from milter.daemon.worker_process import WorkerProcess
from milter.telemetry.multiprocess import forget_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from milter.daemon.handover import Handover
    from milter.daemon.shared import SharedTable
    from milter.telemetry.metrics import SupervisorMetrics

_log: Final = logging.getLogger("gatepost.daemon")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
# A worker that lived this long died of something new: it is started again at once.
_LONG_LIFE_S: Final = 10.0
START_S: Final = 60.0
_CLOSE_S: Final = 5.0
# Between the end of a worker's own time and the end of ours: for closing what it cut.
GRACE_S: Final = 5.0


class WorkersFailedError(GatepostError):
    """The workers of a configuration did not all become ready."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What generations share: how a worker is started, and where workers are counted."""

    command: Sequence[str]
    table: SharedTable
    metrics_folder: Path
    metrics: SupervisorMetrics
    clock: Callable[[], float]


class Generation:
    """Workers that were given the same configuration.

    Args:
        number: Of the configuration; for the shared table.
        workers: How many are kept running.
        workshop: How they are started.
        handover: Makes what a worker in a slot is given.
    """

    def __init__(
        self, number: int, workers: int, workshop: Workshop, handover: Callable[[int], Handover]
    ) -> None:
        self.number = number
        self._count = workers
        self._workshop = workshop
        self._handover = handover
        self._workers: dict[int, WorkerProcess] = {}
        self._ready = 0
        self._settled = asyncio.Event()
        self._failure = ""
        self._stopping = asyncio.Event()
        self._drain_s = 0.0

    async def run(self) -> None:
        """Keep the workers alive until they are drained and all have ended."""
        try:
            async with asyncio.TaskGroup() as group:
                keeping = [group.create_task(self._keep()) for _ in range(self._count)]
                ending = group.create_task(self._end_late())
                await asyncio.wait(keeping)
                ending.cancel()
        finally:
            self._fail("stopped")

    async def started(self) -> None:
        """Wait until all workers take mail.

        Raises:
            WorkersFailedError: One ended before, or it took too long; the others go on until
                `drain` or `kill`.
        """
        try:
            async with asyncio.timeout(START_S):
                await self._settled.wait()
        except TimeoutError:
            self._fail(f"not ready after {START_S:.0f} s")
        if self._failure:
            raise WorkersFailedError(self._failure)

    def drain(self, timeout_s: float) -> None:
        """Ask all workers to finish within `timeout_s`; a second call may ask for less."""
        self._stopping.set()
        self._drain_s = timeout_s
        for worker in self._workers.values():
            worker.drain(timeout_s)

    async def closed(self) -> None:
        """Wait until no worker takes anything new, for a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                for worker in tuple(self._workers.values()):
                    await worker.draining.wait()

    def kill(self) -> None:
        """End all workers now."""
        self._stopping.set()
        for worker in self._workers.values():
            worker.kill()

    def kill_one(self, slot: int, why: str) -> None:
        """End the worker in `slot`, if it is one of ours, as if it had crashed."""
        if worker := self._workers.get(slot):
            _log_kill(slot, worker, why)
            worker.kill()

    async def _end_late(self) -> None:
        """Kill what is still there when its time is over: a worker that hangs cannot end itself."""
        await self._stopping.wait()
        await asyncio.sleep(self._drain_s + GRACE_S)
        why = "it did not end in time"
        for slot, worker in self._workers.items():
            _log_kill(slot, worker, why)
        self.kill()

    def _fail(self, why: str) -> None:
        if not self._settled.is_set():
            self._failure = why
            self._settled.set()

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = self._workshop.clock()
            await self._run_one()
            if self._workshop.clock() - began > _LONG_LIFE_S:
                pause_s = FIRST_PAUSE_S
            if await self._stopped_within(pause_s):
                return
            self._workshop.metrics.restart()
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _run_one(self) -> None:
        """Run one worker from its start to its end, and clear up what it leaves."""
        shop = self._workshop
        slot = shop.table.take(self.number)
        if slot is None:
            self._fail("too many workers are still finishing; try again later")
            return
        try:
            worker = await WorkerProcess.start(shop.command, self._handover(slot))
        except OSError as err:
            shop.table.clear(slot)
            _log.error("worker not started", extra={"worker": slot, "error": str(err)})
            self._fail(str(err))
            return
        self._workers[slot] = worker
        try:
            await self._watch(worker, slot)
        finally:
            del self._workers[slot]
            shop.table.clear(slot)
            forget_process(shop.metrics_folder, str(slot))

    async def _watch(self, worker: WorkerProcess, slot: int) -> None:
        if self._stopping.is_set():
            worker.drain(self._drain_s)
        async with asyncio.TaskGroup() as group:
            readiness = group.create_task(self._count_ready(worker))
            code = await worker.wait()
            readiness.cancel()
        if self._stopping.is_set() and not code:
            return
        fields = {"worker": slot, "pid": worker.pid, "result": code}
        _log.error("worker ended", extra=fields)
        if not worker.ready.is_set():
            self._fail(f"a worker ended with {code} before it was ready")

    async def _count_ready(self, worker: WorkerProcess) -> None:
        await worker.ready.wait()
        self._ready += 1
        if self._ready == self._count:
            self._settled.set()


def _log_kill(slot: int, worker: WorkerProcess, why: str) -> None:
    _log.error("worker killed", extra={"worker": slot, "pid": worker.pid, "error": why})
