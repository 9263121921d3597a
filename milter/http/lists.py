"""`GET /v1/lists`: how the DNS lists are, over all workers. No secret is in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.endpoint import (
    NUMBER,
    TEXT,
    WHOLE,
    Access,
    Answer,
    Endpoint,
    listed,
    record,
)
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATH: Final = "/v1/lists"
LISTS: Final = Endpoint(
    "GET",
    PATH,
    Access.OPEN,
    "How the DNS lists are, over all workers.",
    {
        200: Answer(
            "The lists",
            record(
                {
                    "lists": listed(
                        record(
                            {
                                "zone": TEXT,
                                "effect": {**TEXT, "enum": ["block", "allow"]},
                                "state": TEXT,
                                "reason": TEXT,
                                "since": NUMBER,
                                "retry_s": NUMBER,
                                "asked": WHOLE,
                                "a_day": WHOLE,
                                "workers": WHOLE,
                                "workers_up": WHOLE,
                            }
                        )
                    )
                }
            ),
        )
    },
)


@dataclass(frozen=True, slots=True)
class ListStatus:
    """One DNS list, as all workers see it together.

    Attributes:
        zone: Its public name.
        effect: block or allow.
        state: up, trial, aside, spent or new; of several workers that of the least believing one.
        reason: Why it is not simply used; empty when it is.
        since: Seconds since 1970 of the last change; 0 before the first one.
        retry_s: Seconds until it is tried again; 0 where it is used.
        asked: Questions today (UTC).
        a_day: How many there may be; 0: any number.
        workers: Workers that know of it.
        workers_up: Those of them that ask and believe it.
    """

    zone: str
    effect: str
    state: str
    reason: str
    since: float
    retry_s: float
    asked: int
    a_day: int
    workers: int
    workers_up: int


def lists_route(statuses: Callable[[], Sequence[ListStatus]]) -> Route:
    """Return the route of `GET /v1/lists`."""

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response({"lists": [asdict(status) for status in statuses()]})

    return Route(LISTS, handle)
