import asyncio
from contextlib import closing
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest

from milter.core.errors import ParseError
from milter.dns.client import DnsClient
from milter.dns.nameservers import parse_nameserver
from milter.dns.resolver import Answer, Outcome, Rrtype
from milter.dns.turns import ask_for
from milter.settings import Dns
from tests.support.dns_server import LIES, Respond, answer_with, cut, running, running_tcp, until
from tests.support.ports import free_port


async def resolve(
    ports: list[int],
    name: str = "a.example",
    rrtype: Rrtype = "A",
    *,
    timeout_s: float = 0.2,
    attempts: int = 1,
) -> Answer:
    servers = [("127.0.0.1", port) for port in ports]
    with closing(DnsClient(servers, timeout_s, attempts)) as client:
        return await client.resolve(name, rrtype)


def ask(respond: Respond, name: str = "a.example", rrtype: Rrtype = "A") -> Answer:
    async def run() -> Answer:
        async with running(respond) as (_, port):
            return await resolve([port], name, rrtype)

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


def test_resolve_answer_beside_nxdomain_is_servfail() -> None:
    respond = answer_with("a.example. 60 IN A 192.0.2.1", rcode=dns.rcode.NXDOMAIN)
    assert ask(respond).outcome is Outcome.SERVFAIL


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
    assert seen[0].canonicalize().labels == (rb"a\046b", b"example", b"")


def test_resolve_query_asks_for_packets_that_are_not_fragmented() -> None:
    async def run() -> dns.message.Message:
        async with running(answer_with("a.example. 60 IN A 192.0.2.1")) as (server, port):
            await resolve([port])
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
            return await resolve([one, two])

    assert asyncio.run(run()).records == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("respond", "asked"),
    [
        pytest.param(lambda _: None, 3, id="a-lost-packet-is-sent-again"),
        pytest.param(answer_with(rcode=dns.rcode.SERVFAIL), 1, id="who-fails-has-said-so"),
        pytest.param(answer_with(rcode=dns.rcode.REFUSED), 1, id="who-refuses-has-said-so"),
    ],
)
def test_resolve_server_is_asked_again_only_where_it_may_help(respond: Respond, asked: int) -> None:
    async def run() -> int:
        async with running(respond) as (server, port):
            await resolve([port], timeout_s=0.05, attempts=3)
            return len(server.queries)

    assert asyncio.run(run()) == asked


async def over_both(udp: Respond, tcp: Respond, *, times: int = 1) -> list[Answer]:
    """Ask a server that is one thing over UDP and another over TCP."""
    async with running_tcp(tcp) as port, running(udp, port=port):
        return [await resolve([port], rrtype="TXT", timeout_s=1) for _ in range(times)]


LONG = answer_with(f'a.example. 60 IN TXT "{"x" * 200}"')


def test_resolve_cut_answer_is_asked_for_over_tcp() -> None:
    (answer,) = asyncio.run(over_both(cut, LONG))
    assert answer.records == ((b"x" * 200,),)


def test_resolve_server_that_changes_case_is_asked_over_tcp(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def small(query: dns.message.Message) -> bytes:
        packet = LONG(query).to_wire()
        return packet[:12] + packet[12:].lower()

    def swapped(query: dns.message.Message) -> bytes:
        packet = LONG(query).to_wire()
        # In capitals it would agree with what was asked, by chance, one time in 128.
        return packet[:12] + packet[12:21].swapcase() + packet[21:]

    answers = asyncio.run(over_both(swapped, small))
    assert answers[0].records == ((b"x" * 200,),)
    assert [record.message.split(" and ")[0] for record in caplog.records] == [
        "name server changes the case of names"
    ]


@pytest.mark.parametrize(
    ("tcp", "outcome"),
    [
        pytest.param(lambda _: b"\0" * 20, Outcome.SERVFAIL, id="garbage"),
        pytest.param(lambda _: b"\0", Outcome.SERVFAIL, id="one-octet"),
        pytest.param(LIES["wrong-question"], Outcome.SERVFAIL, id="another-question"),
        pytest.param(LIES["compression-loop"], Outcome.SERVFAIL, id="compression-loop"),
        pytest.param(lambda _: None, Outcome.TIMEOUT, id="silence"),
    ],
)
def test_resolve_trouble_over_tcp_is_an_outcome(tcp: Respond, outcome: Outcome) -> None:
    (answer,) = asyncio.run(over_both(cut, tcp))
    assert answer == Answer(outcome)


def test_resolve_nobody_listens_for_tcp_is_timeout() -> None:
    assert ask(cut) == Answer(Outcome.TIMEOUT)


def test_resolve_cancelled_leaves_nothing_behind() -> None:
    async def run() -> int:
        async with running(lambda _: None) as (_, port):
            task = asyncio.ensure_future(resolve([port], timeout_s=5))
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
            settings = Dns(nameservers=(f"127.0.0.1:{port}",))
            with closing(DnsClient.from_settings(settings)) as client:
                return await client.resolve("a.example", "A")

    assert asyncio.run(run()).records == ("192.0.2.1",)


def test_resolve_dead_server_is_left_and_comes_back() -> None:
    async def run() -> tuple[int, list[str], bool]:
        works = answer_with("a.example. 60 IN A 192.0.2.1")
        async with running(lambda _: None) as (dead, one), running(works) as (_, two):
            servers = [("127.0.0.1", one), ("127.0.0.1", two)]
            with closing(DnsClient(servers, 0.05, 1)) as client:
                for _ in range(3):
                    await client.resolve("a.example", "A")
                asked = dead.count
                for _ in range(20):
                    await client.resolve("a.example", "A")
                left_alone = dead.count == asked
                dead.respond = works
                client._servers[0]._try_again = 0
                await client.resolve("a.example", "A")
                await until(lambda: not client._servers[0].down)
                return asked, [str(server.down) for server in client._order], left_alone

    assert asyncio.run(run()) == (3, ["False", "False"], True)


def test_resolve_more_than_may_be_in_flight_wait() -> None:
    async def run() -> tuple[int, int]:
        async with running(lambda _: None) as (server, port):
            with closing(DnsClient([("127.0.0.1", port)], 30, 1, in_flight=3)) as client:
                tasks = [
                    asyncio.ensure_future(client.resolve(f"n{i}.example", "A")) for i in range(9)
                ]
                await until(lambda: server.count >= 3)
                await asyncio.wait(tasks, timeout=0.05)
                first = server.count
                # Who gives up makes room for another.
                tasks[0].cancel()
                await until(lambda: server.count >= 4)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                return first, server.count

    assert asyncio.run(run()) == (3, 4)


def test_resolve_clients_take_turns_however_much_one_asks() -> None:
    async def run() -> list[str]:
        asked: list[str] = []

        def respond(question: dns.message.Message) -> None:
            asked.append(str(question.question[0].name).lower())

        async def ask_all(client: DnsClient, number: int, names: list[str]) -> None:
            ask_for(ip_address(f"192.0.2.{number}"))
            await asyncio.gather(*[client.resolve(name, "A") for name in names])

        async with running(respond) as (_, port):
            with closing(DnsClient([("127.0.0.1", port)], 0.05, 1, in_flight=2)) as client:
                await asyncio.gather(
                    ask_all(client, 1, [f"many{i}.example" for i in range(20)]),
                    ask_all(client, 2, ["one.example", "two.example"]),
                )
        return asked

    asked = asyncio.run(run())

    assert len(asked) == 22
    assert {asked.index("one.example."), asked.index("two.example.")} <= set(range(2, 7))


def test_resolve_server_that_is_just_being_started_is_waited_for() -> None:
    async def run() -> Answer:
        port = free_port()
        with closing(DnsClient([("127.0.0.1", port)], 0.3, 2)) as client:
            task = asyncio.ensure_future(client.resolve("a.example", "A"))
            await until(lambda: client._servers[0].unreachable)
            async with running(answer_with("a.example. 60 IN A 192.0.2.1"), port=port):
                return await task

    assert asyncio.run(run()).records == ("192.0.2.1",)
