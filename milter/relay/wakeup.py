"""Waking the one task that waits for something, at once and without a turn of the event loop.

A future of asyncio puts the task that waits for it into the loop's queue: another turn, and another
system call, between the bytes that came and the work on them. Here whoever wakes runs the task's
next step itself. It knows no deadlines and does not know what is waited for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Wakeup:
    """What one task awaits, again and again; a future in the eyes of asyncio.

    The task's step runs in the context of whoever wakes it. A task that is being run already, this
    one or another, is not interrupted: then the step follows in the loop's next turn.
    """

    # The name by which a task knows what it can wait for (asyncio/futures.py).
    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_loop", "_resume")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._cancelled = False
        self._loop = loop
        self._resume: Callable[[Wakeup], object] | None = None

    @property
    def waited_for(self) -> bool:
        """Whether a task waits."""
        return self._resume is not None

    def __await__(self) -> Generator[Wakeup, None, None]:
        """Wait for `wake`."""
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
        self._cancelled = True
        self._loop.call_soon(resume, self)
        return True

    def result(self) -> None:
        """Tell the task how to go on.

        Raises:
            CancelledError: It was cancelled.
        """
        if self._cancelled:
            self._cancelled = False
            raise asyncio.CancelledError
