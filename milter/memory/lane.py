"""A thread with a store of its own: jobs one after the other, a broken store opened again."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store

T = TypeVar("T")
Job = tuple["asyncio.Future[Any]", "Callable[[Store], Any]"]

_log: Final = logging.getLogger("gatepost.memory")


class Lane:
    """Runs jobs in a thread that ends with the process, whatever hangs in it.

    Args:
        name: Of the thread.
        open_store: Opens the store; called again when it must be opened again.
        mend: Called when the store says that it is corrupt, after it was closed.
    """

    def __init__(
        self, name: str, open_store: Callable[[], Store], mend: Callable[[], None]
    ) -> None:
        self._name = name
        self._open_store = open_store
        self._mend = mend
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._store: Store | None = None
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[Store], T]) -> asyncio.Future[T]:
        """Return the future result of `job`, which is not run if that is done with before.

        It belongs to the event loop that runs.
        """
        # A future of concurrent.futures wrapped for the loop costs as much again as the thread.
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, job))
        if self._thread is None:
            # Not one of an executor: those are waited for at exit, and a disk may hang for ever.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return future

    def close(self, timeout_s: float) -> None:
        """Close the store after the jobs that wait; whoever takes longer is left behind."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if future.done():
                continue
            try:
                settle = partial(_answer, future, self._attempt(job))
            except Exception as err:  # noqa: BLE001 - it belongs to who asked
                settle = partial(_refuse, future, err)
            # Nobody waits any more where the loop was closed.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(settle)
        self._drop()

    def _attempt(self, job: Callable[[Store], T]) -> T:
        """Run `job`; a store that will never answer again is opened anew and asked once more."""
        try:
            return job(self._opened())
        except StoreError as err:
            if err.temporary:
                raise
            self._drop()
            if err.reason == "corrupt":
                self._mend()
        return job(self._opened())

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _drop(self) -> None:
        store, self._store = self._store, None
        if store is None:
            return
        try:
            store.close()
        except StoreError as err:
            _log.warning("store failed", extra={"error": err.what, "temporary": err.temporary})


def _answer(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _refuse(future: asyncio.Future[Any], err: Exception) -> None:
    if not future.done():
        future.set_exception(err)
