"""`GET /ping`, `GET /stat` and `GET /symbols`, in rspamd's shape.

What has no counterpart here (fuzzy hashes, files of statistics, memory pools) is empty.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.endpoint import (
    ANYTHING,
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Access,
    Answer,
    Endpoint,
    listed,
    named,
    record,
)
from milter.http.routing import Route
from milter.http.rspamd.reply import ADD_HEADER, GREYLIST, NO_ACTION, REJECT, SOFT_REJECT
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from milter.doors.teaching import Teacher
    from policies.compile import Policy

PING: Final = Endpoint(
    "GET",
    "/ping",
    Access.OPEN,
    "Whether a worker answers, in the shape of rspamd.",
    {200: Answer("It does", {**TEXT, "const": "pong\r\n"}, "text/plain")},
)
STAT: Final = Endpoint(
    "GET",
    "/stat",
    Access.OPEN,
    "Sums over all messages since the start, in the shape of rspamd.",
    {
        200: Answer(
            "The sums",
            record(
                {
                    "version": TEXT,
                    "read_only": TRUTH,
                    "scanned": WHOLE,
                    "learned": WHOLE,
                    "actions": named(WHOLE),
                    "spam_count": WHOLE,
                    "ham_count": WHOLE,
                    "statfiles": listed(ANYTHING),
                    "fuzzy_hashes": named(ANYTHING),
                }
            ),
        )
    },
)
SYMBOLS: Final = Endpoint(
    "GET",
    "/symbols",
    Access.MACHINE,
    "The symbols that count and their points, in the shape of rspamd.",
    {
        200: Answer(
            "The symbols by group",
            listed(
                record(
                    {
                        "group": TEXT,
                        "rules": listed(
                            record({"symbol": TEXT, "weight": NUMBER, "description": TEXT})
                        ),
                    }
                )
            ),
        )
    },
)
_ACTIONS: Final = {
    "pass": NO_ACTION,
    "tag": ADD_HEADER,
    "quarantine": ADD_HEADER,
    "defer": SOFT_REJECT,
    "reject": REJECT,
    "discard": REJECT,
}
_SPAM: Final = (ADD_HEADER, REJECT)
_NO_GROUP: Final = "ungrouped"


def ping_route() -> Route:
    """Return the route of `GET /ping`."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="pong\r\n")

    return Route(PING, handle)


def stat_route(
    version: str, actions: Callable[[], Mapping[str, float]], teacher: Teacher | None
) -> Route:
    """Return the route of `GET /stat`.

    Args:
        version: Of Gatepost.
        actions: Messages by our word for the action, over all workers; called in a thread.
        teacher: Knows how many lessons there were; None where nothing is learned.
    """

    async def handle(_request: web.Request) -> web.StreamResponse:
        sums = dict.fromkeys((*dict.fromkeys(_ACTIONS.values()), GREYLIST), 0)
        for word, count in (await asyncio.to_thread(actions)).items():
            sums[_ACTIONS.get(word, NO_ACTION)] += int(count)
        scanned, spam = sum(sums.values()), sum(sums[name] for name in _SPAM)
        learned = await _lessons(teacher)
        return web.json_response(
            {
                "version": version,
                "read_only": teacher is None,
                "scanned": scanned,
                "learned": learned,
                "total_learns": learned,
                "actions": sums,
                "spam_count": spam,
                "ham_count": scanned - spam,
                "connections": 0,
                "control_connections": 0,
                "statfiles": [],
                "fuzzy_hashes": {},
            }
        )

    return Route(STAT, handle)


def symbols_route(policies: Iterable[Policy]) -> Route:
    """Return the route of `GET /symbols`; of several policies a symbol is told as in the first."""
    groups: dict[str, dict[str, object]] = {}
    for policy in policies:
        for symbol, weight in policy.weights.items():
            spec = policy.symbols[symbol]
            told = {"symbol": symbol, "weight": weight, "description": spec.describe}
            groups.setdefault(spec.group or _NO_GROUP, {}).setdefault(symbol, told)
    shown = [{"group": group, "rules": list(groups[group].values())} for group in sorted(groups)]

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(shown)

    return Route(SYMBOLS, handle)


async def _lessons(teacher: Teacher | None) -> int:
    if teacher is None:
        return 0
    try:
        return await teacher.lessons()
    except StoreError:
        return 0
