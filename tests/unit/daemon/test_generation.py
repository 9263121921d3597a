"""The workers of one configuration, as processes that know nothing of mail."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

from milter.daemon.generation import GRACE_S, Generation, Workshop
from milter.daemon.handover import Handover
from milter.daemon.shared import SharedTable, create_memory
from milter.telemetry.metrics import SupervisorMetrics

if TYPE_CHECKING:
    from pathlib import Path

# It says that it is ready and hears nothing from then on.
_HANGS = "import sys, time; print('ready', flush=True); time.sleep(3600)"


def test_generation_kills_a_worker_that_does_not_end_in_time(tmp_path: Path) -> None:
    fd = create_memory()
    table = SharedTable(fd)

    def handover(slot: int) -> Handover:
        return Handover(
            slot=slot,
            generation=1,
            memory_fd=fd,
            listeners={},
            scan_fd=None,
            metrics_folder=str(tmp_path),
            lists_folder=str(tmp_path),
            cache_folder=str(tmp_path),
            config_path=None,
            hostname="mx.example.org",
            hash_key=b"",
            limits_key=b"",
            files={},
        )

    async def live() -> None:
        command = (sys.executable, "-c", _HANGS)
        shop = Workshop(command, table, tmp_path, SupervisorMetrics(), time.monotonic)
        generation = Generation(1, 1, shop, handover)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(generation.run())
            await generation.started()
            # All the time that it has is over.
            generation.drain(-GRACE_S)

    asyncio.run(live())
    table.close()
    os.close(fd)
