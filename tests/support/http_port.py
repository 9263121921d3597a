"""The HTTP port of a daemon without the daemon, and who calls at it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from milter.http.health import Status
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
from tests.support.passing import Channel, no_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from milter.settings import Http

LONG_S: Final = 60.0
SERVING: Final = Status("1.2.3", "serving", 2, 2, "up", 5, 1000, 60)


class Port:
    """A running port: its callers, what it counted, and where it is."""

    def __init__(self, server: HttpServer, number: int, refused: Counter[str]) -> None:
        self.server = server
        self.refused = refused
        self.number = number
        self._callers: list[Caller] = []

    async def caller(
        self, said: bytes = b"", host: str = "127.0.0.1", *, ended: bool = False
    ) -> Caller:
        """Return somebody who has connected to `host` and said so much, and `ended` with it."""
        caller = Caller(*await asyncio.open_connection(host, self.number))
        self._callers.append(caller)
        caller.say(said)
        if ended:
            caller.end()
        return caller

    async def close(self) -> None:
        """End it with all who call."""
        for caller in self._callers:
            await caller.go()
        await self.server.close()


class Caller:
    """One connection, as its client has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, said: bytes) -> None:
        self._writer.write(said)

    def end(self) -> None:
        """Say nothing more."""
        self._writer.write_eof()

    async def line(self) -> bytes:
        """Return the next line, without its end."""
        return (await self._reader.readuntil(b"\r\n"))[:-2]

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, fields and body of one answer."""
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        body = await self._reader.readexactly(int(fields["Content-Length"]))
        return int(first.split()[1]), fields, body

    async def rest(self) -> bytes:
        """Return what comes until the port closes."""
        return await self._reader.read()

    async def cut_off(self) -> None:
        """Wait until nobody takes what is said."""
        while not self._writer.is_closing():
            self.say(b"x")
            await asyncio.sleep(0.01)

    async def go(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def with_port(
    test: Callable[[Port], Awaitable[None]],
    bounds: Http,
    *,
    host: str = "127.0.0.1",
    scraped: bytes = b"",
    channel: Channel | None = None,
    requests_per_s: float = 10_000,
) -> None:
    async def run() -> None:
        refused: Counter[str] = Counter()
        passer = no_worker() if channel is None else channel.passer
        views = Views(
            lambda: SERVING, lambda: scraped, passer, list, Rate(requests_per_s, lambda: 0.0)
        )

        def count(reason: str) -> None:
            refused[reason] += 1

        server = HttpServer(views, bounds, count)
        listening = socket.create_server((host, 0))
        await server.start(listening)
        port = Port(server, listening.getsockname()[1], refused)
        try:
            async with asyncio.timeout(LONG_S):
                await test(port)
        finally:
            await port.close()
            if channel is not None:
                channel.taken.close()

    asyncio.run(run())


def own_address() -> str:
    """Return an address of this machine that is not of its loopback; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])
