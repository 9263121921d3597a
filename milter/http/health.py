"""Whether the daemon lives and whether it should be given mail.

`/healthz` is for who restarts a dead process: it answers as long as the supervisor does. `/readyz`
is for who sends mail here: it says no while draining, before the first worker takes mail, and while
no worker reaches the next hop, because every message would be deferred.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon at one moment.

    Attributes:
        version: Of Gatepost.
        state: starting, serving, reloading or draining.
        workers_ready: Workers that take mail.
        workers: Workers that shall run.
        next_hop: What the workers know of it: up when one reached it, down when all that tried
            failed, unknown when none has tried.
        sessions: Connections of clients now.
        bytes_in_flight: Bytes of messages held now.
        uptime_s: Whole seconds since the start.
        dns_lists_aside: DNS lists that are not asked or not believed now, with the reason; mail is
            taken without them.
    """

    version: str
    state: Literal["starting", "serving", "reloading", "draining"]
    workers_ready: int
    workers: int
    next_hop: Literal["up", "down", "unknown"]
    sessions: int
    bytes_in_flight: int
    uptime_s: int
    dns_lists_aside: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether mail should be sent here."""
        return (
            self.state in {"serving", "reloading"}
            and self.workers_ready > 0
            and self.next_hop != "down"
        )


async def healthz(_request: web.Request) -> web.Response:
    """Answer `/healthz`: whoever can answer lives."""
    return web.json_response({"status": "ok"})


def readyz(status: Callable[[], Status]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of `/readyz`: 200 or 503, with the details either way."""

    async def handle(_request: web.Request) -> web.Response:
        now = status()
        body = {"ready": now.ready, **asdict(now)}
        return web.json_response(body, status=200 if now.ready else 503)

    return handle
