"""Waking the one task that waits for something, at once and without a turn of the event loop.

A future of asyncio puts the task that waits for it into the loop's queue: another turn between the
bytes that came and the work on them. Here whoever wakes runs the task's next step itself
(docs/decisions/woken-at-once.md). It does not know what is waited for.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Wakeup:
    """What one task awaits, again and again, each time with a deadline; to asyncio it is a future.

    The task's step runs in the context of whoever wakes it. While another task is being run it
    follows in the loop's next turn instead, for asyncio runs one task at a time.
    """

    __slots__ = (
        # The name by which a task knows what it can wait for (asyncio/futures.py).
        "_asyncio_future_blocking",
        "_deadline",
        "_error",
        "_loop",
        "_resume",
        "_timer",
        "_timer_at",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._deadline = math.inf
        self._error: BaseException | None = None
        self._loop = loop
        self._resume: Callable[[Wakeup], object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def until(self, deadline: float) -> Wakeup:
        """Return what is awaited; it ends with `wake`.

        Args:
            deadline: Loop time at which the wait ends with TimeoutError.
        """
        self._deadline = deadline
        # One timer for the life of the connection: it is touched only where it would be too late.
        if deadline < self._timer_at:
            self._set_timer(deadline)
        return self

    def __await__(self) -> Generator[Wakeup, None, None]:
        """Wait for `wake`.

        Raises:
            TimeoutError: The deadline came first.
        """
        self._asyncio_future_blocking = True
        yield self

    def wake(self) -> None:
        """Let the task go on; without one, nothing happens and nothing is remembered."""
        resume = self._resume
        if resume is None:
            return
        self._resume = None
        if asyncio.current_task(self._loop) is None:
            resume(self)
        else:
            self._loop.call_soon(resume, self)

    def stop(self) -> None:
        """Forget the timer; the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = math.inf

    def _set_timer(self, when: float) -> None:
        self.stop()
        if when < math.inf:
            self._timer = self._loop.call_at(when, self._expire)
            self._timer_at = when

    def _expire(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._resume is None:
            return
        if self._deadline > self._loop.time():
            self._set_timer(self._deadline)
        else:
            self._error = TimeoutError()
            self.wake()

    # What a task asks of a future.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the task."""
        return self._loop

    def add_done_callback(self, resume: Callable[[Wakeup], object], *, context: object) -> None:
        """Take note of how the task is run on."""
        del context
        self._resume = resume

    def cancel(self, msg: object = None) -> bool:
        """Let the task be cancelled where it waits; return whether one does."""
        del msg
        resume = self._resume
        if resume is None:
            return False
        self._resume = None
        self._error = asyncio.CancelledError()
        self._loop.call_soon(resume, self)
        return True

    def result(self) -> None:
        """Tell the task how to go on.

        Raises:
            TimeoutError: The deadline has come.
            CancelledError: The task was cancelled.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
