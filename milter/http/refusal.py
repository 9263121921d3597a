"""A request that is not answered as asked: what the caller is told instead."""

from __future__ import annotations

from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.core.errors import GatepostError
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Long enough for what holds the place to be over, short enough for a mail server that waits.
RETRY_AFTER_S: Final = 5


class RefusedError(GatepostError):
    """The request is answered with a status and words.

    Attributes:
        status: Of the answer.
        words: What is wrong, for a person.
        headers: Of the answer, beside those that every answer bears.
    """

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = dict(headers or {})


def overloaded(
    words: str, status: int = 503, *, retry_after_s: int = RETRY_AFTER_S
) -> RefusedError:
    """Return the refusal of what could be answered later (RFC 9110 §10.2.3)."""
    return RefusedError(status, words, {"Retry-After": str(retry_after_s)})


@contextmanager
def needing_the_store() -> Iterator[None]:
    """Have whoever asks come again where the store does not answer what is asked of it within."""
    try:
        yield
    except StoreError as err:
        raise overloaded("the store does not answer, try again") from err


def told(refused: RefusedError) -> web.Response:
    """Return the answer that says so."""
    answer = web.json_response(
        {"error": refused.words}, status=refused.status, headers=refused.headers
    )
    if refused.status == HTTPStatus.REQUEST_TIMEOUT:
        # What is left of the request would be taken for the next one (RFC 9110 §15.5.9).
        answer.force_close()
    return answer


def last_words(refused: RefusedError, headers: Mapping[str, str]) -> bytes:
    """Return the whole answer, with `headers`, for a connection that ends behind it."""
    answer = told(refused)
    body = answer.body
    assert isinstance(body, bytes)  # noqa: S101 - JSON of ours
    fields = {
        **answer.headers,
        **headers,
        "Date": formatdate(usegmt=True),
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    first = f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}"
    lines = [first, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + body
