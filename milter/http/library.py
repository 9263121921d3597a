"""What reads requests and writes answers: the library's, within our bounds and in our words."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from milter.doors.peers import PeerGoneError
from milter.doors.told_envelope import MAX_RECIPIENTS
from milter.http.callers import address_of
from milter.http.caution import HEADERS
from milter.http.refusal import RefusedError, overloaded, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import IpAddress

_log: Final = logging.getLogger("gatepost.http")

# Each recipient has a field of its own.
_MOST_FIELDS: Final = MAX_RECIPIENTS + 128


def library(
    server: web.Server | None,
    may_ask: Callable[[IpAddress | None], bool] = lambda _address: True,
    **options: Any,
) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of a connection.

    Args:
        server: Of a runner that is set up.
        may_ask: Counts a malformed request of an address; False: it asks too often.
        options: For each connection, as the library calls them.
    """
    assert server is not None  # noqa: S101 - it is set up
    bounds = {"access_log": None, "auto_decompress": False, "max_headers": _MOST_FIELDS, **options}
    return lambda: _Reader(server, may_ask, bounds)


class _Reader(web.RequestHandler):
    """One connection."""

    __slots__ = ("_may_ask",)

    def __init__(
        self,
        server: web.Server,
        may_ask: Callable[[IpAddress | None], bool],
        bounds: dict[str, Any],
    ) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **bounds)
        self._may_ask = may_ask

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what no handler sees: a request that the parser refuses.

        The library's own tells of itself and of its parser, and logs a traceback for each.
        """
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun")
        answer = told(self._refusal(status, exc))
        # The hook that puts them on other answers knows no request that is none.
        answer.headers.update(HEADERS)
        answer.force_close()
        return answer

    def eof_received(self) -> bool:  # type: ignore[override]
        """The caller says nothing more: what it asked whole is answered, and that is the end.

        A body that is cut off ends with the connection. Where the request just begins and its body
        is not known yet, `pace` gives it up.
        """
        if self._waiter is not None and not self._messages:
            return False
        bodies = [body for _, body in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        if not all(body.is_eof() for body in bodies):
            return False
        self.close()
        return True

    def _refusal(self, status: int, exc: BaseException | None) -> RefusedError:
        try:
            address = address_of(self.transport)
        except PeerGoneError:
            return RefusedError(HTTPStatus.BAD_REQUEST, "the caller is gone")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request failed", exc_info=exc)
            return RefusedError(status, "this went wrong here, try again")
        if not self._may_ask(address):
            return overloaded("too many requests from this address", 429, retry_after_s=1)
        fields = {"client_ip": str(address or ""), "error": type(exc).__name__}
        _log.info("malformed request", extra=fields)
        return RefusedError(HTTPStatus.BAD_REQUEST, "the request is malformed")
