from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from milter.daemon.aside import NoThreadError, aside
from tests.support.scarcity import no_threads


def test_aside_returns_and_raises_what_the_work_does() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def both() -> str:
        with pytest.raises(ValueError, match="no"):
            await aside(fail)
        return await aside(lambda: threading.current_thread().name)

    assert asyncio.run(both()) == "aside"


_WAITS_FOR_EVER = """
import asyncio, contextlib, threading
from milter.daemon.aside import aside
async def main():
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await aside(threading.Event().wait)
asyncio.run(main())
"""


def test_aside_keeps_no_process_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", _WAITS_FOR_EVER], check=False, timeout=60)
    assert done.returncode == 0


def test_aside_says_that_no_thread_can_be_started() -> None:
    async def ask() -> None:
        with no_threads(), pytest.raises(NoThreadError, match="can't start new thread"):
            await aside(lambda: None)

    asyncio.run(ask())
