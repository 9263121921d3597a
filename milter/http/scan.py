"""`POST /v1/scan`: the verdict about the message in the body, as JSON.

It runs in a worker, behind the supervisor's port. Nothing is relayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.doors.whole import judge_whole
from milter.http.bodies import place, read_message
from milter.http.endpoint import (
    ANYTHING,
    FAULT,
    NUMBER,
    TEXT,
    Access,
    Answer,
    Endpoint,
    Parameter,
    listed,
    named,
    record,
)
from milter.http.envelope import PARAMETERS, read_envelope, text_of
from milter.http.refusal import RefusedError
from milter.http.routing import Route
from milter.pipeline.report import scan_report

if TYPE_CHECKING:
    from milter.doors.door import Door

_RESULT: Final = record({}, {"result": TEXT, "domain": TEXT, "reason": TEXT})
_REPORT: Final = record(
    {
        "action": {**TEXT, "enum": ["pass", "tag", "quarantine", "defer", "reject", "discard"]},
        "score": NUMBER,
        "required": NUMBER,
        "reply": {**TEXT, "description": "SMTP reply of a refusal; empty for others"},
        "reason": TEXT,
        "symbols": named(
            record({"weight": NUMBER, "evidence": TEXT, "description": TEXT, "kind": ANYTHING})
        ),
        "auth": record(
            {
                "spf": _RESULT,
                "dkim": listed(_RESULT),
                "dmarc": {"type": "object"},
                "arc": _RESULT,
                "iprev": _RESULT,
            }
        ),
        "facts": named(ANYTHING),
        "trace": listed(TEXT),
        "headers": record({"add": listed(ANYTHING), "remove": listed(ANYTHING)}),
        "txn_id": TEXT,
        "policy": TEXT,
        "duration_ms": NUMBER,
    }
)
SCAN: Final = Endpoint(
    "POST",
    "/v1/scan",
    Access.MACHINE,
    "The verdict about a message, with all that led to it.",
    {
        200: Answer("The verdict", _REPORT),
        400: Answer("A header or the body is not what is needed", FAULT),
        408: Answer("The message did not come", FAULT),
        413: Answer("The message is too large", FAULT),
    },
    (
        *PARAMETERS,
        Parameter(
            "remember",
            "query",
            "no: somebody only wants to know; memory and statistics are told nothing",
            {**TEXT, "enum": ["yes", "no"]},
        ),
    ),
    takes_message=True,
)


def scan_route(door: Door) -> Route:
    """Return the route of `POST /v1/scan`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        envelope = read_envelope(request.headers, door.listener)
        queue_id, remembered = text_of(request.headers, "Queue-Id"), _is_remembered(request)
        with place(door) as hold:
            data = await read_message(request, door, hold)
            judged = await judge_whole(
                door, data, envelope, queue_id=queue_id, remembered=remembered
            )
        report = scan_report(judged.judgement, judged.outcome, judged.txn_id, judged.message)
        return web.json_response(report)

    return Route(SCAN, handle)


def _is_remembered(request: web.Request) -> bool:
    word = request.query.get("remember", "yes")
    if word not in {"yes", "no"}:
        raise RefusedError(400, f"remember: yes or no, not {word[:40]!r}")
    return word == "yes"
