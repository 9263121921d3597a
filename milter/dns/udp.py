"""One name server, asked over UDP (RFC 1035 §4.2.1) through several connected sockets.

A question goes out with a random id, a random mix of capitals, through a random one of the sockets,
each of which has a port that the kernel chose at random and keeps it for a thousand questions only.
Whoever cannot see the question has to guess all four (RFC 5452 §9.2); a packet that does not fit is
waited past, so that a wrong guess does no harm. Which server is asked next, and what an answer
means, is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from milter.dns.wire import CASE_LOST, FOREIGN, OURS, fit, mix_case, query_packet

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKETS: Final = 8
_OCTETS: Final = 4096
_SOCKET_BITS: Final = 3
# For the socket and the id; behind them a bit for each bit of the question.
_DICE_BYTES: Final = 3
_DICE_BITS: Final = 8 * _DICE_BYTES
_SOCKET_MASK: Final = SOCKETS - 1
_QUESTIONS_OF_A_SOCKET: Final = 1000
# What is longer was never asked for: we say that we take 1232 octets (RFC 6891 §6.2.3).
MAX_BYTES: Final = 4096
# Packets taken from a socket before the loop gets its turn; a flood must not keep it from others.
_MOST_AT_ONCE: Final = 64
# Unanswered questions, and nothing else heard, after which a server counts as down. One alone may
# be due to a slow zone, which its owner would else turn off our server with.
_MISSES: Final = 3
# First and longest wait until a server that is down is tried again.
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0


_CASE_LOST: Final = (
    "name server changes the case of names and is asked over TCP: set dns.mixed_case to false"
)
_log: Final = logging.getLogger("gatepost.dns")


class NoReply(Enum):
    """Why a question has no answer that could be read."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    CASE_LOST = "case lost"


Reply = bytes | NoReply


@dataclass(slots=True, eq=False)
class _Asked:
    """A question that waits for its answer; without a socket it could not even be sent."""

    ident: int
    question: bytes
    reply: asyncio.Future[Reply]
    sent: float
    place: _Socket | None = None


@dataclass(slots=True, eq=False)
class _Socket:
    """A connected socket, and by id what was asked through it, the oldest first."""

    sock: socket.socket
    asked: dict[int, _Asked] = field(default_factory=dict)
    left: int = _QUESTIONS_OF_A_SOCKET


class Chance:
    """Random octets of the operating system, fetched many at a time: a call for each costs more."""

    __slots__ = ("_octets", "_pos")

    def __init__(self) -> None:
        self._octets = b""
        self._pos = 0

    def __call__(self, count: int) -> bytes:
        """Return `count` octets that were never returned before."""
        octets = self._octets[self._pos : self._pos + count]
        self._pos += count
        if len(octets) < count:
            self._octets = os.urandom(_OCTETS + count)
            octets, self._pos = self._octets[:count], count
        return octets


class UdpServer:
    """One name server. It belongs to the event loop in which it is first asked.

    Attributes:
        address: Its IP address, with a scope where it needs one.
        port: Its port.
        down: Whether nothing was heard of it for some questions.
        unreachable: Whether the last question found nothing there that could answer.

    Args:
        address: See above.
        port: See above.
        timeout_s: Seconds for which an answer is waited for.
        mixed_case: Whether names go out in a random mix of capitals.
        on_change: Called with this server when `down` has changed.
    """

    def __init__(
        self,
        address: str,
        port: int,
        timeout_s: float,
        *,
        mixed_case: bool,
        on_change: Callable[[UdpServer], None],
    ) -> None:
        self.address = address
        self.port = port
        self.down = False
        self.unreachable = False
        self._timeout_s = timeout_s
        self._mixed_case = mixed_case
        self._on_change = on_change
        self._chance = Chance()
        self._case_lost = False
        self._sockets: list[_Socket | None] = [None] * SOCKETS
        self._retired: set[_Socket] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._misses = 0
        self._judged = 0.0
        self._wait_s = 0.0
        self._try_again = 0.0

    async def ask(self, question: bytes) -> Reply:
        """Ask, and wait for the answer; `question` is a question section in lower case."""
        asked = self._send(question)
        try:
            return await asked.reply
        except asyncio.CancelledError:
            self._forget(asked)
            raise

    def probe(self, question: bytes) -> None:
        """Ask a server that is down, when its time has come; nobody waits for the answer."""
        now = asyncio.get_running_loop().time()
        if self.down and now >= self._try_again:
            self._try_again = now + self._wait_s
            self._send(question)

    def close(self) -> None:
        """Close all sockets; who still waits is told that nobody answers."""
        for place in [*filter(None, self._sockets), *self._retired]:
            for asked in place.asked.values():
                if not asked.reply.done():
                    asked.reply.set_result(NoReply.TIMEOUT)
            self._shut(place)
        self._sockets = [None] * SOCKETS
        self._retired.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, question: bytes) -> _Asked:
        loop = asyncio.get_running_loop()
        bits = int.from_bytes(self._chance(_DICE_BYTES + len(question)))
        if self._mixed_case:
            question = mix_case(question, bits >> _DICE_BITS)
        ident = bits >> _SOCKET_BITS & 0xFFFF
        asked = _Asked(ident, question, loop.create_future(), loop.time())
        try:
            self._send_through(bits & _SOCKET_MASK, asked)
        except OSError:
            self._end(asked, NoReply.UNREACHABLE)
            return asked
        if self._timer is None:
            self._timer = loop.call_at(asked.sent + self._timeout_s, self._expire)
        return asked

    def _send_through(self, number: int, asked: _Asked) -> None:
        place = self._sockets[number] or self._open(number)
        while asked.ident in place.asked:
            asked.ident = int.from_bytes(self._chance(2))
        packet = query_packet(asked.ident, asked.question)
        try:
            place.sock.send(packet)
        except ConnectionRefusedError:
            # That was about an earlier packet: the kernel tells it at the next call.
            place.sock.send(packet)
        place.asked[asked.ident] = asked
        asked.place = place
        place.left -= 1
        if not place.left:
            self._retired.add(place)
            self._sockets[number] = None

    def _open(self, number: int) -> _Socket:
        """Open a socket on a port of the kernel's choice; nothing of this waits."""
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        family, kind, proto, _, sockaddr = socket.getaddrinfo(
            self.address, self.port, type=socket.SOCK_DGRAM, flags=numeric
        )[0]
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            # Only packets of this server reach us, and we hear that there is no server.
            sock.connect(sockaddr)
            place = _Socket(sock)
            asyncio.get_running_loop().add_reader(sock, self._receive, place)
        except BaseException:
            sock.close()
            raise
        self._sockets[number] = place
        return place

    def _receive(self, place: _Socket) -> None:
        waiting = place.asked
        for _ in range(_MOST_AT_ONCE):
            try:
                packet = place.sock.recv(MAX_BYTES + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # An ICMP error: nobody listens there, or there is no way.
                self._lose(place)
                break
            ident = int.from_bytes(packet[:2])
            asked = waiting.get(ident)
            if asked is not None and self._take(packet, asked):
                del waiting[ident]
            # Nothing more is waited for, so that to look again would be a call for nothing.
            if not waiting:
                break
        if not place.left:
            self._put_away(place)

    def _take(self, packet: bytes, asked: _Asked) -> bool:
        """Return whether `packet` ends the waiting of `asked`, which is told."""
        how = fit(packet, asked.question)
        if how is FOREIGN or len(packet) > MAX_BYTES:
            return False
        self._answered()
        if how is CASE_LOST:
            self._tell_case_lost()
        if not asked.reply.done():
            asked.reply.set_result(packet if how is OURS else NoReply.CASE_LOST)
        return True

    def _tell_case_lost(self) -> None:
        """Say once that this server costs a connection for each question, and what helps."""
        if not self._case_lost:
            self._case_lost = True
            _log.warning(_CASE_LOST, extra={"server": self.address})

    def _expire(self) -> None:
        """End what waits too long. One timer serves all: what was asked first ends first."""
        loop = asyncio.get_running_loop()
        due = loop.time() - self._timeout_s
        oldest: float | None = None
        for place in [*filter(None, self._sockets), *self._retired]:
            while place.asked:
                ident = next(iter(place.asked))
                asked = place.asked[ident]
                if asked.sent > due:
                    oldest = asked.sent if oldest is None else min(oldest, asked.sent)
                    break
                del place.asked[ident]
                self._end(asked, NoReply.TIMEOUT)
            self._put_away(place)
        self._timer = (
            None if oldest is None else loop.call_at(oldest + self._timeout_s, self._expire)
        )

    def _lose(self, place: _Socket) -> None:
        for asked in [*place.asked.values()]:
            self._end(asked, NoReply.UNREACHABLE)
        place.asked.clear()

    def _end(self, asked: _Asked, why: NoReply) -> None:
        self.unreachable = why is NoReply.UNREACHABLE
        self._missed(asked)
        if not asked.reply.done():
            asked.reply.set_result(why)

    def _forget(self, asked: _Asked) -> None:
        """Stop waiting for what nobody wants to know any more."""
        place = asked.place
        # The answer may be here already, and the id be another question's.
        if place is not None and place.asked.get(asked.ident) is asked:
            del place.asked[asked.ident]
            self._put_away(place)

    def _put_away(self, place: _Socket) -> None:
        """Close a socket that has had its questions, once all of them have ended."""
        if not place.left and not place.asked and place in self._retired:
            self._retired.remove(place)
            self._shut(place)

    def _shut(self, place: _Socket) -> None:
        asyncio.get_running_loop().remove_reader(place.sock)
        place.sock.close()

    def _answered(self) -> None:
        self._heard = asyncio.get_running_loop().time()
        self._misses = 0
        self.unreachable = False
        if self.down:
            self.down = False
            self._wait_s = 0.0
            self._on_change(self)

    def _missed(self, asked: _Asked) -> None:
        # Something was answered since: the server is there, and this name is slow. What was sent
        # before the server was judged last has had its say.
        if max(self._heard, self._judged) >= asked.sent:
            return
        self._misses += 1
        if self._misses < _MISSES:
            return
        self._judged = asyncio.get_running_loop().time()
        self._wait_s = min(max(2 * self._wait_s, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        self._try_again = self._judged + self._wait_s
        if not self.down:
            self.down = True
            self._on_change(self)
