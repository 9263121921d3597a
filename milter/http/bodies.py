"""The message in the body of a request: read as it comes, made plain, counted all the while."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.core.errors import ParseError
from milter.doors.compression import decoder_of
from milter.doors.whole import NoRoomError, TooLargeError, place_for_one
from milter.http.pace import Pace, PacedBody
from milter.http.refusal import RefusedError, overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.doors.compression import Decoder
    from milter.doors.door import Door
    from milter.doors.whole import Hold

PACE: Final = web.AppKey("PACE", Pace)


@contextmanager
def place(door: Door) -> Iterator[Hold]:
    """Keep a place for the message of one request.

    Raises:
        RefusedError: There is none, or the message turns out to be too large for it.
    """
    try:
        with place_for_one(door) as hold:
            yield hold
    except NoRoomError as err:
        raise overloaded(str(err)) from err
    except TooLargeError as err:
        raise RefusedError(413, str(err)) from err


async def read_message(request: web.Request, door: Door, hold: Hold) -> bytes:
    """Return the message in the body of `request`.

    Raises:
        RefusedError: There is none, or it cannot be made plain, or it does not come.
        TooLargeError: It is too large.
        NoRoomError: There are too many.
    """
    announced = request.content_length or 0
    if announced > door.bounds.message_bytes:
        raise TooLargeError(f"the message is larger than {door.bounds.message_bytes} bytes")
    body = bytearray()
    try:
        decoder = _decoder(request)
        async for chunk in PacedBody(request.content, request.app[PACE]):
            for piece in decoder.feed(chunk):
                hold.take(len(piece))
                body += piece
                # A small chunk can stand for a lot; others shall have their turn.
                await asyncio.sleep(0)
        decoder.end()
    except ParseError as err:
        raise RefusedError(400, err.what) from err
    except RefusedError as refused:
        if refused.status == HTTPStatus.REQUEST_TIMEOUT:
            door.metrics.http_refused("body")
        raise
    if not body:
        raise RefusedError(400, "the message is missing: it is the body of the request")
    return bytes(body)


def _decoder(request: web.Request) -> Decoder:
    # rspamd's clients have a header of their own for it.
    named = (request.headers.get(name, "") for name in ("Compression", "Content-Encoding"))
    return decoder_of(next(filter(None, named), ""))
