"""Learning, beside the mail: one process of a machine takes the lessons, whichever is first.

Every worker tries; the file's lock lets one of them. When that one ends, the next takes over.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milter.memory.lane import Lane
from reputation.classifier.learner import Learner
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.memory.opening import Home
    from reputation.classifier.learner import Progress
    from reputation.store import Store

_log: Final = logging.getLogger("gatepost.memory")
# What is learned is to be seen within a second.
_LOOK_EVERY_S: Final = 0.3
_TRY_EVERY_S: Final = 2.0
# A few milliseconds: whoever judges mail meanwhile waits no longer.
_LESSONS_AT_ONCE: Final = 50
_CLOSE_S: Final = 2.0


def classifier_folder(folder: str | None, home: Home) -> Path | None:
    """Return where the classifier's files lie: as configured, else beside the store's file."""
    if folder is not None:
        return Path(folder)
    return home.path.parent / "classifier" if home.path is not None else None


class Learning:
    """Learns in a thread of its own.

    Args:
        folder: Where the classifier's files lie.
        home: Where the store is.
        learned: Told of lessons by their label and number, in the event loop.
    """

    def __init__(
        self,
        folder: Path,
        home: Home,
        learned: Callable[[str, int], None] = lambda label, lessons: None,
    ) -> None:
        self._folder = folder
        self._lane = Lane("classifier", home.open, home.mend)
        self._learned = learned
        self._learner: Learner | None = None
        self._failed = ""

    async def tend(self) -> None:
        """Learn whatever comes; run it as a task."""
        while True:
            try:
                progress = await self._lane.submit(self._step)
                behind, self._failed = progress.behind, ""
                self._learned("ham", progress.lessons - progress.spam - progress.unreadable)
                self._learned("spam", progress.spam)
            except StoreError as err:
                behind = False
                self._tell(err)
            pause_s = _LOOK_EVERY_S if self._learner is not None else _TRY_EVERY_S
            await asyncio.sleep(0 if behind else pause_s)

    async def close(self) -> None:
        """Write to the disk what was learned and let another process go on."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._lane.submit(self._let_go)
        await asyncio.to_thread(self._lane.close, _CLOSE_S)

    def _step(self, store: Store) -> Progress:
        """Learn some lessons."""
        if self._learner is None:
            self._learner = Learner(self._folder)
            if (base := self._learner.begun_again_from) is not None:
                _log.warning("classifier was interrupted", extra={"begun_again_from": base})
        progress = self._learner.catch_up(store, _LESSONS_AT_ONCE)
        if progress.unreadable:
            _log.warning("lessons cannot be read", extra={"lessons": progress.unreadable})
        return progress

    def _let_go(self, _store: Store) -> None:
        if self._learner is not None:
            self._learner.close()
            self._learner = None

    def _tell(self, err: StoreError) -> None:
        # Somebody else learns: as it should be in all workers but one.
        if err.reason != "locked" and err.what != self._failed:
            _log.warning("classifier does not learn", extra={"error": err.what})
            self._failed = err.what
