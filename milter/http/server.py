"""The daemon's HTTP port: routes, the headers that every answer bears, start and end.

No TLS, no accounts: it belongs on loopback, a unix socket or behind a proxy of the site's own.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter import __version__
from milter.doors.peers import PeerGoneError
from milter.http.callers import Guard, address_of
from milter.http.catalogue import OF_SUPERVISOR, OF_WORKERS
from milter.http.caution import add_headers
from milter.http.checks import checks_route
from milter.http.doorway import Doorway, timed
from milter.http.health import healthz_route, readyz_route, status_route
from milter.http.library import library
from milter.http.lists import lists_route
from milter.http.metrics import metrics_route
from milter.http.openapi import document, openapi_route
from milter.http.pace import LINGER_S
from milter.http.page import page_routes
from milter.http.refusal import overloaded, told
from milter.http.routing import Handler, application, forget_applications
from milter.http.statistics import statistics_route
from milter.settings import Http

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp.typedefs import Middleware

    from milter.core.connection import IpAddress
    from milter.http.checks import CheckTimes
    from milter.http.health import Status
    from milter.http.lists import ListStatus
    from milter.http.passing import Passer
    from milter.http.rate import Rate
    from milter.http.routing import Route
    from milter.http.statistics import Reading

_SHUTDOWN_S: Final = 2.0
# What a caller does not read is kept for it in our memory.
_UNREAD_S: Final = 60.0
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Views:
    """What the port shows.

    Attributes:
        status: The daemon at this moment.
        scrape: Makes the text for Prometheus; called in a thread.
        passer: Gives to the workers what they answer; closed with the port.
        lists: The DNS lists at this moment.
        rate: How often one address beyond this machine may ask.
        token: What a caller has to know where a token is needed; empty: nobody does.
        figures: Reads what was counted; None: nothing is. Closed with the port.
        checks: How the checks did; called in a thread.
    """

    status: Callable[[], Status]
    scrape: Callable[[], bytes]
    passer: Passer
    lists: Callable[[], Sequence[ListStatus]]
    rate: Rate
    token: bytes = b""
    figures: Reading | None = None
    checks: Callable[[], Sequence[CheckTimes]] = tuple

    def may_ask(self, address: IpAddress | None) -> bool:
        """Count a request; False: its address is beyond this machine and asks too often."""
        return address is None or address.is_loopback or self.rate.take(address)


def _uncounted(_reason: str) -> None:
    """Count nothing."""


class HttpServer:
    """The port, from `start` to `close`.

    Args:
        views: What it shows.
        bounds: On connections, and on the time they take; the defaults of the settings.
        observe: Told of each connection that is refused or ended early.
        unread_s: How long a caller may leave an answer unread.
    """

    def __init__(
        self,
        views: Views,
        bounds: Http | None = None,
        observe: Callable[[str], None] = _uncounted,
        unread_s: float = _UNREAD_S,
    ) -> None:
        bounds = bounds or Http()
        self._views = views
        self._doorway = Doorway(bounds, observe, views.passer, views.may_ask)
        self._listening: asyncio.Server | None = None
        self._unread_s = unread_s
        # The doorway closes before that, and not in the middle of the next request.
        self._keepalive_s = 2 * (bounds.idle_timeout_s + bounds.header_timeout_s)
        self._runner = web.AppRunner(
            port_application(views), handle_signals=False, shutdown_timeout=_SHUTDOWN_S
        )

    async def start(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already; it is closed with the port."""
        await self._runner.setup()
        if listening.family != socket.AF_UNIX:
            # Connections take it over from the socket that listens (tcp(7)); the library has no
            # such bound. A unix socket is for those whom its mode lets in.
            unread_ms = round(self._unread_s * 1000)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread_ms)
        make_library = library(
            self._runner.server,
            self._views.may_ask,
            keepalive_timeout=self._keepalive_s,
            lingering_time=LINGER_S,
        )
        self._listening = await asyncio.get_running_loop().create_server(
            self._doorway.factory(make_library), sock=listening, backlog=_BACKLOG
        )

    async def close(self) -> None:
        """Answer what is being asked, for two seconds, and stop."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()
        forget_applications()
        self._doorway.close()
        self._views.passer.close()
        if self._views.figures is not None:
            await self._views.figures.close()


def port_application(views: Views) -> web.Application:
    """Return the application of the port."""
    guard = Guard(views.token)
    app = application(
        [*own_routes(views, guard), *views.passer.routes()],
        guard,
        [timed, _bounded(views.may_ask)],
    )
    app.on_response_prepare.append(add_headers)
    return app


def own_routes(views: Views, guard: Guard) -> list[Route]:
    """Return the routes of what the supervisor answers itself."""
    return [
        *page_routes(views.status),
        healthz_route(),
        readyz_route(views.status),
        metrics_route(views.scrape),
        lists_route(views.lists),
        statistics_route(views.figures, guard.knows),
        openapi_route(document((*OF_SUPERVISOR, *OF_WORKERS), __version__)),
        status_route(views.status, counted=views.figures is not None),
        checks_route(views.checks),
    ]


def _bounded(may_ask: Callable[[IpAddress | None], bool]) -> Middleware:
    """Return what refuses a caller beyond this machine that asks too often."""

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            asks_on = may_ask(address_of(request.transport))
        except PeerGoneError:
            # Nobody reads the answer.
            asks_on = False
        if asks_on:
            return await handler(request)
        return told(overloaded("too many requests from this address", 429, retry_after_s=1))

    return handle
