"""`GET /v1/history` and `GET /v1/history/{id}`: what became of messages, and why."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from milter.http.endpoint import (
    ANYTHING,
    FAULT,
    NUMBER,
    TEXT,
    WHOLE,
    Access,
    Answer,
    Endpoint,
    Parameter,
    listed,
    record,
)
from milter.http.refusal import RefusedError, needing_the_store
from milter.http.routing import Route
from policies.mailboxes import plain_address
from reputation.history.journal import Journal, Page, Wanted
from reputation.history.told import plain, summary
from reputation.history.wanted import parse_time
from reputation.subjects import plain_ip

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from multidict import MultiMapping

    from milter.memory.reading import Reading
    from reputation.store import Store

    T = TypeVar("T")

_USUAL: Final = 50
_MOST: Final = 500
_MOST_DIGITS: Final = 9
# What one request may cost; a search for what is rare goes on with `after`.
_LOOKED_AT: Final = 5000
_LONGEST: Final = 1000
_WORDS: Final = {
    "sender": "Reverse path or author: an address or a domain",
    "recipient": "A recipient: an address or a domain",
    "message_id": "Message-ID, with or without angle brackets",
    "queue_id": "What the mail server before or behind us calls it",
    "client_ip": "Address of the client",
    "action": "What was done: pass, tag, quarantine, defer, reject, discard",
    "symbol": "A symbol that was found",
    "listener": "Name of the listener",
    "direction": "inbound, outbound or internal",
    "shadow": "A shadow policy that would have done something else",
}
# Of these every spelling finds what is kept in one.
_SPELLINGS: Final = {"sender": plain_address, "recipient": plain_address, "client_ip": plain_ip}
_TIMES: Final = {
    "since": "Not older: seconds since 1970, 2027-01-31, 2027-01-31T14:02:07, 90m, 24h, 7d",
    "until": "Not younger, written likewise",
}
_SUMMARY: Final = record({"txn_id": TEXT, "at": NUMBER, "action": TEXT, "sentence": TEXT})
HISTORY: Final = Endpoint(
    "GET",
    "/v1/history",
    Access.TOKEN,
    "Messages of the history for which all that is said holds, the youngest first.",
    {
        200: Answer(
            "The messages, and where to go on; where `after` is empty there are no more",
            record({"messages": listed(_SUMMARY), "after": TEXT}),
        ),
        400: Answer("A parameter is not what is needed", FAULT),
    },
    (
        *(Parameter(name, "query", words) for name, words in {**_WORDS, **_TIMES}.items()),
        Parameter("limit", "query", f"How many, {_MOST} at most", {**WHOLE, "default": _USUAL}),
        Parameter("after", "query", "Goes on where an answer before ended"),
    ),
)
HISTORY_ENTRY: Final = Endpoint(
    "GET",
    "/v1/history/{id}",
    Access.TOKEN,
    "All that the history has of one message.",
    {
        200: Answer("The record", record({"txn_id": TEXT, "at": NUMBER}, {"facts": ANYTHING})),
        404: Answer("There is no such message, or it is not kept any more", FAULT),
    },
    (Parameter("id", "path", "The id of the transaction, as replies, headers and logs have it"),),
)


def history_routes(reading: Reading | None) -> list[Route]:
    """Return the routes of the history; None: nothing is remembered here."""

    async def search(request: web.Request) -> web.StreamResponse:
        wanted, limit = _wanted(request.query, time.time())
        page = await _ask(reading, partial(_page, wanted, limit))
        return web.json_response(
            {
                "messages": [summary(line.record) for line in page.lines],
                "after": _cursor(page.rest),
            }
        )

    async def show(request: web.Request) -> web.StreamResponse:
        txn_id = request.match_info["id"][:_LONGEST]
        found = await _ask(reading, lambda store: Journal(store).find(txn_id))
        if found is None:
            raise RefusedError(404, "there is no such message, or it is not kept any more")
        return web.json_response(plain(found))

    return [Route(HISTORY, search), Route(HISTORY_ENTRY, show)]


def _page(wanted: Wanted, limit: int, store: Store) -> Page:
    return Journal(store).page(wanted, limit, _LOOKED_AT)


async def _ask(reading: Reading | None, question: Callable[[Store], T]) -> T:
    if reading is None:
        raise RefusedError(503, "nothing is remembered here: set `store`")
    with needing_the_store():
        return await reading.ask(question)


def _wanted(query: MultiMapping[str], now: float) -> tuple[Wanted, int]:
    known = {*_WORDS, *_TIMES, "limit", "after"}
    for name, value in query.items():
        if name not in known:
            raise RefusedError(400, f"there is no parameter {name[:40]!r}")
        if len(value) > _LONGEST:
            raise RefusedError(400, f"parameter {name}: up to {_LONGEST} characters are needed")
    words: dict[str, Any] = {name: query[name] for name in _WORDS if name in query}
    words |= {name: kept(words[name]) for name, kept in _SPELLINGS.items() if name in words}
    times: dict[str, Any] = {
        name: _time(name, text, now) for name in _TIMES if (text := query.get(name))
    }
    wanted = Wanted(**words, **times)
    if after := query.get("after"):
        wanted = _behind(wanted, after)
    return wanted, _limit(query.get("limit", str(_USUAL)))


def _time(name: str, text: str, now: float) -> float:
    try:
        return parse_time(text, now)
    except ValueError as err:
        raise RefusedError(400, f"parameter {name}: {err}") from err


def _limit(text: str) -> int:
    few = len(text) <= _MOST_DIGITS
    if not (few and text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise RefusedError(400, f"parameter limit: a number from 1 to {_MOST} is needed")
    return int(text)


def _cursor(rest: Wanted | None) -> str:
    return "" if rest is None else f"{rest.until!r}-{rest.before}"


def _behind(wanted: Wanted, cursor: str) -> Wanted:
    until, _, before = cursor.rpartition("-")
    try:
        at, number = float(until), int(before)
    except ValueError:
        at, number = float("nan"), 0
    if not isfinite(at) or not 0 <= number < 2**53:
        raise RefusedError(400, "parameter after: what an answer before had is needed")
    return replace(wanted, until=at, before=number)
