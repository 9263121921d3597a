"""From endpoints and their handlers to an application: who may ask, and what trouble looks like."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import HttpVersion11, web, web_app

from milter.http.refusal import RefusedError, told

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from milter.http.callers import Guard
    from milter.http.endpoint import Endpoint

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log: Final = logging.getLogger("gatepost.http")


class Route(NamedTuple):
    """An endpoint and who answers."""

    endpoint: Endpoint
    handle: Handler


def application(
    routes: Iterable[Route], guard: Guard, middlewares: Sequence[Middleware] = ()
) -> web.Application:
    """Return an application that answers `routes` and nothing else."""
    # Handlers count the bytes of a body themselves, for aiohttp's own bound answers in HTML.
    app = web.Application(client_max_size=0, middlewares=[*middlewares, _in_json])
    for route in routes:
        method, path, handle = route.endpoint.method, route.endpoint.path, guarded(route, guard)
        app.router.add_route(method, path, handle, expect_handler=_expected)
        if method == "GET":
            # RFC 9110 §9.3.2: the library leaves the body away.
            app.router.add_route("HEAD", path, handle, expect_handler=_expected)
    return app


async def _expected(request: web.Request) -> web.StreamResponse | None:
    """Say that the body may come, or in JSON that what is expected is not met (RFC 9110 §10.1.1).

    The library asks this before any handler, and would answer the latter in plain text.
    """
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        answer = told(RefusedError(417, "no expectation but 100-continue can be met"))
        # Nobody knows whether the body comes all the same.
        answer.force_close()
        return answer
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # Not a part of the answer, whose octets the library counts.
    request.writer.output_size = 0
    return None


def forget_applications() -> None:
    """Let go of applications that were closed; those that are open do not notice.

    The library keeps what it made of the handlers of the last thousand, and with them an
    application for each reload, its token and its document.
    """
    if made := getattr(web_app, "_cached_build_middleware", None):
        made.cache_clear()


def guarded(route: Route, guard: Guard) -> Handler:
    """Return the handler of `route` for callers of all kinds; it raises nothing of ours."""
    endpoint, handle = route

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            guard.admit(request, endpoint.access)
            return await handle(request)
        except RefusedError as refused:
            return told(refused)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the top of a request; nothing of the inside goes out
            _log.error("request failed", exc_info=error, extra={"path": endpoint.path})
            return told(RefusedError(500, "this went wrong here, try again"))

    return answer


@web.middleware
async def _in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say in JSON what the library says in HTML: no such path, or not with this method."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return told(RefusedError(error.status, error.reason, headers))
