"""Waking a task at once, and what asyncio must be able to do with one that waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.relay.wakeup import Wakeup

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run


class Waiter:
    """A task that waits again and again, and what has happened in which order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.wakeup = Wakeup(asyncio.get_running_loop())
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the task and let it come to its first wait."""
        self._task = asyncio.create_task(self._wait())
        await asyncio.sleep(0)

    async def _wait(self) -> None:
        while True:
            await self.wakeup
            self.said.append("woken")

    async def end(self) -> None:
        """Cancel the task and see that it ends."""
        assert self._task is not None
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task


def test_wake_from_a_callback_runs_the_task_before_it_returns(run: Run) -> None:
    async def main() -> None:
        waiter = Waiter()
        await waiter.begin()

        def data_received() -> None:
            waiter.said.append("before")
            waiter.wakeup.wake()
            waiter.said.append("after")

        asyncio.get_running_loop().call_soon(data_received)
        await asyncio.sleep(0)

        assert waiter.said == ["before", "woken", "after"]
        await waiter.end()

    run(main())


def test_wake_from_another_task_runs_the_task_in_the_next_turn(run: Run) -> None:
    async def main() -> None:
        waiter = Waiter()
        await waiter.begin()

        waiter.wakeup.wake()
        waiter.said.append("after")
        await asyncio.sleep(0)

        assert waiter.said == ["after", "woken"]
        await waiter.end()

    run(main())


def test_wake_without_a_waiting_task_is_not_remembered(run: Run) -> None:
    async def main() -> None:
        waiter = Waiter()
        waiter.wakeup.wake()

        await waiter.begin()
        await asyncio.sleep(0)

        assert waiter.said == []
        await waiter.end()

    run(main())


def test_what_a_cancelled_task_awaited_can_be_awaited_again(run: Run) -> None:
    async def main() -> None:
        waiter = Waiter()
        await waiter.begin()
        await waiter.end()

        await waiter.begin()
        waiter.wakeup.wake()
        await asyncio.sleep(0)

        assert waiter.said == ["woken"]
        await waiter.end()

    run(main())


def test_cancel_between_wake_and_step_cancels_the_task(run: Run) -> None:
    async def main() -> None:
        waiter = Waiter()
        await waiter.begin()

        waiter.wakeup.wake()
        await waiter.end()

        assert waiter.said == []

    run(main())


def test_a_timeout_ends_the_wait(run: Run) -> None:
    async def main() -> None:
        wakeup = Wakeup(asyncio.get_running_loop())

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await wakeup

    run(main())


def test_a_deadline_ends_the_wait(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop)

        with pytest.raises(TimeoutError):
            await wakeup.until(loop.time() + 0.001)

    run(main())


def test_an_earlier_deadline_than_the_last_one_holds(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop)
        loop.call_soon(wakeup.wake)
        await wakeup.until(loop.time() + 600)

        with pytest.raises(TimeoutError):
            await wakeup.until(loop.time() + 0.001)

    run(main())


def test_a_deadline_that_was_met_does_not_end_the_next_wait(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop)
        loop.call_soon(wakeup.wake)
        await wakeup.until(loop.time() + 0.01)

        loop.call_later(0.05, wakeup.wake)
        await wakeup.until(loop.time() + 600)
        wakeup.stop()

    run(main())


def test_what_the_task_raises_is_its_own_result(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop)

        async def fails() -> None:
            await wakeup
            raise ValueError("the end")

        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        loop.call_soon(wakeup.wake)

        with pytest.raises(ValueError, match="the end"):
            await task

    run(main())
