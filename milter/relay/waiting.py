"""How the one task that uses a connection waits for what happens on it, each time with a deadline.

It knows the event loop's timers. It does not know what is waited for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milter.relay.wakeup import Wakeup

if TYPE_CHECKING:
    import asyncio


class Waiting:
    """Waits for one task at a time.

    Attributes:
        give_up_at: Loop time past which nothing is waited for, whatever the deadline of a stage.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.give_up_at = math.inf
        self._loop = loop
        self._wakeup = Wakeup(loop)
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    @property
    def given_up(self) -> bool:
        """Whether it is later than `give_up_at`."""
        return self._loop.time() >= self.give_up_at

    def wake(self) -> None:
        """Let the task go on."""
        self._wakeup.wake()

    async def until(self, deadline: float) -> bool:
        """Wait for `wake`; return False where `deadline`, in loop time, came first."""
        deadline = self._deadline = min(deadline, self.give_up_at)
        # One timer for the life of the connection: it is touched only where it would be too late.
        if self._timer is None or deadline < self._timer.when():
            self._set_timer(deadline)
        self._expired = False
        await self._wakeup
        return not self._expired

    def stop(self) -> None:
        """Forget the timer; the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if not self._wakeup.waited_for:
            return
        if self._deadline > self._loop.time():
            self._set_timer(self._deadline)
        else:
            self._expired = True
            self._wakeup.wake()
