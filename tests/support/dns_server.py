"""A name server on loopback whose answers the test writes, honest or not, over UDP and TCP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Respond = Callable[[dns.message.Message], "dns.message.Message | bytes | list[bytes] | None"]

SOA: Final = "example. 900 IN SOA ns.example. root.example. 1 7200 900 86400 120"
# What a lie says; no test may ever see it as an answer.
LIE: Final = "192.0.2.66"


class ConstantServer(asyncio.DatagramProtocol):
    """Answers every question over UDP in one way, with bytes alone: for a great many questions.

    Attributes:
        answer: An IPv4 address, or nodata, nxdomain, servfail, refused or silence. A test may
            change it.
        port: Its own port, on 127.0.0.1.
    """

    _RCODES: Final = {"nodata": 0, "servfail": 2, "nxdomain": 3, "refused": 5}

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.answer == "silence":
            return
        rcode = self._RCODES.get(self.answer)
        record = b""
        if rcode is None:
            # The owner is the name of the question, its address is held for five minutes.
            record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4" + IPv4Address(self.answer).packed
        head = data[:2] + bytes((0x81, 0x80 | (rcode or 0))) + b"\0\1\0"
        question = data[12 : data.index(b"\0", 12) + 5]
        self.transport.sendto(head + bytes((bool(record), 0, 0, 0, 0)) + question + record, addr)


@asynccontextmanager
async def running_constant(answer: str) -> AsyncIterator[ConstantServer]:
    """Run a server that answers everything so."""
    server = ConstantServer(answer)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, ("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


class DnsServer(asyncio.DatagramProtocol):
    """Answers over UDP what `respond` says, and remembers what it was asked.

    Attributes:
        respond: Makes the answer; bytes go out as they are, None is silence. A test may change it.
        queries: The questions, the first thousand.
        ports: From which of the client's ports they came.
        port: Its own port, on 127.0.0.1.
        delay_s: After how many seconds its answers go out.
    """

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.queries: list[dns.message.Message] = []
        self.ports: set[int] = set()
        self.count = 0
        self.delay_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.count += 1
        if self.count <= 1000:
            self.queries.append(query)
        self.ports.add(addr[1])
        packets = _packets(self.respond(query))
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self._send, packets, addr)
        else:
            self._send(packets, addr)

    def _send(self, packets: list[bytes], addr: tuple[str, int]) -> None:
        for packet in packets:
            self.transport.sendto(packet, addr)


def _packets(response: dns.message.Message | bytes | list[bytes] | None) -> list[bytes]:
    if response is None:
        return []
    if isinstance(response, list):
        return response
    return [response if isinstance(response, bytes) else response.to_wire(max_size=65535)]


@asynccontextmanager
async def running(respond: Respond, *, port: int = 0) -> AsyncIterator[tuple[DnsServer, int]]:
    """Run a server over UDP; give it and its port."""
    server = DnsServer(respond)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, ("127.0.0.1", port)
    )
    try:
        yield server, server.port
    finally:
        transport.close()


@contextmanager
def running_aside(respond: Respond) -> Iterator[DnsServer]:
    """Run a server over UDP in a thread, for tests of other processes."""
    loop = asyncio.new_event_loop()
    server = DnsServer(respond)
    transport, _ = loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(transport.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@asynccontextmanager
async def running_tcp(respond: Respond, *, port: int = 0) -> AsyncIterator[int]:
    """Run a server over TCP that answers one question a connection; give its port."""

    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(EOFError, OSError):
            size = int.from_bytes(await reader.readexactly(2))
            query = dns.message.from_wire(await reader.readexactly(size))
            for packet in _packets(respond(query)):
                writer.write(len(packet).to_bytes(2) + packet)
            # Until the client has had enough.
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if connections:
            await asyncio.wait(connections)


async def until(holds: Callable[[], bool]) -> None:
    """Give others their turn until `holds`, for ten seconds at most."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is a number inside what is tested
            await asyncio.sleep(0)


def answer_with(
    *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, soa: bool = False
) -> Callable[[dns.message.Message], dns.message.Message]:
    """Return what answers with these records, written as in a zone file with an owner each."""

    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.answer += [_rrset(record) for record in records]
        response.authority += [_rrset(SOA)] if soa else []
        return response

    return respond


def _rrset(record: str) -> dns.rrset.RRset:
    owner, ttl, _, rrtype, data = record.split(" ", 4)
    return dns.rrset.from_text(owner, int(ttl), "IN", rrtype, data)


def cut(query: dns.message.Message) -> dns.message.Message:
    """Answer that the answer is too long."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response


def lie(query: dns.message.Message) -> bytes:
    """Return an answer to the question that must not be believed."""
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", LIE))
    return response.to_wire()


def _header_and_question(query: dns.message.Message) -> bytes:
    return dns.message.make_response(query).to_wire()[:-11]


def _looping(query: dns.message.Message, owner: bytes) -> bytes:
    packet = bytearray(_header_and_question(query))
    packet[6:12] = b"\0\1\0\0\0\0"
    return bytes(packet) + owner + b"\0\1\0\1\0\0\0\x3c\0\4" + bytes((192, 0, 2, 66))


def _self_jump(query: dns.message.Message) -> bytes:
    here = (0xC000 | len(_header_and_question(query))).to_bytes(2)
    return _looping(query, here)


def _endless_alias(query: dns.message.Message) -> dns.message.Message:
    name = query.question[0].name
    return answer_with(f"{name} 60 IN CNAME {name}")(query)


# How name servers lie, by words: none of it is an answer.
LIES: Final[dict[str, Respond]] = {
    "wrong-id": lambda query: bytes([lie(query)[0] ^ 1]) + lie(query)[1:],
    "wrong-question": lambda query: lie(dns.message.make_query("b.example", "A", id=query.id)),
    "wrong-type": lambda query: lie(
        dns.message.make_query(query.question[0].name, "HINFO", id=query.id)
    ),
    "the-question-itself": lambda query: query.to_wire(),
    "garbage": lambda query: query.id.to_bytes(2) + bytes(range(255)),
    "empty": lambda _: b"",
    "a-header-alone": lambda query: query.id.to_bytes(2) + b"\x81\x80" + bytes(8),
    "oversized": lambda query: lie(query) + bytes(8000),
    "compression-loop": _self_jump,
    "forward-jump": lambda query: _looping(query, b"\xff\xff"),
    "endless-alias": _endless_alias,
    "many-packets": lambda query: [b"\0" * 20] * 50,
}
