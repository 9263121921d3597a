"""Both ends of the channel between the HTTP port and a worker, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from aiohttp import web

from milter.http.catalogue import OF_WORKERS
from milter.http.passing import Passer, Taker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, lingering_time=0)
        await runner.setup()
        assert runner.server is not None
        library = runner.server

        def make() -> asyncio.Protocol:
            self.taken_one.set()
            return library()

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
