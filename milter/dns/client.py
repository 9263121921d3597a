"""Asks name servers as a stub resolver: which server, how often, and what each way of ending means.

Questions go over UDP (`udp`), and over TCP what was cut (`tcp`). A server that does not answer is
left for the others, and tried beside them until it answers again. No cache (see `cache`), no
DNSSEC: the servers are the site's own resolvers, which validate.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from milter.core.errors import ParseError
from milter.dns.names import canonical_name
from milter.dns.nameservers import nameservers
from milter.dns.resolver import Answer, Outcome
from milter.dns.tcp import ask_over_tcp
from milter.dns.turns import Turns
from milter.dns.udp import NoReply, Reply, UdpServer
from milter.dns.wire import is_cut, question_section, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.dns.resolver import Rrtype
    from milter.settings import Dns

IN_FLIGHT: Final = 512
_PAUSE_S: Final = 0.5
# Each is a connection, and a long answer in memory.
_OVER_TCP: Final = 32

_NOBODY: Final = Answer(Outcome.TIMEOUT)
_log: Final = logging.getLogger("gatepost.dns")


class DnsClient:
    """A stub resolver over given name servers; implements `Resolver`.

    Args:
        servers: Address and port of each, the preferred one first.
        timeout_s: Seconds for one try at one server; again as many where TCP is needed.
        attempts: How often a server that does not answer is asked, 3 at most (RFC 9520 §3.1).
        in_flight: Questions at once; whoever comes beyond them waits, and clients take turns.
        mixed_case: Whether names go out in a random mix of capitals, which answers must repeat.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]],
        timeout_s: float,
        attempts: int,
        *,
        in_flight: int = IN_FLIGHT,
        mixed_case: bool = True,
    ) -> None:
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._servers = tuple(
            UdpServer(*server, timeout_s, mixed_case=mixed_case, on_change=self._choose)
            for server in servers
        )
        self._order = self._servers
        self._turns = Turns(in_flight)
        self._over_tcp = asyncio.Semaphore(_OVER_TCP)

    @classmethod
    def from_settings(cls, settings: Dns) -> DnsClient:
        """Return a client for the configured servers, or for those of the system.

        Raises:
            ParseError: A name server of `settings` is no address.
        """
        return cls(
            nameservers(settings.nameservers),
            settings.timeout_s,
            settings.attempts,
            in_flight=settings.in_flight,
            mixed_case=settings.mixed_case,
        )

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer of the first server that has one; see `Resolver`."""
        canonical = canonical_name(name)
        if canonical is None:
            return Answer(Outcome.NXDOMAIN)
        question = question_section(canonical, rrtype)
        if self._turns.free:
            self._turns.free -= 1
        else:
            await self._turns.wait()
        try:
            return await self._ask(question, rrtype)
        finally:
            self._turns.leave()

    def close(self) -> None:
        """Close all sockets; what is still asked ends as a timeout."""
        for server in self._servers:
            server.close()

    def _choose(self, changed: UdpServer) -> None:
        """Prefer the first servers, and leave out those that are down while others are not."""
        up = tuple(server for server in self._servers if not server.down)
        self._order = up or self._servers
        if changed.down:
            _log.warning("name server does not answer", extra={"server": changed.address})
        else:
            _log.info("name server answers again", extra={"server": changed.address})

    async def _ask(self, question: bytes, rrtype: Rrtype) -> Answer:
        """Ask the first server; most often that is all."""
        order = self._order
        if len(order) < len(self._servers):
            self._probe(question)
        attempts = 1 if order[0].down else self._attempts
        answer = self._read(await order[0].ask(question), question, rrtype)
        if answer is None or answer.outcome.temporary:
            return await self._go_on(order, answer, question, rrtype, attempts)
        return answer

    async def _go_on(
        self,
        order: Sequence[UdpServer],
        answer: Answer | None,
        question: bytes,
        rrtype: Rrtype,
        attempts: int,
    ) -> Answer:
        """Ask one server after the other, those that may not have heard it once more.

        `answer` is what the first of `order` has said already.
        """
        last = _NOBODY
        # It does not help to ask again who said that it fails, nor who has not answered for long.
        failed: set[UdpServer] = set()
        for attempt in range(attempts):
            for server in self._order if attempt else order:
                if server in failed:
                    continue
                if attempt or server is not order[0]:
                    answer = self._read(await server.ask(question), question, rrtype)
                if answer is None:
                    answer = await self._ask_over_tcp(server, question, rrtype)
                if not answer.outcome.temporary:
                    return answer
                if answer.outcome is not Outcome.TIMEOUT:
                    failed.add(server)
                    last = answer
            if failed.issuperset(self._order):
                break
            if attempt + 1 < attempts:
                await self._pause()
        return last

    def _probe(self, question: bytes) -> None:
        """Ask the servers that are down as well, whose answers are not waited for."""
        for server in self._servers:
            server.probe(question)

    async def _pause(self) -> None:
        """Wait where nothing listens: a server that is just being started is there in a moment."""
        if all(server.unreachable for server in self._order):
            await asyncio.sleep(min(_PAUSE_S, self._timeout_s))

    def _read(self, reply: Reply, question: bytes, rrtype: Rrtype) -> Answer | None:
        """Return what a reply says; None where TCP is needed."""
        if isinstance(reply, NoReply):
            return None if reply is NoReply.CASE_LOST else _NOBODY
        if is_cut(reply):
            return None
        try:
            return read_answer(reply, question, rrtype)
        except ParseError:
            return Answer(Outcome.SERVFAIL)

    async def _ask_over_tcp(self, server: UdpServer, question: bytes, rrtype: Rrtype) -> Answer:
        place = server.address, server.port
        try:
            reply = await ask_over_tcp(place, question, self._timeout_s, self._over_tcp)
            if isinstance(reply, NoReply):
                return _NOBODY
            return read_answer(reply, question, rrtype)
        except ParseError:
            return Answer(Outcome.SERVFAIL)
