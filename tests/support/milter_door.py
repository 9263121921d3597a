"""The milter door in a thread of the test's process, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop

from milter.core.limits import LocalLimits
from milter.milter8.server import MilterServer
from tests.support import milter_packets as mta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from milter.doors.door import Door

_TIMEOUT_S = 30


@dataclass(slots=True)
class RunningMilter:
    """A milter door that takes connections.

    Attributes:
        port: On 127.0.0.1.
        door: The listener.
    """

    port: int
    door: Door
    server: MilterServer
    loop: asyncio.AbstractEventLoop = field(default_factory=uvloop.new_event_loop)

    @property
    def limits(self) -> LocalLimits:
        """What is in use."""
        assert isinstance(self.door.limits, LocalLimits)
        return self.door.limits

    def broken(self, reason: str) -> float:
        """Return how many connections broke for `reason`."""

        async def read() -> float:
            self.door.metrics.flush()
            name = "gatepost_milter_broken_total"
            return self.door.metrics.registry.get_sample_value(name, {"reason": reason}) or 0.0

        # In the loop, for nothing keeps two threads from adding and moving at once.
        return asyncio.run_coroutine_threadsafe(read(), self.loop).result(_TIMEOUT_S)

    def begin_drain(self, timeout_s: float) -> Future[None]:
        """Begin to drain; return what is done at the end of it."""
        return asyncio.run_coroutine_threadsafe(self.server.drain(timeout_s), self.loop)

    def wait_until_empty(self) -> None:
        """Return once nobody is connected any more."""

        async def empty() -> None:
            async with asyncio.timeout(_TIMEOUT_S):
                while self.limits.sessions:  # noqa: ASYNC110 - limits tell nobody
                    await asyncio.sleep(0.005)

        asyncio.run_coroutine_threadsafe(empty(), self.loop).result(_TIMEOUT_S)


@contextlib.contextmanager
def running_milter(door: Door) -> Iterator[RunningMilter]:
    """Start `door` on a loopback port; stop it at the end."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    running = RunningMilter(sock.getsockname()[1], door, MilterServer(door))
    loop = running.loop
    thread = threading.Thread(target=loop.run_forever, name="milter")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(running.server.serve(sock), loop).result(_TIMEOUT_S)
        yield running
    finally:
        running.begin_drain(0).result(_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_TIMEOUT_S)
        loop.close()


class MailServer:
    """The mail server's side of one connection.

    Args:
        port: Of the door.
    """

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)

    def __enter__(self) -> MailServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._sock.sendall(data)

    def answer(self) -> mta.Answer:
        """Return the next answer.

        Raises:
            EOFError: The connection is over.
        """
        size = int.from_bytes(self._exactly(4), "big")
        data = self._exactly(size)
        return mta.Answer(chr(data[0]), data[1:])

    def verdict(self) -> mta.Answer:
        """Return the answer that ends a message, past the edits before it."""
        while (answer := self.answer()).letter in "ihm+-qp":
            pass
        return answer

    def is_closed(self) -> bool:
        """Return whether the door has closed, with nothing more said."""
        try:
            return self._sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._sock.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data
