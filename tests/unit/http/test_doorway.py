"""Strangers, idlers and tricklers at the HTTP port, over real sockets."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_address
from typing import Final

import pytest

from milter.http.doorway import Doorway
from milter.settings import Http
from tests.support.http_port import LONG_S, Port, own_address, with_port
from tests.support.passing import Channel, counted, judging

_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
_LAST: Final = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
_SCAN: Final = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
_CHUNKED: Final = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_SHORT_S: Final = 0.2
_PATIENT: Final = Http(header_timeout_s=LONG_S, idle_timeout_s=LONG_S)


def test_connection_beyond_the_bound_is_told_503_and_closed() -> None:
    async def test(port: Port) -> None:
        first = await port.caller(_HEALTH)
        assert (await first.answer())[0] == 200

        second = await port.caller()
        status, fields, body = await second.answer()

        assert (status, fields["Retry-After"], fields["Connection"]) == (503, "5", "close")
        assert fields["Content-Security-Policy"].startswith("default-src 'none'")
        assert json.loads(body) == {"error": "too many connections"}
        assert await second.rest() == b""
        assert port.refused == {"full": 1}

    with_port(test, Http(connections=1))


def test_refused_caller_that_has_sent_much_still_reads_why() -> None:
    async def test(port: Port) -> None:
        first = await port.caller(_HEALTH)
        assert (await first.answer())[0] == 200
        for _ in range(20):
            refused = await port.caller(_SCAN + b"x" * 1000)
            assert (await refused.answer())[0] == 503
            assert await refused.rest() == b""
            await refused.go()

    with_port(test, Http(connections=1))


def test_refused_callers_who_do_not_go_are_cut_off() -> None:
    async def test(port: Port) -> None:
        first = await port.caller(_HEALTH)
        assert (await first.answer())[0] == 200
        # More than may leave politely at once; none of them closes its side.
        refused = [await port.caller() for _ in range(120)]
        assert [(await one.answer())[0] for one in refused] == [503] * 120
        assert port.refused == {"full": 120}
        for one in refused:
            await one.cut_off()

    with_port(test, Http(connections=1))


def test_place_of_a_connection_that_ended_is_free_again() -> None:
    async def test(port: Port) -> None:
        for _ in range(5):
            caller = await port.caller(_LAST)
            assert (await caller.answer())[0] == 200
            assert await caller.rest() == b""
        assert not port.refused

    with_port(test, Http(connections=1))


def test_strangers_who_hold_the_port_leave_this_machine_its_health() -> None:
    beyond = own_address()

    async def test(port: Port) -> None:
        strangers = [await port.caller(_HEALTH, beyond) for _ in range(2)]
        assert [(await stranger.answer())[0] for stranger in strangers] == [200, 200]
        one_more = await port.caller(b"", beyond)
        assert (await one_more.answer())[0] == 503

        here = await port.caller(_HEALTH)

        assert (await here.answer())[0] == 200
        assert port.refused == {"full": 1}

    with_port(test, Http(connections=2), host="")


def test_one_address_beyond_this_machine_gets_its_share_alone() -> None:
    beyond = own_address()

    async def test(port: Port) -> None:
        first = await port.caller(_HEALTH, beyond)
        assert (await first.answer())[0] == 200
        second = await port.caller(b"", beyond)
        assert (await second.answer())[0] == 503
        assert port.refused == {"client": 1}

    with_port(test, Http(connections_per_client=1), host="")


def test_admit_counts_a_network_of_64_bits_as_one_client() -> None:
    doorway = Doorway(Http(connections=10, connections_per_client=1), lambda _reason: None)
    said = [
        doorway.admit(ip_address(address))
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8:1::1", "192.0.2.1", "192.0.2.2")
    ]
    assert said == ["", "client", "", "", ""]


def test_header_that_drips_in_is_told_408() -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(b"GET /healthz HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                caller.say(b"X: y\r\n")
                await asyncio.sleep(_SHORT_S / 10)

        dripping = asyncio.create_task(drip())
        status, fields, _ = await caller.answer()
        dripping.cancel()

        assert (status, fields["Connection"]) == (408, "close")
        assert "Date" in fields
        assert port.refused == {"headers": 1}

    with_port(test, Http(idle_timeout_s=LONG_S, header_timeout_s=_SHORT_S))


def test_second_header_that_stalls_is_told_408() -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(_HEALTH)
        assert (await caller.answer())[0] == 200
        caller.say(b"GET /hea")
        assert (await caller.answer())[0] == 408
        assert await caller.rest() == b""
        assert port.refused == {"headers": 1}

    with_port(test, Http(idle_timeout_s=LONG_S, header_timeout_s=_SHORT_S))


@pytest.mark.parametrize(
    "said",
    [pytest.param(b"", id="nothing-was-asked"), pytest.param(_HEALTH, id="one-was-answered")],
)
def test_idle_connection_is_closed_without_a_word(said: bytes) -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(said)
        if said:
            assert (await caller.answer())[0] == 200
        assert await caller.rest() == b""
        assert not port.refused

    with_port(test, Http(idle_timeout_s=_SHORT_S, header_timeout_s=LONG_S))


def test_requests_in_one_piece_are_answered_in_turn() -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(_HEALTH * 3)
        assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 200]

    with_port(test, _PATIENT)


def test_idle_bound_does_not_cut_an_answer_that_is_being_read() -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        # Longer than the bound: the answer stands in the port's own memory all the while.
        await asyncio.sleep(5 * _SHORT_S)
        status, _, body = await caller.answer()
        assert (status, len(body)) == (200, 30_000_000)

    with_port(test, Http(idle_timeout_s=_SHORT_S), scraped=b"x" * 30_000_000)


def test_body_that_stalls_is_told_408_and_no_part_is_judged() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller(_SCAN + b"x" * 10)
            status, fields, body = await caller.answer()
            assert (status, fields["Connection"], fields["Retry-After"]) == (408, "close", "5")
            assert json.loads(body) == {"error": "the message came too slowly"}
            assert counted(metrics, "http_refused_total", reason="body") == 1
            assert counted(metrics, "scan_seconds_count") == 0

    with_port(test, _PATIENT, channel=channel)


def test_body_below_the_least_rate_is_told_408() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller(_SCAN)

            async def drip() -> None:
                while True:
                    caller.say(b"x")
                    await asyncio.sleep(_SHORT_S / 10)

            dripping = asyncio.create_task(drip())
            assert (await caller.answer())[0] == 408
            dripping.cancel()
            assert counted(metrics, "http_refused_total", reason="body") == 1

    with_port(test, _PATIENT, channel=channel)


def test_body_in_malformed_chunks_is_told_400() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller(_CHUNKED + b"5\r\nhello\r\nno length\r\n")
            assert (await caller.answer())[0] == 400
            assert counted(metrics, "scan_seconds_count") == 0

    with_port(test, _PATIENT, channel=channel)


def test_port_that_closes_ends_the_connections_it_keeps() -> None:
    async def test(port: Port) -> None:
        idle, slow = await port.caller(_HEALTH), await port.caller(_HEALTH + b"GET /")
        assert [(await caller.answer())[0] for caller in (idle, slow)] == [200, 200]
        await port.server.close()
        assert [await caller.rest() for caller in (idle, slow)] == [b"", b""]

    with_port(test, _PATIENT)


def test_body_that_nobody_wants_is_no_slow_header() -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(_SCAN.replace(b"v1/scan", b"healthz") + b"x" * 10)
        assert (await caller.answer())[0] == 405
        # Some of it still comes; what is idle behind it is closed, and nobody is told of a header.
        caller.say(b"x" * 10)
        assert await caller.rest() == b""
        assert not port.refused

    with_port(test, Http(idle_timeout_s=4 * _SHORT_S, header_timeout_s=_SHORT_S))


def test_message_that_is_too_large_is_told_so_before_its_end() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            caller = await port.caller(_SCAN.replace(b"1000", b"20000") + b"x" * 10)
            assert (await caller.answer())[0] == 413

    with_port(test, _PATIENT, channel=channel)
