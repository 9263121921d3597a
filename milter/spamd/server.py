"""Listening for clients that speak spamd's protocol, letting them in, ending sessions."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from milter.doors.listening import Accepting
from milter.doors.peers import PeerGoneError, is_local, is_within, peer_of
from milter.spamd.session import SpamdDoor, SpamdSession

if TYPE_CHECKING:
    import socket

_log: Final = logging.getLogger("gatepost.spamd")
_BUFFER: Final = 262_144
# For a client that does not read its answer.
_WRITE_S: Final = 60.0


class SpamdServer:
    """One listener of one worker.

    Args:
        door: The listener with all that its sessions use.
    """

    def __init__(self, door: SpamdDoor) -> None:
        self._door = door
        self._accepting = Accepting()
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, listening: socket.socket) -> None:
        """Start to take connections from a socket that listens already."""
        loop = asyncio.get_running_loop()

        def new_protocol() -> asyncio.StreamReaderProtocol:
            reader = asyncio.StreamReader(limit=_BUFFER, loop=loop)
            return asyncio.StreamReaderProtocol(reader, self._connected, loop=loop)

        await self._accepting.start(listening, new_protocol)

    def stop_accepting(self) -> None:
        """Take no more connections; those that stand go on."""
        self._accepting.stop()

    async def drain(self, timeout_s: float) -> None:
        """Answer what is being asked, for `timeout_s` at most."""
        self.stop_accepting()
        if not self._sessions:
            return
        _, left = await asyncio.wait(self._sessions, timeout=timeout_s)
        for session in left:
            session.cancel()
        if left:
            await asyncio.wait(left)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            address, _ = peer_of(writer.transport)
        except PeerGoneError:
            writer.transport.abort()
            return
        listener = self._door.door.listener
        if not is_within(address, listener.clients):
            self._door.door.metrics.session_refused("not_admitted")
            fields = {"client_ip": str(address or ""), "listener": listener.name}
            _log.info("connection refused", extra={**fields, "error": "not_admitted"})
            writer.transport.abort()
            return
        session = SpamdSession(self._door, reader, may_teach=is_local(writer.transport))
        task = asyncio.get_running_loop().create_task(_converse(session, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)


async def _converse(session: SpamdSession, writer: asyncio.StreamWriter) -> None:
    try:
        answer = await session.answer()
        if writer.is_closing():
            # The client is gone; its socket takes nothing any more.
            return
        writer.write(answer)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_WRITE_S):
                await writer.drain()
    finally:
        writer.close()
