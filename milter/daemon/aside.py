"""Work that may wait for a disk for ever, beside the event loop of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from milter.core.errors import GatepostError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NoThreadError(GatepostError):
    """No thread can be started now: our user, or the machine, has as many as there may be."""


async def aside(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own and return what it does.

    Neither who is cancelled nor the end of the process waits for it, as both would for a thread of
    `asyncio.to_thread`: a file may be on a disk that does not answer any more.

    Raises:
        NoThreadError: Nothing was done.
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

    try:
        threading.Thread(target=run, name="aside", daemon=True).start()
    except RuntimeError as err:
        raise NoThreadError(str(err)) from err
    return await result
