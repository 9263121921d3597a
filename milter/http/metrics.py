"""`/metrics` for Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def metrics(scrape: Callable[[], bytes]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of `/metrics`; `scrape` makes the text."""

    async def handle(_request: web.Request) -> web.Response:
        # Thousands of series take tens of milliseconds, in which no worker could be restarted.
        text = await asyncio.to_thread(scrape)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle
