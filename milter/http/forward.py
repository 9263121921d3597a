"""Requests on their way from the supervisor, which has the port, to a worker, which can judge.

It says to the worker where the caller is, in a header that nobody else can set: what a caller sends
under that name is dropped. The worker asks for the token.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web
from yarl import URL

from milter.http.callers import CALLER_HEADER, caller_of
from milter.http.endpoint import Access
from milter.http.pace import Pace, PacedBody
from milter.http.refusal import RefusedError, overloaded
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.http.endpoint import Endpoint

# Hop by hop, or about a connection that is not this one (RFC 9110 §7.6.1).
_DROPPED: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade",
        "host", "content-length", "expect", CALLER_HEADER.lower(),
    }
)  # fmt: skip
# Of an answer's headers, those that say something about it and not about the worker's connection.
_BACK: Final = (
    "Allow", "Compression", "Content-Encoding", "Content-Type", "Retry-After", "WWW-Authenticate",
)  # fmt: skip


class Forwarder:
    """Passes requests on to whichever worker takes the connection; `close` at the end.

    Args:
        path: Of the unix socket on which the workers listen.
        max_bytes: Largest message.
        timeout_s: For the whole answer.
        pace: How slow a body may be.
    """

    def __init__(self, path: str, max_bytes: int, timeout_s: float, pace: Pace) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._pace = pace
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=5)
        self._session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with what the worker answers.

        Raises:
            RefusedError: None does.
        """
        if (request.content_length or 0) > self._max_bytes:
            raise RefusedError(413, f"the message is larger than {self._max_bytes} bytes")
        body = PacedBody(request.content, self._pace)
        try:
            return await self._forward(request, body)
        except (aiohttp.ClientError, OSError) as err:
            if body.refused is not None:
                raise body.refused from err
            if isinstance(err, TimeoutError):
                raise overloaded("no worker answered in time") from err
            raise overloaded("no worker takes requests now") from err

    def routes(self, endpoints: Iterable[Endpoint]) -> Iterator[Route]:
        """Yield the routes of what workers answer; they ask for the token."""
        for endpoint in endpoints:
            yield Route(replace(endpoint, access=Access.OPEN), self.handle)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _forward(self, request: web.Request, body: PacedBody) -> web.Response:
        session = self._session = self._session or self._open()
        async with session.request(
            request.method,
            _at_worker(request.rel_url),
            data=body if request.can_read_body else None,
            headers=_onward(request),
            allow_redirects=False,
        ) as answer:
            told = await answer.read()
            headers = {name: answer.headers[name] for name in _BACK if name in answer.headers}
            return web.Response(body=told, status=answer.status, headers=headers)

    def _open(self) -> aiohttp.ClientSession:
        # A kept connection stays with one worker, which a reload may be draining: ask anew instead.
        connector = aiohttp.UnixConnector(self._path, force_close=True)
        return aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, auto_decompress=False, trust_env=False
        )


def _at_worker(url: URL) -> URL:
    # As it came: a path that is decoded and encoded again may be another one.
    path, query = url.raw_path, url.raw_query_string
    return URL.build(scheme="http", host="worker", path=path, query_string=query, encoded=True)


def _onward(request: web.Request) -> list[tuple[str, str]]:
    headers = [
        (name, value) for name, value in request.headers.items() if name.lower() not in _DROPPED
    ]
    return [*headers, (CALLER_HEADER, caller_of(request).value)]
