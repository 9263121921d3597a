"""Both ends of the channel between the HTTP port and a worker, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.app.scan_port import RequestMeans, worker_application
from milter.http.callers import Guard
from milter.http.catalogue import OF_WORKERS
from milter.http.library import library
from milter.http.pace import Pace
from milter.http.passing import Passer, Taker
from tests.support.http_door import a_whole_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from milter.telemetry.metrics import Metrics

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# How long a worker waits for more of a message.
_PATIENCE_S: Final = 0.2


class Channel:
    """The channel, and whether somebody takes what comes through it.

    Attributes:
        passer: Of the port, which closes it.
        taken: The end of the workers.
        workers: How many there are.
        taken_one: Set once one of them has taken a connection.
    """

    def __init__(self, timeout_s: float = 20.0) -> None:
        ours, self.taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.workers = 0
        self.taken_one = asyncio.Event()
        self.passer = Passer(ours, OF_WORKERS, timeout_s, lambda: self.workers > 0)

    @contextlib.asynccontextmanager
    async def worker(self, app: web.Application) -> AsyncIterator[None]:
        """Have requests answered by `app`, as a worker does."""
        runner = web.AppRunner(app)
        await runner.setup()
        make_library = library(runner.server, lingering_time=0)

        def make() -> asyncio.Protocol:
            self.taken_one.set()
            return make_library()

        taker = Taker(self.taken.dup(), make)
        taker.start()
        self.workers += 1
        try:
            yield
        finally:
            self.workers -= 1
            taker.stop()
            await runner.cleanup()


def no_worker() -> Passer:
    """Return what gives connections away where nobody takes them."""
    channel = Channel()
    channel.taken.close()
    return channel.passer


@contextlib.asynccontextmanager
async def judging(channel: Channel) -> AsyncIterator[Metrics]:
    """Have a worker judge messages; give what it counts."""
    door = a_whole_door()
    pace = Pace(1000, patience_s=_PATIENCE_S)
    async with channel.worker(worker_application(RequestMeans(Guard(b""), door, None, dict, pace))):
        yield door.metrics


def counted(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return what was counted."""
    metrics.flush()
    return metrics.registry.get_sample_value(f"gatepost_{name}", labels)
