"""`POST /learnspam` and `/learnham`, in rspamd's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.endpoint import FAULT, TRUTH, Access, Answer, Endpoint, record
from milter.http.learn import USER, learn
from milter.http.routing import Route
from reputation.classifier.lessons import Heard

if TYPE_CHECKING:
    from milter.doors.door import Door
    from milter.doors.teaching import Teacher

_ANSWERS: Final = {
    200: Answer("It was learned", record({"success": TRUTH})),
    208: Answer("It had been learned before", FAULT),
    400: Answer("The body is not what is needed", FAULT),
    408: Answer("The message did not come", FAULT),
    413: Answer("The message is too large", FAULT),
}
LEARN_SPAM: Final = Endpoint(
    "POST",
    "/learnspam",
    Access.TOKEN,
    "Teaches the classifier that a message is spam, in the shape of rspamd.",
    _ANSWERS,
    (USER,),
    takes_message=True,
)
LEARN_HAM: Final = Endpoint(
    "POST",
    "/learnham",
    Access.TOKEN,
    "Teaches the classifier that a message is wanted, in the shape of rspamd.",
    _ANSWERS,
    (USER,),
    takes_message=True,
)


def learn_routes(door: Door, teacher: Teacher | None) -> tuple[Route, Route]:
    """Return the routes of `POST /learnspam` and `POST /learnham`."""

    async def spam(request: web.Request) -> web.StreamResponse:
        return _answer(await learn(request, door, teacher, spam=True), "spam")

    async def ham(request: web.Request) -> web.StreamResponse:
        return _answer(await learn(request, door, teacher, spam=False), "ham")

    return Route(LEARN_SPAM, spam), Route(LEARN_HAM, ham)


def _answer(heard: Heard, label: str) -> web.Response:
    if heard is Heard.KNOWN:
        return web.json_response(
            {"error": f"the message was learned as {label} before"}, status=208
        )
    return web.json_response({"success": True})
