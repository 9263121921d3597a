import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from milter.core.errors import ParseError
from milter.dns.client import DnsClient, parse_nameserver
from milter.dns.resolver import Answer, Outcome, Rrtype
from milter.settings import Dns

Respond = Callable[[dns.message.Message], dns.message.Message | bytes | None]

SOA = "example. 900 IN SOA ns.example. root.example. 1 7200 900 86400 120"


class Server(asyncio.DatagramProtocol):
    """A name server whose answers the test writes."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.queries: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.queries.append(query)
        response = self.respond(query)
        if response is not None:
            wire = response if isinstance(response, bytes) else response.to_wire(max_size=65535)
            self.transport.sendto(wire, addr)


@asynccontextmanager
async def running(respond: Respond) -> AsyncIterator[tuple[Server, int]]:
    server = Server(respond)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, ("127.0.0.1", 0)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def answer_with(
    *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, soa: bool = False
) -> Respond:
    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        for record in records:
            owner, ttl, _, rrtype, data = record.split(" ", 4)
            response.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rrtype, data))
        if soa:
            owner, ttl, _, rrtype, data = SOA.split(" ", 4)
            response.authority.append(dns.rrset.from_text(owner, int(ttl), "IN", rrtype, data))
        return response

    return respond


def ask(respond: Respond, name: str = "a.example", rrtype: Rrtype = "A") -> Answer:
    async def run() -> Answer:
        async with running(respond) as (_, port):
            return await DnsClient([("127.0.0.1", port)], 0.2, 1).resolve(name, rrtype)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("rrtype", "data", "record"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
        ("TXT", '"v=spf1 " "-all\\255"', (b"v=spf1 ", b"-all\xff")),
        ("MX", "10 mx.example.", (10, "mx.example")),
        ("MX", "0 .", (0, "")),
        ("PTR", "mx.example.", "mx.example"),
        ("NS", "ns.example.", "ns.example"),
        ("CNAME", "b.example.", "b.example"),
    ],
)
def test_resolve_record_is_plain_data(rrtype: Rrtype, data: str, record: object) -> None:
    answer = ask(answer_with(f"a.example. 60 IN {rrtype} {data}"), rrtype=rrtype)
    assert answer == Answer(Outcome.ANSWER, (record,), 60)  # type: ignore[arg-type] # table of kinds


def test_resolve_alias_is_followed_with_the_least_ttl() -> None:
    answer = ask(answer_with("a.example. 30 IN CNAME b.example.", "b.example. 60 IN A 192.0.2.1"))
    assert answer == Answer(Outcome.ANSWER, ("192.0.2.1",), 30)


@pytest.mark.parametrize(
    ("rcode", "outcome", "ttl_s"),
    [
        (dns.rcode.NXDOMAIN, Outcome.NXDOMAIN, 120),
        (dns.rcode.NOERROR, Outcome.NODATA, 120),
    ],
)
def test_resolve_negative_answer_has_the_minimum_of_the_soa(
    rcode: dns.rcode.Rcode, outcome: Outcome, ttl_s: int
) -> None:
    assert ask(answer_with(rcode=rcode, soa=True)) == Answer(outcome, (), ttl_s)


@pytest.mark.parametrize(
    ("rcode", "outcome"),
    [
        (dns.rcode.SERVFAIL, Outcome.SERVFAIL),
        (dns.rcode.REFUSED, Outcome.REFUSED),
        (dns.rcode.NOTIMP, Outcome.SERVFAIL),
    ],
)
def test_resolve_failing_server_is_an_outcome(rcode: dns.rcode.Rcode, outcome: Outcome) -> None:
    assert ask(answer_with(rcode=rcode)) == Answer(outcome)


def test_resolve_silent_server_is_timeout() -> None:
    assert ask(lambda _: None) == Answer(Outcome.TIMEOUT)


def test_resolve_garbage_is_waited_past() -> None:
    assert ask(lambda _: b"\x00garbage").outcome is Outcome.TIMEOUT


def test_resolve_answer_to_another_question_is_waited_past() -> None:
    def respond(query: dns.message.Message) -> dns.message.Message:
        other = dns.message.make_query("b.example", "A", id=query.id)
        return answer_with("b.example. 60 IN A 192.0.2.66")(other)  # type: ignore[return-value] # no bytes here

    assert ask(respond).outcome is Outcome.TIMEOUT


def test_resolve_answer_beside_nxdomain_is_servfail() -> None:
    respond = answer_with("a.example. 60 IN A 192.0.2.1", rcode=dns.rcode.NXDOMAIN)
    assert ask(respond).outcome is Outcome.SERVFAIL


def test_resolve_more_records_than_anybody_needs_are_cut() -> None:
    lines = [f"a.example. 60 IN A 192.0.{i // 250}.{i % 250}" for i in range(600)]

    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        addresses = [line.rsplit(" ", 1)[1] for line in lines]
        response.answer.append(dns.rrset.from_text("a.example.", 60, "IN", "A", *addresses))
        return response

    assert len(ask(respond).records) == 500


@pytest.mark.parametrize("name", ["", "a..example", "x" * 64 + ".example", "a\x00.example"])
def test_resolve_what_is_no_name_is_nxdomain_unasked(name: str) -> None:
    def respond(query: dns.message.Message) -> None:
        raise AssertionError(query)

    assert ask(respond, name).outcome is Outcome.NXDOMAIN


def test_resolve_backslash_in_name_is_no_escape() -> None:
    seen: list[dns.name.Name] = []

    def respond(query: dns.message.Message) -> dns.message.Message | bytes | None:
        seen.append(query.question[0].name)
        return answer_with(rcode=dns.rcode.NXDOMAIN)(query)

    assert ask(respond, r"a\046b.example").outcome is Outcome.NXDOMAIN
    assert seen[0].labels == (rb"a\046b", b"example", b"")


def test_resolve_query_asks_for_packets_that_are_not_fragmented() -> None:
    async def run() -> dns.message.Message:
        async with running(answer_with("a.example. 60 IN A 192.0.2.1")) as (server, port):
            await DnsClient([("127.0.0.1", port)], 0.2, 1).resolve("a.example", "A")
            return server.queries[0]

    query = asyncio.run(run())
    assert query.edns == 0
    assert query.payload == 1232
    assert query.flags & dns.flags.RD


@pytest.mark.parametrize("first", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, None])
def test_resolve_next_server_is_asked_where_the_first_fails(first: dns.rcode.Rcode | None) -> None:
    async def run() -> Answer:
        fails = (lambda _: None) if first is None else answer_with(rcode=first)
        works = answer_with("a.example. 60 IN A 192.0.2.1")
        async with running(fails) as (_, one), running(works) as (_, two):
            client = DnsClient([("127.0.0.1", one), ("127.0.0.1", two)], 0.2, 1)
            return await client.resolve("a.example", "A")

    assert asyncio.run(run()).records == ("192.0.2.1",)


def test_resolve_attempts_go_round_the_servers() -> None:
    async def run() -> int:
        async with running(answer_with(rcode=dns.rcode.SERVFAIL)) as (server, port):
            await DnsClient([("127.0.0.1", port)], 0.2, 3).resolve("a.example", "A")
            return len(server.queries)

    assert asyncio.run(run()) == 3


def test_resolve_cut_answer_is_asked_for_over_tcp() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = dns.message.from_wire(
            await reader.readexactly(int.from_bytes(await reader.read(2)))
        )
        response = answer_with(f'a.example. 60 IN TXT "{"x" * 200}"')(query)
        assert isinstance(response, dns.message.Message)
        wire = response.to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def cut(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response

    async def run() -> Answer:
        tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = tcp.sockets[0].getsockname()[1]
        server = Server(cut)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: server, ("127.0.0.1", port)
        )
        try:
            return await DnsClient([("127.0.0.1", port)], 1, 1).resolve("a.example", "TXT")
        finally:
            transport.close()
            tcp.close()
            await tcp.wait_closed()

    assert asyncio.run(run()).records == ((b"x" * 200,),)


def test_resolve_cancelled_leaves_nothing_behind() -> None:
    async def run() -> int:
        async with running(lambda _: None) as (_, port):
            waiting: Awaitable[Answer] = DnsClient([("127.0.0.1", port)], 5, 1).resolve("a.b", "A")
            task = asyncio.ensure_future(waiting)
            for _ in range(5):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("2001:db8::1", ("2001:db8::1", 53)),
    ],
)
def test_parse_nameserver_address_is_read(text: str, server: tuple[str, int]) -> None:
    assert parse_nameserver(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.example:53", "127.0.0.1:0", "127.0.0.1:x", "[::1]:99999"]
)
def test_parse_nameserver_other_text_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_nameserver(text)


def test_from_settings_asks_the_configured_servers() -> None:
    async def run() -> Answer:
        async with running(answer_with("a.example. 60 IN A 192.0.2.1")) as (_, port):
            client = DnsClient.from_settings(
                Dns.model_validate({"nameservers": [f"127.0.0.1:{port}"]})
            )
            return await client.resolve("a.example", "A")

    assert asyncio.run(run()).records == ("192.0.2.1",)
