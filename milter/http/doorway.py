"""Which connections the HTTP port keeps, and how long one may take to say what it wants.

The library reads and answers requests and has no bound on either; this stands between it and the
event loop. Callers on this machine are counted apart from all others, so that health and metrics
answer there however many strangers hold the port. What bodies may take is in `pace`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from milter.core.limits import LocalLimits
from milter.doors.peers import PeerGoneError
from milter.http.callers import address_of
from milter.http.caution import HEADERS
from milter.http.passing import END_OF_HEADER, MOST_READ
from milter.http.refusal import RefusedError, last_words, overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import StreamReader

    from milter.core.connection import IpAddress
    from milter.http.passing import Passed, Passer
    from milter.http.routing import Handler
    from milter.settings import Http

# Closed at once, a connection takes its last answer along (RFC 9112 §9.6): most callers have sent
# something by then that nobody reads. For so long, and so many, it stays half open instead.
_LEAVE_S: Final = 1.0
_MOST_LEAVING: Final = 100


class Doorway:
    """All connections of the port.

    Args:
        bounds: How many there may be, and how long they may wait.
        observe: Told of each that is refused or ended early, by a reason of the metric.
        passer: Gives those away whose request is not answered in this process.
        may_ask: Counts a request of an address that is given away; False: it asks too often.
    """

    def __init__(
        self,
        bounds: Http,
        observe: Callable[[str], None],
        passer: Passer | None = None,
        may_ask: Callable[[IpAddress | None], bool] = lambda _address: True,
    ) -> None:
        self.bounds = bounds
        self.observe = observe
        self.passer = passer
        self.may_ask = may_ask
        # What is read goes on at once, so that one serves all connections.
        self.buffer = bytearray(MOST_READ)
        self._connections: set[_Connection] = set()
        self._leaving = 0
        self._machine, self._beyond = (
            LocalLimits(
                sessions=bounds.connections,
                sessions_per_client=bounds.connections_per_client,
                bytes_in_flight=0,
            )
            for _ in range(2)
        )

    def admit(self, address: IpAddress | None) -> str:
        """Count a connection of `address` and return ""; else the reason, and no count."""
        if _here(address):
            return "" if self._machine.admit(None) else "full"
        if self._beyond.client_full(address):
            return "client"
        return "" if self._beyond.admit(address) else "full"

    def release(self, address: IpAddress | None) -> None:
        """Give back what `admit` counted."""
        if _here(address):
            self._machine.release(None)
        else:
            self._beyond.release(address)

    def may_leave(self) -> bool:
        """Count a connection that leaves politely and return True; False for one too many."""
        if self._leaving >= _MOST_LEAVING:
            return False
        self._leaving += 1
        return True

    def left(self) -> None:
        """Give back what `may_leave` counted."""
        self._leaving -= 1

    def keep(self, connection: _Connection) -> None:
        """Note that `connection` is there."""
        self._connections.add(connection)

    def lose(self, connection: _Connection) -> None:
        """Note that it is gone."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Let go of all; those that were given away go on where they are."""
        for connection in [*self._connections]:
            connection.close()

    def factory(self, library: Callable[[], asyncio.Protocol]) -> Callable[[], _Connection]:
        """Return what makes the protocol of a connection; `library` makes what reads requests."""
        return lambda: _Connection(self, library)


@web.middleware
async def timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Stop the connection's own clock while a request is answered; the first of the middlewares."""
    transport = request.transport
    connection = None if transport is None else transport.get_protocol()
    if not isinstance(connection, _Connection):
        return await handler(request)
    connection.begin(request.content)
    status = 0
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        connection.end(status)


class _Connection(asyncio.BufferedProtocol):
    """One connection: admitted or refused, then timed whenever no request is being answered.

    It waits for a first byte up to `idle_timeout_s`, and from that byte on for the whole header up
    to `header_timeout_s`, however the bytes drip in.
    """

    def __init__(self, doorway: Doorway, make_library: Callable[[], asyncio.Protocol]) -> None:
        self._doorway = doorway
        self._bounds = doorway.bounds
        self._make_library = make_library
        self._admitted = False
        # Made for the first request that is answered here.
        self._library: asyncio.Protocol | None = None
        self._address: IpAddress | None = None
        # The begin of a request of which it is not known yet who answers it.
        self._said = bytearray()
        self._looked_at = 0
        # Whether it is the library.
        self._here = False
        self._tail = b""
        self._passed: Passed | None = None
        self._body: StreamReader | None = None
        self._answering = False
        self._reading = False
        self._parted = False
        self._leaving = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        self._doorway.keep(self)
        try:
            self._address = address_of(transport)
        except PeerGoneError:
            self._parted = True
            self._transport.abort()
            return
        if reason := self._doorway.admit(self._address):
            self._doorway.observe(reason)
            self._part(overloaded("too many connections"))
            return
        self._admitted = True
        self._arm(self._bounds.idle_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._doorway.lose(self)
        if self._passed is not None:
            self._passed.let_go()
        if self._leaving:
            self._doorway.left()
        if self._admitted:
            self._doorway.release(self._address)
        if self._library is not None:
            self._library.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._doorway.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._parted:
            return
        data = bytes(memoryview(self._doorway.buffer)[:nbytes])
        # Of a message that was answered before its end, as one that is too large is.
        of_body = self._body is not None and not self._body.is_eof()
        if self._answering or self._here or of_body:
            self._to_library(data)
            return
        if not self._reading:
            # Empty lines before a request are nobody's (RFC 9112 §2.2).
            data = data.lstrip(b"\r\n")
            if not data:
                return
            self._reading = True
            self._arm(self._bounds.header_timeout_s)
        self._said += data
        self._decide()

    def eof_received(self) -> bool | None:
        return None if self._library is None else self._library.eof_received()

    def pause_writing(self) -> None:
        if self._library is not None:
            self._library.pause_writing()

    def resume_writing(self) -> None:
        if self._library is not None:
            self._library.resume_writing()

    def close(self) -> None:
        """End it, or leave it to whom it was given."""
        if self._library is None:
            self._transport.abort()

    def begin(self, body: StreamReader) -> None:
        """A request has come whole, but for its `body`."""
        self._disarm()
        self._body = body
        self._answering = True

    def end(self, status: int) -> None:
        """It is answered with `status`; what comes now is the next one."""
        if status == web.HTTPRequestTimeout.status_code:
            self._doorway.observe("body")
        self._answering = self._reading = self._here = False
        if not self._transport.is_closing():
            self._arm(self._bounds.idle_timeout_s)

    def _arm(self, timeout_s: float) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._late, timeout_s)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, timeout_s: float) -> None:
        if self._transport.get_write_buffer_size():
            # Still taking the answer before; whoever does not is dropped by the kernel.
            self._arm(timeout_s)
        elif self._reading:
            self._doorway.observe("headers")
            self._part(overloaded("the request did not come", 408))
        else:
            # A kept connection; to say something here would answer the next request.
            self._transport.close()

    def _decide(self) -> None:
        """Find out who answers the request that begins, unless more has to come for that."""
        try:
            onward = self._points_onward()
        except RefusedError as refused:
            self._disarm()
            self._part(refused)
            return
        if onward is None:
            return
        said, self._looked_at = bytes(self._said), 0
        self._said.clear()
        if onward and self._give(said):
            return
        self._here = True
        self._to_library(said)

    def _points_onward(self) -> bool | None:
        passer = self._doorway.passer
        # What the library has not read to its end may be a part of this request.
        if passer is None or self._tail not in {b"", END_OF_HEADER}:
            return False
        looked_at, self._looked_at = self._looked_at, len(self._said)
        return passer.points_onward(self._said, looked_at)

    def _give(self, said: bytes) -> bool:
        """Return whether a worker gets this connection, of which `said` was read."""
        passer = self._doorway.passer
        if passer is None or not self._doorway.may_ask(self._address):
            return False
        descriptor = self._transport.get_extra_info("socket").fileno()
        self._passed = passer.give(descriptor, said, self._answered)
        if self._passed is None:
            return False
        self._disarm()
        self._transport.pause_reading()
        return True

    def _answered(self, done: bool) -> None:
        self._passed = None
        if done:
            self._transport.abort()
        else:
            self._part(overloaded("no worker answered"))

    def _to_library(self, data: bytes) -> None:
        if self._library is None:
            self._library = self._make_library()
            self._library.connection_made(self._transport)
        self._tail = (self._tail + data[-len(END_OF_HEADER) :])[-len(END_OF_HEADER) :]
        self._library.data_received(data)

    def _part(self, refused: RefusedError) -> None:
        self._parted = True
        self._transport.write(last_words(refused, HEADERS))
        self._leaving = self._doorway.may_leave()
        if self._leaving:
            self._transport.write_eof()
            self._timer = asyncio.get_running_loop().call_later(_LEAVE_S, self._transport.abort)
        else:
            self._transport.close()


def _here(address: IpAddress | None) -> bool:
    return address is None or address.is_loopback
