"""A worker that knows the daemon's seam and nothing of mail, for tests of the supervisor alone.

To each client it says its generation and its pid, and takes lines until `bye`, which it answers;
`die` ends the process at once, the word of an action counts as a verdict, and `told` is answered
when the supervisor can know of the verdicts until then. Told to drain it waits for its clients. It
greets with the word that the configuration calls `hostname`. A hostname that begins with `broken`
cannot be built.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.daemon.handover import HandedSource
from milter.daemon.shared import NextHopState
from milter.daemon.worker import run_worker
from milter.settings.read import read_settings
from policies.verdict import Action

if TYPE_CHECKING:
    from milter.core.limits import SharedLimits
    from milter.daemon.handover import Handover
    from milter.settings import Settings


class PlainWorker:
    """Answers lines."""

    def __init__(self, handover: Handover, settings: Settings, limits: SharedLimits) -> None:
        self._handover = handover
        self._settings = settings
        self._limits = limits
        self._servers: list[asyncio.Server] = []
        self._clients = 0
        self._verdicts = {action.word: 0 for action in Action}
        self._told = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Take connections."""
        for fd in self._handover.listeners.values():
            sock = socket.socket(fileno=fd)
            self._servers.append(await asyncio.start_server(self._talk, sock=sock))

    async def tend(self) -> None:
        """Nothing."""

    def stop_accepting(self) -> None:
        """Close the listening sockets."""
        for server in self._servers:
            server.close()

    async def drain(self, timeout_s: float) -> None:
        """Wait for the clients."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Nothing is held."""

    def next_hop_state(self) -> NextHopState:
        """What the configuration wants us to say."""
        down = self._settings.hostname == "down.example"
        return NextHopState.DOWN if down else NextHopState.UP

    def verdicts(self) -> list[int]:
        """How often clients said the word of each action."""
        self._told.set()
        return list(self._verdicts.values())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        self._idle.clear()
        self._limits.admit(None)
        try:
            # A client that only looks whether somebody listens resets what it was sent.
            with contextlib.suppress(ConnectionError):
                await self._answer(reader, writer)
        finally:
            self._limits.release(None)
            self._clients -= 1
            if not self._clients:
                self._idle.set()
            # Last: whose connection has ended is counted no more.
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, number = self._settings.hostname, self._handover.generation
        writer.write(f"{name} {number} {os.getpid()}\n".encode())
        while line := await reader.readline():
            if line == b"die\n":
                os._exit(3)
            if line == b"told\n":
                self._told.clear()
                await self._told.wait()
            writer.write(line)
            word = line.decode().strip()
            if word in self._verdicts:
                self._verdicts[word] += 1
            if line == b"bye\n":
                break
        await writer.drain()


@dataclass(frozen=True, slots=True)
class PlainWorkplace:
    """What a plain worker is built from."""

    handover: Handover
    settings: Settings

    async def build(self, limits: SharedLimits) -> PlainWorker:
        """Return the worker."""
        if (self.settings.hostname or "").startswith("broken"):
            raise RuntimeError("this worker cannot be built")
        return PlainWorker(self.handover, self.settings, limits)


def open_workplace(handover: Handover) -> PlainWorkplace:
    """Read the settings that were handed over."""
    source = HandedSource(handover.files)
    return PlainWorkplace(handover, read_settings(source, handover.config_path))


if __name__ == "__main__":
    sys.exit(run_worker(open_workplace))
