"""Work that may wait for a disk for ever, beside the event loop of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own and return what it does.

    Neither who is cancelled nor the end of the process waits for it, as both would for a thread of
    `asyncio.to_thread`: a file may be on a disk that does not answer any more.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[], None]) -> None:
        # Who waited may be gone, and so may the loop.
        def unless_done() -> None:
            if not result.done():
                set_it()

        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(unless_done)

    def run() -> None:
        try:
            done = work()
        except Exception as err:  # noqa: BLE001 - raised anew where it is waited for
            trouble = err
            settle(lambda: result.set_exception(trouble))
        else:
            settle(lambda: result.set_result(done))

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await result
