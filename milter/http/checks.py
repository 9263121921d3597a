"""`GET /v1/checks`: how often the checks ran since the start, and how long they take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from milter.http.endpoint import NUMBER, TEXT, WHOLE, Access, Answer, Endpoint, listed, record
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHECKS: Final = Endpoint(
    "GET",
    "/v1/checks",
    Access.OPEN,
    "How often each check ran since the start, how often it failed, and how long it takes.",
    {
        200: Answer(
            "The checks, those that take longest in all first",
            record(
                {
                    "checks": listed(
                        record({"check": TEXT, "runs": WHOLE, "failed": WHOLE, "mean_ms": NUMBER})
                    )
                }
            ),
        )
    },
)


class CheckTimes(NamedTuple):
    """One check, over all workers.

    Attributes:
        check: Its name.
        runs: How often it ran.
        failed: How often it ended with an error or out of time.
        seconds: How long it ran, all in all.
    """

    check: str
    runs: int
    failed: int
    seconds: float


def checks_route(times: Callable[[], Sequence[CheckTimes]]) -> Route:
    """Return the route of `GET /v1/checks`; `times` is called in a thread."""

    async def handle(_request: web.Request) -> web.Response:
        found = sorted(await asyncio.to_thread(times), key=lambda one: -one.seconds)
        told = [
            {
                "check": one.check,
                "runs": one.runs,
                "failed": one.failed,
                "mean_ms": round(1000 * one.seconds / one.runs, 3) if one.runs else 0.0,
            }
            for one in found
        ]
        return web.json_response({"checks": told})

    return Route(CHECKS, handle)
