from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from milter.dns.client import DnsClient
from milter.dns.resolver import Outcome
from milter.dns.udp import SOCKETS, Chance, NoReply, UdpServer
from milter.dns.wire import question_section
from tests.support.dns_server import LIE, LIES, Respond, answer_with, lie, running
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    import dns.message

    from milter.dns.resolver import Answer

QUESTION = question_section("a.example", "A")
GOOD = answer_with("a.example. 60 IN A 192.0.2.1")


def server_at(port: int, changes: list[bool] | None = None, timeout_s: float = 0.05) -> UdpServer:
    said = [] if changes is None else changes
    return UdpServer(
        "127.0.0.1",
        port,
        timeout_s,
        mixed_case=True,
        on_change=lambda server: said.append(server.down),
    )


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def resolve_from(respond: Respond, count: int = 1) -> list[Answer]:
    async with running(respond) as (_, port):
        with closing(DnsClient([("127.0.0.1", port)], 0.05, 1)) as client:
            asked = [client.resolve("a.example", "A") for _ in range(count)]
            return await asyncio.gather(*asked)


@pytest.mark.parametrize("how", LIES)
def test_resolve_lie_is_no_answer(how: str) -> None:
    (answer,) = asyncio.run(resolve_from(LIES[how]))
    assert answer.outcome in (Outcome.TIMEOUT, Outcome.SERVFAIL)
    assert answer.records == ()


@pytest.mark.parametrize("how", ["wrong-id", "wrong-question", "garbage", "oversized", "empty"])
def test_resolve_truth_behind_a_lie_is_heard(how: str) -> None:
    def respond(query: dns.message.Message) -> list[bytes]:
        packet = LIES[how](query)
        assert isinstance(packet, bytes)
        return [packet, GOOD(query).to_wire()]

    (answer,) = asyncio.run(resolve_from(respond))
    assert answer.records == ("192.0.2.1",)


def test_resolve_guess_without_the_capitals_is_not_believed() -> None:
    def respond(query: dns.message.Message) -> bytes:
        # An attacker knows the name, and has guessed id and port.
        packet = lie(query)
        return packet[:12] + packet[12:].lower()

    answers = asyncio.run(resolve_from(respond, 20))
    # By chance alone all letters may have been small: once in 256 questions of eight letters.
    assert sum(answer.records == (LIE,) for answer in answers) <= 2
    assert {answer.outcome for answer in answers} <= {Outcome.TIMEOUT, Outcome.ANSWER}


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_ask_questions_differ_in_id_capitals_and_port(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def ask_often() -> tuple[int, int, int]:
        async with running(GOOD) as (server, port):
            with closing(server_at(port, timeout_s=30)) as asked:
                await asyncio.gather(*(asked.ask(QUESTION) for _ in range(200)))
            ids = {query.id for query in server.queries}
            names = {query.question[0].name.to_text() for query in server.queries}
            return len(ids), len(names), len(server.ports)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        ids, names, ports = runner.run(ask_often())
    assert ids > 190
    assert names > 80
    assert ports == SOCKETS


def test_ask_socket_is_left_after_a_thousand_questions() -> None:
    async def ask_often() -> tuple[int, int]:
        async with running(GOOD) as (server, port):
            with closing(server_at(port, timeout_s=30)) as asked:
                before = descriptors()
                for _ in range(200):
                    await asyncio.gather(*(asked.ask(QUESTION) for _ in range(50)))
                return len(server.ports), descriptors() - before

    ports, left_open = asyncio.run(ask_often())
    assert ports > SOCKETS
    assert left_open <= SOCKETS


def test_ask_without_mixed_case_sends_the_name_as_it_is() -> None:
    async def ask() -> str:
        async with running(GOOD) as (server, port):
            client = DnsClient([("127.0.0.1", port)], 0.5, 1, mixed_case=False)
            with closing(client):
                await client.resolve("abcdefgh.example", "A")
            return server.queries[0].question[0].name.to_text()

    assert asyncio.run(ask()) == "abcdefgh.example."


def test_ask_nobody_listens_is_unreachable_at_once() -> None:
    async def ask() -> object:
        with closing(server_at(free_port(), timeout_s=30)) as asked:
            async with asyncio.timeout(10):
                return await asked.ask(QUESTION)

    assert asyncio.run(ask()) is NoReply.UNREACHABLE


def test_ask_address_without_a_way_is_unreachable() -> None:
    async def ask() -> object:
        server = UdpServer("192.0.2.300", 53, 1, mixed_case=True, on_change=lambda _: None)
        with closing(server):
            return await server.ask(QUESTION)

    assert asyncio.run(ask()) is NoReply.UNREACHABLE


def test_ask_server_that_never_answers_is_down_after_three_questions() -> None:
    async def ask() -> list[bool]:
        changes: list[bool] = []
        async with running(lambda _: None) as (_, port):
            with closing(server_at(port, changes)) as asked:
                for _ in range(2):
                    await asked.ask(QUESTION)
                assert not asked.down
                await asked.ask(QUESTION)
        return changes

    assert asyncio.run(ask()) == [True]


def test_ask_slow_names_do_not_turn_a_server_off() -> None:
    def respond(query: dns.message.Message) -> dns.message.Message | None:
        slow = query.question[0].name.labels[0].lower() == b"slow"
        return None if slow else GOOD(query)

    async def ask() -> bool:
        async with running(respond) as (_, port):
            with closing(server_at(port)) as asked:
                slow = question_section("slow.example", "A")
                for _ in range(4):
                    waiting = asyncio.gather(*(asked.ask(slow) for _ in range(4)))
                    await asyncio.sleep(0.01)
                    await asked.ask(QUESTION)
                    await waiting
                return asked.down

    assert asyncio.run(ask()) is False


def test_ask_server_that_answers_again_is_up() -> None:
    async def ask() -> list[bool]:
        changes: list[bool] = []
        async with running(lambda _: None) as (server, port):
            with closing(server_at(port, changes)) as asked:
                for _ in range(3):
                    await asked.ask(QUESTION)
                server.respond = GOOD
                await asked.ask(QUESTION)
        return changes

    assert asyncio.run(ask()) == [True, False]


def test_ask_cancelled_question_leaves_no_trace() -> None:
    async def ask() -> int:
        async with running(lambda _: None) as (_, port):
            with closing(server_at(port, timeout_s=30)) as asked:
                task = asyncio.ensure_future(asked.ask(QUESTION))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                return sum(len(place.asked) for place in asked._sockets if place)

    assert asyncio.run(ask()) == 0


def test_close_ends_what_is_asked() -> None:
    async def ask() -> object:
        async with running(lambda _: None) as (_, port):
            asked = server_at(port, timeout_s=30)
            task = asyncio.ensure_future(asked.ask(QUESTION))
            await asyncio.sleep(0)
            asked.close()
            return await task

    assert asyncio.run(ask()) is NoReply.TIMEOUT


def test_ask_over_ipv6_works() -> None:
    async def ask() -> object:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind(("::1", 0))
            except OSError:
                pytest.skip("needs IPv6 on loopback")
            sock.setblocking(False)
            server = UdpServer(
                "::1", sock.getsockname()[1], 2, mixed_case=True, on_change=lambda _: None
            )
            with closing(server):
                task = asyncio.ensure_future(server.ask(QUESTION))
                query, peer = await loop.sock_recvfrom(sock, 512)
                await loop.sock_sendto(sock, query[:2] + b"\x81\x80" + query[4:], peer)
                return await task

    assert isinstance(asyncio.run(ask()), bytes)


def test_chance_never_gives_the_same_octets_twice() -> None:
    chance = Chance()
    pieces = [chance(40) for _ in range(1000)]
    assert {len(piece) for piece in pieces} == {40}
    assert len(set(pieces)) == 1000
