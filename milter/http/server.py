"""The daemon's HTTP port: routes, the headers that every answer bears, start and end.

No TLS, no accounts: it belongs on loopback, a unix socket or behind a proxy of the site's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.health import healthz, readyz
from milter.http.lists import PATH as LISTS
from milter.http.lists import lists
from milter.http.metrics import metrics
from milter.http.page import page

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from milter.http.forward import Forwarder
    from milter.http.health import Status
    from milter.http.lists import ListStatus

_HEADERS: Final = {
    # Nothing on the page needs a script, a style from elsewhere, a frame or a referrer.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # The library's own value tells versions to whoever asks.
    "Server": "Gatepost",
}
# A slow caller holds one of few connections; metrics and health are asked anew each time.
_KEEPALIVE_S: Final = 15.0
_SHUTDOWN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Views:
    """What the port shows.

    Attributes:
        status: The daemon at this moment.
        scrape: Makes the text for Prometheus; called in a thread.
        forwarder: Passes scans on to the workers; closed with the port.
        lists: The DNS lists at this moment.
    """

    status: Callable[[], Status]
    scrape: Callable[[], bytes]
    forwarder: Forwarder
    lists: Callable[[], Sequence[ListStatus]]


class HttpServer:
    """The port, from `start` to `close`."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._runner = web.AppRunner(
            application(views),
            handle_signals=False,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            shutdown_timeout=_SHUTDOWN_S,
        )

    async def start(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already; it is closed with the port."""
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def close(self) -> None:
        """Answer what is being asked, for two seconds, and stop."""
        await self._runner.cleanup()
        await self._views.forwarder.close()


def application(views: Views) -> web.Application:
    """Return the routes of the port."""
    app = web.Application()
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [
            web.get("/", page(views.status)),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz(views.status)),
            web.get("/metrics", metrics(views.scrape)),
            web.get(LISTS, lists(views.lists)),
            web.post("/v1/scan", views.forwarder.handle),
        ]
    )
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
