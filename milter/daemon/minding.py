"""What happens between two reloads: files change, and a new configuration has to hold.

The configuration before stays at hand until the new one has held, so that it can be taken back as
it was validated, whatever the files say by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from milter.daemon.aside import NoThreadError, aside
from milter.daemon.guard import Trial, Watchman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milter.daemon.configuration import Configuration
    from milter.daemon.shared import SharedTable

_log: Final = logging.getLogger("gatepost.daemon")

# Workers tell their verdicts that often.
_LOOK_S: Final = 1.0
# What made a rollback fail may last: it is asked for again, less and less often.
_LONGEST_PAUSE_S: Final = 60.0


class Minder:
    """Minds one configuration after the other, in the supervisor.

    Args:
        table: Where workers count their verdicts.
        changed: Whether files have changed since they were read; may wait for a disk.
        on_change: Called when files have changed.
        on_failure: Called when the verdicts of a new configuration fail its guard, and again until
            another configuration is taken.
    """

    def __init__(
        self,
        table: SharedTable,
        changed: Callable[[], bool],
        on_change: Callable[[], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._watchman = Watchman(table)
        self._changed = changed
        self._on_change = on_change
        self._on_failure = on_failure
        self._current: Configuration | None = None
        self._good: Configuration | None = None
        self._busy = False
        self._next_look = 0.0
        self._failed = False
        self._next_try, self._pause_s = 0.0, _LOOK_S

    @property
    def good(self) -> Configuration | None:
        """The last configuration that nothing is held against; None before the first."""
        return self._good

    @property
    def why(self) -> str:
        """Why the last trial failed."""
        return self._watchman.why

    def took(self, generation: int, configuration: Configuration) -> None:
        """Mind `configuration`, whose workers are `generation`; it may have to hold first."""
        self._current, self._failed = configuration, False
        if self._watchman.begin(generation, configuration.settings.reload.guard):
            _log.info("configuration on trial")
        else:
            self._good = configuration

    def took_back(self, generation: int, configuration: Configuration) -> None:
        """Mind `configuration` again, which has held before."""
        self._current = self._good = configuration
        self._failed = False
        self._watchman.follow(generation)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Look at no files: they are being read."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def tend(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_S)
            self._judge(loop.time())
            if self._current is None or not self._current.settings.reload.watch:
                continue
            if not self._busy and loop.time() >= self._next_look:
                self._next_look = loop.time() + self._current.settings.reload.every_s
                await self._look_at_files()

    async def _look_at_files(self) -> None:
        # Where nothing can look, what has changed is seen the next time.
        with contextlib.suppress(NoThreadError):
            # A disk may be far away; what was read meanwhile has been seen.
            if await aside(self._changed) and not self._busy:
                self._on_change()

    def _judge(self, now: float) -> None:
        trial = self._watchman.look()
        if trial is Trial.HELD:
            self._good = self._current
            _log.info("configuration held")
        elif trial is Trial.FAILED:
            self._failed, self._next_try, self._pause_s = True, now, _LOOK_S
        if self._failed and not self._busy and now >= self._next_try:
            self._next_try = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
            self._on_failure()
