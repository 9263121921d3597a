"""`/metrics` for Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from milter.http.endpoint import TEXT, Access, Answer, Endpoint
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS: Final = Endpoint(
    "GET",
    "/metrics",
    Access.OPEN,
    "Numbers for Prometheus.",
    {200: Answer("The numbers, in its text format", TEXT, "text/plain")},
)


def metrics_route(scrape: Callable[[], bytes]) -> Route:
    """Return the route of `GET /metrics`; `scrape` makes the text."""

    async def handle(_request: web.Request) -> web.Response:
        # Thousands of series take tens of milliseconds, in which no worker could be restarted.
        text = await asyncio.to_thread(scrape)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Route(METRICS, handle)
