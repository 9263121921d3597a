"""Listening for mail servers that speak the milter protocol, letting them in, ending sessions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from milter.core.ids import SessionId
from milter.doors.listening import Accepting, Connections
from milter.doors.peers import PeerGoneError, is_within, peer_of
from milter.milter8.protocol import MilterProtocol

if TYPE_CHECKING:
    import socket

    from milter.doors.door import Door

_log: Final = logging.getLogger("gatepost.milter")

# How often all connections are looked at for what is due, in place of a timer for each.
_LOOK_S: Final = 1.0


class MilterServer:
    """One listener of one worker.

    Args:
        door: The listener with all that its sessions use.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._accepting = Accepting()
        self._connections: Connections[MilterProtocol] = Connections()
        # When each was let in.
        self._admitted: dict[MilterProtocol, float] = {}
        self._looking: asyncio.TimerHandle | None = None

    async def serve(self, listening: socket.socket) -> None:
        """Start to take connections from a socket that listens already."""
        loop = asyncio.get_running_loop()

        def new_protocol() -> MilterProtocol:
            return MilterProtocol(self._door, self, loop)

        await self._accepting.start(listening, new_protocol)
        self._look(loop)

    def stop_accepting(self) -> None:
        """Take no more connections; those that stand go on."""
        self._accepting.stop()

    async def drain(self, timeout_s: float) -> None:
        """Let every SMTP session that is told of come to its end; end all after `timeout_s`."""
        self.stop_accepting()
        await self._connections.drain(timeout_s)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to all connections, again and again."""
        now = loop.time()
        for protocol in self._connections.each():
            protocol.look_after(now)
        self._looking = loop.call_later(_LOOK_S, self._look, loop)

    def welcome(
        self, protocol: MilterProtocol, transport: asyncio.BaseTransport
    ) -> SessionId | None:
        """Return the id of the first session on a connection; None where it has no place."""
        self._connections.add(protocol)
        try:
            address, _ = peer_of(transport)
        except PeerGoneError:
            return None
        door = self._door
        reason = ""
        if not is_within(address, door.listener.clients):
            reason = "not_admitted"
        elif not door.limits.admit(None):
            reason = "full"
        if reason:
            door.metrics.session_refused(reason)
            fields = {"client_ip": str(address or ""), "listener": door.listener.name}
            _log.info("connection refused", extra={**fields, "error": reason})
            return None
        self._admitted[protocol] = door.clock()
        door.metrics.session_opened()
        return SessionId(door.new_id())

    def farewell(self, protocol: MilterProtocol) -> None:
        """Take note that a connection is over; called once for each."""
        started = self._admitted.pop(protocol, None)
        if started is not None:
            self._door.limits.release(None)
            self._door.metrics.session_closed(self._door.clock() - started)
        self._connections.remove(protocol)
