"""The page at `/`: what this is, how it is, where to look next. Plain HTML without a script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.endpoint import TEXT, Access, Answer, Endpoint
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.http.health import Status

PAGE: Final = Endpoint(
    "GET",
    "/",
    Access.OPEN,
    "How the daemon is, for people.",
    {200: Answer("A page", TEXT, "text/html")},
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Gatepost</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body>
<h1>Gatepost {version}</h1>
<p><strong>{verdict}</strong></p>
<table>
{rows}
</table>
<h2>More</h2>
<ul>
<li><a href="/metrics">/metrics</a>: numbers for Prometheus</li>
<li><a href="/healthz">/healthz</a>: whether the daemon lives</li>
<li><a href="/readyz">/readyz</a>: whether it should be given mail</li>
<li><code>POST /v1/scan</code>: judge a message without sending it</li>
</ul>
</body>
</html>
"""


def page_route(status: Callable[[], Status]) -> Route:
    """Return the route of `GET /`."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text=render(status()), content_type="text/html", charset="utf-8")

    return Route(PAGE, handle)


def render(now: Status) -> str:
    """Return the page as HTML."""
    facts = {
        "State": now.state,
        "Workers that take mail": f"{now.workers_ready} of {now.workers}",
        "Next hop": now.next_hop,
        "Connections": now.sessions,
        "Bytes of messages held": now.bytes_in_flight,
        "Seconds since the start": now.uptime_s,
    }
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    verdict = "Takes mail." if now.ready else "Does not take mail now."
    return _PAGE.format(version=escape(now.version), verdict=verdict, rows=rows)
