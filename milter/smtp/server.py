"""Listening for SMTP clients, letting them in, and ending their sessions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from milter.core.connection import Connection
from milter.core.ids import SessionId
from milter.core.reply import Reply
from milter.doors.listening import Accepting, Connections
from milter.doors.peers import is_within, peer_of
from milter.smtp.protocol import SmtpProtocol

if TYPE_CHECKING:
    import socket

    from milter.core.connection import IpAddress
    from milter.smtp.door import Door

_log: Final = logging.getLogger("gatepost.smtp")

_REFUSALS: Final = {
    "full": Reply.of(421, "4.3.2 Too many connections, try again later"),
    "client": Reply.of(421, "4.7.0 Too many connections from your address"),
    "not_admitted": Reply.of(554, "5.7.1 You may not connect here"),
}


class SmtpServer:
    """One listener of one worker.

    Args:
        door: The listener with all that its sessions use.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._accepting = Accepting()
        self._connections: Connections[SmtpProtocol] = Connections()
        # When each was let in, and as whose it is counted.
        self._counted: dict[SmtpProtocol, tuple[float, IpAddress | None]] = {}

    async def serve(self, listening: socket.socket) -> None:
        """Start to take connections from a socket that listens already."""
        loop = asyncio.get_running_loop()

        def new_protocol() -> SmtpProtocol:
            return SmtpProtocol(self._door, self, loop)

        await self._accepting.start(listening, new_protocol)

    def stop_accepting(self) -> None:
        """Take no more connections; those that stand go on."""
        self._accepting.stop()

    async def drain(self, timeout_s: float) -> None:
        """End every session at its next pause between messages; all of them after `timeout_s`."""
        self.stop_accepting()
        await self._connections.drain(timeout_s)

    def welcome(
        self, protocol: SmtpProtocol, transport: asyncio.BaseTransport
    ) -> tuple[Connection, bool] | Reply:
        """Return the client and whether it may speak for others, or the reply that refuses it.

        Raises:
            PeerGoneError: The client reset the connection.
        """
        door = self._door
        self._connections.add(protocol)
        address, port = peer_of(transport)
        listener = door.listener
        if not is_within(address, listener.clients):
            return self._refused("not_admitted", address)
        trusted = address is None or is_within(address, listener.trusted_clients)
        refusal = self._admitted(protocol, None if trusted else address)
        if refusal is not None:
            return refusal
        session_id = SessionId(door.new_id())
        connection = Connection(
            session_id, listener.name, listener.direction, client_ip=address, client_port=port
        )
        return connection, trusted

    def introduce(self, protocol: SmtpProtocol, client: IpAddress | None) -> Reply | None:
        """Count a proxy's connection as the client's; return what turns it away, or None."""
        self._dismiss(protocol)
        return self._admitted(protocol, client)

    def farewell(self, protocol: SmtpProtocol) -> None:
        """Take note that a connection is over."""
        self._dismiss(protocol)
        self._connections.remove(protocol)

    def _admitted(self, protocol: SmtpProtocol, counted: IpAddress | None) -> Reply | None:
        if self._door.limits.client_full(counted):
            return self._refused("client", counted)
        if not self._door.limits.admit(counted):
            return self._refused("full", counted)
        self._counted[protocol] = (self._door.clock(), counted)
        self._door.metrics.session_opened()
        return None

    def _dismiss(self, protocol: SmtpProtocol) -> None:
        admitted = self._counted.pop(protocol, None)
        if admitted is not None:
            started, counted = admitted
            self._door.limits.release(counted)
            self._door.metrics.session_closed(self._door.clock() - started)

    def _refused(self, reason: str, address: IpAddress | None) -> Reply:
        reply = _REFUSALS[reason]
        self._door.metrics.session_refused(reason)
        fields = {"client_ip": str(address or ""), "listener": self._door.listener.name}
        _log.info("connection refused", extra={**fields, "reply": str(reply)})
        return reply
