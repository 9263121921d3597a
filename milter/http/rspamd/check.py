"""`POST /checkv2`: the verdict in rspamd's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.doors.told_envelope import told_envelope, words_of
from milter.doors.whole import judge_whole
from milter.http.bodies import place, read_message
from milter.http.endpoint import (
    ANYTHING,
    FAULT,
    NUMBER,
    TEXT,
    TRUTH,
    Access,
    Answer,
    Endpoint,
    listed,
    named,
    record,
)
from milter.http.routing import Route
from milter.http.rspamd.envelope import PARAMETERS, is_remembered
from milter.http.rspamd.reply import ACTIONS, rspamd_reply

if TYPE_CHECKING:
    from milter.doors.door import Door

_SYMBOL: Final = record(
    {
        "name": TEXT,
        "score": NUMBER,
        "metric_score": NUMBER,
        "description": TEXT,
        "options": listed(TEXT),
    }
)
_REPLY: Final = record(
    {
        "is_skipped": TRUTH,
        "action": {**TEXT, "enum": list(ACTIONS)},
        "score": NUMBER,
        "required_score": NUMBER,
        "thresholds": named(NUMBER),
        "symbols": named(_SYMBOL),
        "messages": named(TEXT),
        "urls": listed(TEXT),
        "emails": listed(TEXT),
        "message-id": TEXT,
        "time_real": NUMBER,
        "milter": record({}, {"add_headers": named(ANYTHING), "remove_headers": named(ANYTHING)}),
    },
    {"subject": TEXT},
)
CHECK: Final = Endpoint(
    "POST",
    "/checkv2",
    Access.MACHINE,
    "The verdict about a message, in the shape of rspamd.",
    {
        200: Answer("The verdict", _REPLY),
        400: Answer("The body is not what is needed", FAULT),
        408: Answer("The message did not come", FAULT),
        413: Answer("The message is too large", FAULT),
    },
    PARAMETERS,
    takes_message=True,
)


def check_route(door: Door) -> Route:
    """Return the route of `POST /checkv2`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        envelope = told_envelope(headers, door.listener, door.hostname)
        with place(door) as hold:
            data = await read_message(request, door, hold)
            judged = await judge_whole(
                door,
                data,
                envelope,
                queue_id=words_of(headers, "Queue-Id"),
                remembered=is_remembered(headers),
            )
        return web.json_response(rspamd_reply(judged))

    return Route(CHECK, handle)
