from __future__ import annotations

import asyncio
import contextlib
import socket

from milter.doors.listening import BACKLOG, Accepting

_AT_ONCE = 300
_CONNECT_S = 30.0


def test_connections_that_come_at_once_wait_until_they_are_taken() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        listening.setblocking(False)
        asyncio.run(_taken(listening))


async def _taken(listening: socket.socket) -> None:
    came = asyncio.Semaphore(0)

    class Counting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            came.release()
            transport.close()

    accepting = Accepting()
    await accepting.start(listening, Counting)
    with contextlib.ExitStack() as clients:
        # The loop stands still meanwhile: nobody takes them.
        for _ in range(_AT_ONCE):
            client = socket.create_connection(listening.getsockname(), _CONNECT_S)
            clients.enter_context(client)
        for _ in range(_AT_ONCE):
            await came.acquire()
    accepting.stop()
