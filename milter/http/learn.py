"""`POST /v1/learn/{label}`: somebody says of the message in the body what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.bodies import place, read_message
from milter.http.endpoint import FAULT, TEXT, Access, Answer, Endpoint, Parameter, record
from milter.http.envelope import text_of
from milter.http.refusal import RefusedError, needing_the_store, overloaded
from milter.http.routing import Route
from reputation.classifier.lessons import Heard, Reporter

if TYPE_CHECKING:
    from milter.doors.door import Door
    from milter.doors.teaching import Teacher

_LABELS: Final = ("ham", "spam")
# By then there is room for one more, of 50 a day.
_NEXT_LESSON_S: Final = 1800
USER: Final = Parameter(
    "User",
    "header",
    "The user who says so, whose lessons a day are bounded; absent: an administrator",
)
LEARN: Final = Endpoint(
    "POST",
    "/v1/learn/{label}",
    Access.TOKEN,
    "Teaches the classifier that a message is spam, or is not.",
    {
        200: Answer(
            "How the lesson was heard",
            record({"heard": {**TEXT, "enum": ["learned", "known", "changed"]}}),
        ),
        400: Answer("The body is not what is needed", FAULT),
        404: Answer("There is no such label", FAULT),
        408: Answer("The message did not come", FAULT),
        413: Answer("The message is too large", FAULT),
    },
    (
        Parameter("label", "path", "What the message is", {**TEXT, "enum": list(_LABELS)}),
        USER,
    ),
    takes_message=True,
)


def learn_route(door: Door, teacher: Teacher | None) -> Route:
    """Return the route of `POST /v1/learn/{label}`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        label = request.match_info["label"]
        if label not in _LABELS:
            raise RefusedError(404, "a message is learned as spam or ham")
        return web.json_response(
            {"heard": await learn(request, door, teacher, spam=label == "spam")}
        )

    return Route(LEARN, handle)


async def learn(request: web.Request, door: Door, teacher: Teacher | None, *, spam: bool) -> Heard:
    """Have the message in the body of `request` learned, and return how the lesson was heard.

    Raises:
        RefusedError: It is not.
    """
    if teacher is None:
        raise RefusedError(503, "nothing is learned here: set `store`")
    user = text_of(request.headers, "User")
    with place(door) as hold:
        data = await read_message(request, door, hold)
        with needing_the_store():
            heard = await teacher.teach(data, spam=spam, reporter=Reporter(user) if user else None)
    if heard is Heard.TOO_MANY:
        raise overloaded("this user has taught enough for now", 429, retry_after_s=_NEXT_LESSON_S)
    return heard
