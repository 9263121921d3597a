"""A connection on its way from the supervisor, which has the port, to a worker, which can judge.

The connection itself goes: its descriptor and what was read of it travel over a pair of sockets of
which all workers hold one end (unix(7), SCM_RIGHTS), and whoever is free takes it. The worker sees
the caller as the supervisor did, and no octet of message or answer passes through two processes.
The supervisor keeps its own descriptor, so that it counts the connection as long as it lasts, and
hears through a pipe that went along when a worker takes it, which may not wait for long, and when
the worker is done with it: how long that lasts is bounded there. A pipe that ends without a word
says that the worker died, and the caller is told so.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from milter.http.endpoint import Access
from milter.http.refusal import RefusedError, overloaded, told
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from aiohttp import web

    from milter.http.endpoint import Endpoint

# What is read of a connection at once, so that what travels is no larger than a packet may be.
MOST_READ: Final = 8192
# A thousand recipients of the greatest length, each in a field of its own.
_MOST_HEADER: Final = 384 * 1024
# A line that is longer is the library's to refuse.
_LONGEST_LINE: Final = 2 * MOST_READ
# Beside what is said, of the room that a packet has: the kernel's own.
_OVERHEAD: Final = 1024
END_OF_HEADER: Final = b"\r\n\r\n"
_DESCRIPTORS: Final = 2
_TAKEN: Final = b"+"
_DONE: Final = b"."


def first_lines(endpoints: Iterable[Endpoint]) -> re.Pattern[bytes]:
    """Return what the first line of a request for one of `endpoints` begins with.

    Whether the method fits, and what the answer is where it does not, is not asked here. A proxy
    may name the whole address (RFC 9112 §3.2.2).
    """
    paths = sorted(
        {re.sub(r"\\\{\w+\\\}", "[^/? ]+", re.escape(endpoint.path)) for endpoint in endpoints}
    )
    line = rf"[!-~]+ (?:https?://[^/? ]*)?(?:{'|'.join(paths)})[? ]"
    return re.compile(line.encode("ascii"))


class Passed:
    """A connection that was given away, until it is done with or let go of."""

    __slots__ = ("_done", "_ended", "_timer", "connection", "fd", "said")

    def __init__(
        self, connection: int, said: bytes, ended: Callable[[bool], None], timeout_s: float
    ) -> None:
        loop = asyncio.get_running_loop()
        self.connection = connection
        self.said = said
        self._ended = ended
        self._done, self.fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._timer = loop.call_later(timeout_s, self._end, b"")
        loop.add_reader(self._done, self._hear)

    def sent(self) -> None:
        """The worker has its end of the pipe, and what was said."""
        os.close(self.fd)
        self.fd = -1
        self.said = b""

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent."""
        return self.fd >= 0

    def let_go(self) -> None:
        """Hear nothing more of it; whoever has it goes on."""
        if self._done < 0:
            return
        self._timer.cancel()
        asyncio.get_running_loop().remove_reader(self._done)
        os.close(self._done)
        self._done = -1
        if self.waits:
            self.sent()

    def _hear(self) -> None:
        words = os.read(self._done, len(_TAKEN + _DONE))
        self._timer.cancel()
        if words != _TAKEN:
            self._end(words)

    def _end(self, words: bytes) -> None:
        self.let_go()
        self._ended(words.endswith(_DONE))


class Passer:
    """Gives connections to whichever worker takes them.

    Args:
        channel: The supervisor's end of the pair; closed at the end.
        endpoints: What workers answer.
        timeout_s: For how long one may wait until a worker takes it.
        is_taken: Whether there is a worker that takes any.
    """

    def __init__(
        self,
        channel: socket.socket,
        endpoints: Sequence[Endpoint],
        timeout_s: float,
        is_taken: Callable[[], bool],
    ) -> None:
        self._channel = channel
        self._channel.setblocking(False)
        self._most_header = _room(channel)
        self._endpoints = endpoints
        self._first_lines = first_lines(endpoints)
        self._timeout_s = timeout_s
        self._is_taken = is_taken
        self._waiting: deque[Passed] = deque()

    def points_onward(self, said: bytes | bytearray, looked_at: int = 0) -> bool | None:
        """Return whether the request that begins with `said` goes to a worker; None: wait for more.

        It goes once its header is whole: how long that may take is watched at the port.

        Args:
            said: What was read.
            looked_at: So much of it was asked about before.

        Raises:
            RefusedError: The header is too long.
        """
        if self._first_lines.match(said, 0, _LONGEST_LINE) is None:
            return False if len(said) > _LONGEST_LINE or b"\n" in said else None
        if said.find(END_OF_HEADER, max(0, looked_at - len(END_OF_HEADER))) >= 0:
            return True
        if len(said) > self._most_header:
            raise RefusedError(431, "the header of the request is too long")
        return None

    def give(self, connection: int, said: bytes, ended: Callable[[bool], None]) -> Passed | None:
        """Give a connection away; None: nobody takes it now.

        Args:
            connection: Its descriptor, which stays open until it is let go of.
            said: What was read of it.
            ended: Told once whether it was answered.
        """
        if not self._is_taken():
            return None
        try:
            passed = Passed(connection, said, ended, self._timeout_s)
        except OSError:
            # No descriptors are left.
            return None
        self._waiting.append(passed)
        if len(self._waiting) == 1:
            self._send()
        return passed

    def routes(self) -> Iterator[Route]:
        """Yield the routes of what workers answer, for what could not be given to one."""
        for endpoint in self._endpoints:
            yield Route(replace(endpoint, access=Access.OPEN), _refuse)

    def close(self) -> None:
        """Send nothing more."""
        if self._waiting:
            self._waiting.clear()
            asyncio.get_running_loop().remove_writer(self._channel)
        self._channel.close()

    def _send(self) -> None:
        """Send those that wait, as many as there is room for."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            passed = self._waiting[0]
            if passed.waits:
                try:
                    socket.send_fds(self._channel, [passed.said], [passed.connection, passed.fd])
                except BlockingIOError:
                    loop.add_writer(self._channel, self._send)
                    return
                except OSError:
                    # Too many descriptors on their way: the pipe ends without a word.
                    pass
                passed.sent()
            self._waiting.popleft()
        loop.remove_writer(self._channel)


def _room(channel: socket.socket) -> int:
    """Make room for packets with a header; return how long one may be."""
    # Beyond `net.core.wmem_max` the kernel takes no wish; its usual value is enough.
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_HEADER)
    room = channel.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return min(_MOST_HEADER, room - MOST_READ - _OVERHEAD)


async def _refuse(_request: web.Request) -> web.StreamResponse:
    answer = told(overloaded("no worker takes requests now"))
    # Tried again on a connection of its own, it does not stand behind another request.
    answer.force_close()
    return answer


class Taker:
    """Takes connections in a worker, from `start` to `stop`.

    Args:
        channel: The workers' end of the pair.
        make_library: Makes what reads requests.
    """

    def __init__(
        self, channel: socket.socket, make_library: Callable[[], asyncio.Protocol]
    ) -> None:
        self._channel = channel
        self._channel.setblocking(False)
        self._make_library = make_library
        self._beginning: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        """Take connections."""
        asyncio.get_running_loop().add_reader(self._channel, self._take)

    def stop(self) -> None:
        """Take no more; those that were taken go on."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()

    def _take(self) -> None:
        # One at a time: others may be free while we judge it.
        try:
            said, descriptors, _, _ = socket.recv_fds(
                self._channel, _MOST_HEADER + MOST_READ, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return
        if len(descriptors) < _DESCRIPTORS:
            # More descriptors than this process may have.
            for descriptor in descriptors:
                os.close(descriptor)
            return
        connection = socket.socket(fileno=descriptors[0])
        try:
            os.write(descriptors[1], _TAKEN)
        except BrokenPipeError:
            # It waited for too long, and the caller was told so; or the caller is gone.
            os.close(descriptors[1])
            connection.close()
            return
        loop = asyncio.get_running_loop()
        taken = _Taken(self._make_library(), said, descriptors[1])
        beginning = loop.create_task(self._begin(taken, connection))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, taken: _Taken, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: taken, connection)
        except OSError:
            # The caller is gone already.
            connection.close()
            taken.done()


class _Taken(asyncio.Protocol):
    """One connection: what was read of it before comes first."""

    def __init__(self, library: asyncio.Protocol, said: bytes, pipe: int) -> None:
        self._library = library
        self._said = said
        self._pipe = pipe

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._library.connection_made(cast("asyncio.Transport", transport))
        self._library.data_received(self._said)
        self._said = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._library.connection_lost(exc)
        self.done()

    def data_received(self, data: bytes) -> None:
        self._library.data_received(data)

    def eof_received(self) -> bool | None:
        return self._library.eof_received()

    def pause_writing(self) -> None:
        self._library.pause_writing()

    def resume_writing(self) -> None:
        self._library.resume_writing()

    def done(self) -> None:
        """Tell the supervisor, if it still listens."""
        with suppress(BrokenPipeError):
            os.write(self._pipe, _DONE)
        os.close(self._pipe)
