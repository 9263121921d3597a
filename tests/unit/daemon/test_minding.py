"""Minding the files of a configuration, in the supervisor's loop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from milter.daemon import minding
from milter.daemon.configuration import read_configuration
from milter.daemon.minding import Minder
from milter.daemon.shared import SharedTable, create_memory
from policies.loader import FileSource
from tests.support.scarcity import no_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TURNS = 100


@pytest.fixture
def table() -> Iterator[SharedTable]:
    fd = create_memory()
    table = SharedTable(fd)
    yield table
    table.close()
    os.close(fd)


def test_files_are_looked_at_again_once_there_are_threads(
    table: SharedTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minding, "_LOOK_S", 0.0)
    path = tmp_path / "gatepost.yaml"
    path.write_text("reload: {watch: true, every_s: 0.5}\n", "utf-8")
    configuration = read_configuration(str(path), FileSource())

    async def tend() -> None:
        seen = asyncio.Event()
        minder = Minder(table, lambda: True, seen.set, lambda: None)
        minder.took(1, configuration)
        async with asyncio.TaskGroup() as group:
            with no_threads():
                tending = group.create_task(minder.tend())
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                assert not seen.is_set()
            async with asyncio.timeout(30):
                await seen.wait()
            tending.cancel()

    asyncio.run(tend())
