"""Whether the daemon lives and whether it should be given mail.

`/healthz` is for who restarts a dead process: it answers as long as the supervisor does. `/readyz`
is for who sends mail here: it says no while draining, before the first worker takes mail, while no
worker answers, and while none reaches the next hop, because every message would be deferred.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web

from milter.http.endpoint import TEXT, TRUTH, WHOLE, Access, Answer, Endpoint, listed, record
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

HEALTHZ: Final = Endpoint(
    "GET",
    "/healthz",
    Access.OPEN,
    "Whether the daemon lives.",
    {200: Answer("It does", record({"status": {**TEXT, "const": "ok"}}))},
)
_STATUS: Final = record(
    {
        "ready": TRUTH,
        "version": TEXT,
        "state": {**TEXT, "enum": ["starting", "serving", "reloading", "draining"]},
        "workers_ready": WHOLE,
        "workers": WHOLE,
        "workers_silent": listed(WHOLE),
        "next_hop": {**TEXT, "enum": ["up", "down", "unknown"]},
        "sessions": WHOLE,
        "bytes_in_flight": WHOLE,
        "uptime_s": WHOLE,
        "dns_lists_aside": listed(TEXT),
    }
)
READYZ: Final = Endpoint(
    "GET",
    "/readyz",
    Access.OPEN,
    "Whether mail should be sent here, with the details either way.",
    {200: Answer("It should", _STATUS), 503: Answer("It should not now", _STATUS)},
)


STATUS: Final = Endpoint(
    "GET",
    "/v1/status",
    Access.OPEN,
    "How the daemon is, always with 200, and whether it counts messages.",
    {200: Answer("How it is", record({"status": _STATUS, "counted": TRUTH}))},
)

ReloadResult = Literal["ok", "refused", "failed", "rolled_back"]


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon at one moment.

    Attributes:
        version: Of Gatepost.
        state: starting, serving, reloading or draining.
        workers_ready: Workers that take mail and answer.
        workers: Workers that shall run.
        next_hop: What the workers know of it: up when one reached it, down when all that tried
            failed, unknown when none has tried.
        sessions: Connections of clients now.
        bytes_in_flight: Bytes of messages held now.
        uptime_s: Whole seconds since the start.
        last_reload: What came of the last reload; before the first one, ok.
        dns_lists_aside: DNS lists that are not asked or not believed now, with the reason; mail is
            taken without them.
        workers_silent: Process ids of workers that do not answer.
    """

    version: str
    state: Literal["starting", "serving", "reloading", "draining"]
    workers_ready: int
    workers: int
    next_hop: Literal["up", "down", "unknown"]
    sessions: int
    bytes_in_flight: int
    uptime_s: int
    last_reload: ReloadResult = "ok"
    dns_lists_aside: tuple[str, ...] = ()
    workers_silent: tuple[int, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether mail should be sent here."""
        return (
            self.state in {"serving", "reloading"}
            and self.workers_ready > 0
            and self.next_hop != "down"
        )


def healthz_route() -> Route:
    """Return the route of `GET /healthz`: whoever can answer lives."""

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    return Route(HEALTHZ, handle)


def readyz_route(status: Callable[[], Status]) -> Route:
    """Return the route of `GET /readyz`: 200 or 503, with the details either way."""

    async def handle(_request: web.Request) -> web.Response:
        now = status()
        body = {"ready": now.ready, **asdict(now)}
        return web.json_response(body, status=200 if now.ready else 503)

    return Route(READYZ, handle)


def status_route(status: Callable[[], Status], *, counted: bool) -> Route:
    """Return the route of `GET /v1/status`, for the page: what it asks shall not fail."""

    async def handle(_request: web.Request) -> web.Response:
        now = status()
        told = {"status": {"ready": now.ready, **asdict(now)}, "counted": counted}
        return web.json_response(told)

    return Route(STATUS, handle)
