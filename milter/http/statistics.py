"""`GET /v1/stats`: what was counted, over a window of time, as JSON or CSV.

Sums name nobody and are for everybody; blocks of addresses and domains of recipients are added for
who has the token, unless the site wants privacy.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, Protocol

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
    Schema,
    listed,
    named,
    record,
)
from milter.http.refusal import RefusedError, needing_the_store
from milter.http.routing import Route
from reputation.statistics.shapes import plain, rows, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.statistics.figures import Figures
    from reputation.statistics.money import Money

_WINDOW: Final = "1h"
_COUNT: Final = {"messages": WHOLE, "bytes": WHOLE, "unwanted": WHOLE, "bytes_saved": WHOLE}
_ITEMS: Final[Schema] = listed(record({"name": TEXT, "amount": NUMBER, "formula": TEXT}))
_ENTRY: Final = record({"value": TEXT, "messages": WHOLE, "unwanted": WHOLE, "bytes": WHOLE})
STATISTICS: Final = Endpoint(
    "GET",
    "/v1/stats",
    Access.OPEN,
    "What was counted over a window of time; with the token, blocks of addresses and domains of "
    "recipients as well.",
    {
        200: Answer(
            "The figures; with `format=csv` a table of dimension, value and counts",
            record(
                {
                    "window": TEXT,
                    "since": WHOLE,
                    "until": WHOLE,
                    "step_s": WHOLE,
                    "totals": record(_COUNT),
                    "dimensions": named(listed(record({"value": TEXT, **_COUNT}))),
                    "timeline": listed(
                        record(
                            {
                                "at": WHOLE,
                                "messages": WHOLE,
                                "bytes": WHOLE,
                                "unwanted": WHOLE,
                                "actions": named(WHOLE),
                                "kinds": named(WHOLE),
                                "directions": named(WHOLE),
                            }
                        )
                    ),
                    "top": named(
                        record({"error": WHOLE, "counted": WHOLE, "entries": listed(_ENTRY)})
                    ),
                    "cpu_s": NUMBER,
                    "money": record(
                        {
                            "currency": TEXT,
                            "spent": _ITEMS,
                            "saved": _ITEMS,
                            "spent_total": NUMBER,
                            "saved_total": NUMBER,
                        }
                    ),
                    "personal": {**ANYTHING, "type": "boolean"},
                }
            ),
            text_types=("text/csv",),
        ),
        400: Answer("There is no such window or format", FAULT),
        404: Answer("Nothing is counted, for there is no store", FAULT),
    },
    (
        Parameter("window", "query", "How long", {**TEXT, "enum": windows(), "default": _WINDOW}),
        Parameter("format", "query", "As what", {**TEXT, "enum": ["json", "csv"]}),
    ),
)


class Reading(Protocol):
    """Who reads the figures of a window."""

    async def window(self, word: str) -> tuple[Figures, Money]:
        """Return the figures of a window, and what they cost.

        Raises:
            StoreError: The store does not answer.
        """
        ...

    async def close(self) -> None:
        """Let go of what it reads from."""
        ...

    @property
    def privacy(self) -> bool:
        """Whether nothing is shown that may point to somebody."""
        ...


def statistics_route(reading: Reading | None, knows_token: Callable[[web.Request], bool]) -> Route:
    """Return the route of `GET /v1/stats`.

    Args:
        reading: Reads the figures; None: nothing is counted.
        knows_token: Tells whether who asks has the token.
    """

    async def handle(request: web.Request) -> web.Response:
        word = _one_of(request, "window", windows(), _WINDOW)
        form = _one_of(request, "format", ["json", "csv"], "json")
        if reading is None:
            raise RefusedError(404, "nothing is counted: the configuration names no `store`")
        personal = not reading.privacy and knows_token(request)
        with needing_the_store():
            figures, spent = await reading.window(word)
        if form == "csv":
            return web.Response(text=as_csv(figures, personal=personal), content_type="text/csv")
        body = {"window": word, **plain(figures, spent, personal=personal), "personal": personal}
        return web.json_response(body)

    return Route(STATISTICS, handle)


def as_csv(figures: Figures, *, personal: bool) -> str:
    """Return the figures as a table (RFC 4180).

    Names of networks and campaigns come from others: none can become a formula of a spreadsheet.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows(figures, personal=personal):
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue()


def _harmless(cell: str | int) -> str | int:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") and cell else cell


def _one_of(request: web.Request, name: str, known: list[str], default: str) -> str:
    value = request.query.get(name, default)
    if value not in known:
        raise RefusedError(400, f"`{name}` is one of {', '.join(known)}")
    return value
