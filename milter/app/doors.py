"""The server of each listener, by the protocol that it speaks, made of what a worker has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from milter.doors.door import Door
from milter.doors.relaying_rules import RecipientDomains
from milter.milter8.server import MilterServer
from milter.settings import Listener
from milter.smtp.door import Door as SmtpDoor
from milter.smtp.server import SmtpServer
from milter.spamd.server import SpamdServer
from milter.spamd.session import SpamdDoor

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from milter.core.limits import SharedLimits
    from milter.doors.teaching import Teacher
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.runner import Pipeline
    from milter.relay.nexthop import NextHop
    from milter.settings import Http, Limits
    from milter.telemetry.metrics import Metrics


class Server(Protocol):
    """What takes connections on one listener."""

    async def serve(self, listening: socket.socket) -> None:
        """Start to take connections from a socket that listens already."""
        ...

    def stop_accepting(self) -> None:
        """Take no more connections; those that stand go on."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Finish what is there, for `timeout_s` at most."""
        ...


@dataclass(frozen=True, slots=True)
class DoorMeans:
    """What every door of a worker is made with; the fields are those of the doors."""

    bounds: Limits
    hostname: str
    pipeline: Pipeline
    limits: SharedLimits
    metrics: Metrics
    new_id: Callable[[], str]
    aftermath: Aftermath | None
    teacher: Teacher | None


def milter_server(listener: Listener, means: DoorMeans) -> Server:
    """Return the server of a listener that mail servers ask."""
    return MilterServer(_door(listener, means))


def smtp_server(
    listener: Listener, means: DoorMeans, next_hop: NextHop, tls: ssl.SSLContext | None
) -> Server:
    """Return the server of a listener that relays to the next hop."""
    return SmtpServer(
        SmtpDoor(
            listener=listener,
            bounds=means.bounds,
            hostname=means.hostname,
            recipient_domains=RecipientDomains(listener.recipient_domains, listener.direction),
            pipeline=means.pipeline,
            next_hop=next_hop,
            limits=means.limits,
            metrics=means.metrics,
            new_id=means.new_id,
            clock=time.monotonic,
            tls=tls,
            aftermath=means.aftermath,
        )
    )


def http_door(http: Http, means: DoorMeans) -> Door:
    """Return the door of messages that come over HTTP."""
    listener = Listener(name="http", bind=http.bind, direction=http.direction)
    return _door(listener, means)


def spamd_server(listener: Listener, means: DoorMeans) -> Server:
    """Return the server of a listener that speaks spamd's protocol."""
    return SpamdServer(SpamdDoor(_door(listener, means), means.teacher))


def _door(listener: Listener, means: DoorMeans) -> Door:
    return Door(
        listener=listener,
        bounds=means.bounds,
        hostname=means.hostname,
        pipeline=means.pipeline,
        limits=means.limits,
        metrics=means.metrics,
        new_id=means.new_id,
        clock=time.monotonic,
        aftermath=means.aftermath,
    )
