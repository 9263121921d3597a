"""What a worker answers at the HTTP port: connections on their way to it, over real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import pytest
from aiohttp import web

from milter.settings import Http
from tests.support.http_port import LONG_S, Port, with_port
from tests.support.passing import Channel, counted, judging
from tests.support.resets import say_and_reset

_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
_SCAN: Final = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
_SHORT_S: Final = 0.2
_FLOW: Final = {"listener": "http", "direction": "inbound", "action": "pass"}
_PATIENT: Final = Http(header_timeout_s=LONG_S, idle_timeout_s=LONG_S)


@pytest.mark.parametrize("step", [1, 7, 100])
def test_request_that_comes_in_pieces_reaches_the_worker(step: int) -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller()
            said = _SCAN + b"Subject: x\r\n\r\n" + b"x" * 986
            for start in range(0, len(said), step):
                caller.say(said[start : start + step])
                await asyncio.sleep(0)
            status, fields, _ = await caller.answer()
            assert (status, fields["Connection"]) == (200, "close")
            assert await caller.rest() == b""
            assert counted(metrics, "message_bytes_total", **_FLOW) == 1000

    with_port(test, _PATIENT, channel=channel)


def test_thousand_recipients_of_the_greatest_length_reach_the_worker() -> None:
    channel = Channel()
    path = b"%b@%b.example" % (b"l" * 64, b".".join([b"d" * 60] * 4))
    head = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\n"
    fields = b"".join(b"Rcpt: <%b%d>\r\n" % (path, number) for number in range(1000))

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller(head + fields + b"Content-Length: 5\r\n\r\na: b\n")
            status, _, body = await caller.answer()
            assert status == 200, body
            assert counted(metrics, "scan_seconds_count") == 1

    with_port(test, _PATIENT, channel=channel)


def test_header_that_no_packet_holds_is_told_431() -> None:
    channel = Channel()
    head = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\n" + b"Rcpt: <a@example.org>\r\n" * 20_000

    async def test(port: Port) -> None:
        async with judging(channel):
            caller = await port.caller(head)
            status, _, body = await caller.answer()
            assert status == 431
            assert json.loads(body) == {"error": "the header of the request is too long"}

    with_port(test, _PATIENT, channel=channel)


def test_header_for_a_worker_that_drips_in_is_told_408() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            caller = await port.caller(_SCAN[:-2])
            assert (await caller.answer())[0] == 408
            assert port.refused == {"headers": 1}

    bounds = Http(idle_timeout_s=LONG_S, header_timeout_s=_SHORT_S)
    with_port(test, bounds, channel=channel)


def test_connection_that_a_worker_has_counts_until_it_ends() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            first = await port.caller(_SCAN + b"x" * 999)
            second = await port.caller()
            assert (await second.answer())[0] == 503
            first.say(b"x")
            assert (await first.answer())[0] == 200
            assert await first.rest() == b""

            third = await port.caller(_HEALTH)
            assert (await third.answer())[0] == 200

    with_port(test, Http(connections=1), channel=channel)


def test_caller_that_reset_its_connection_is_not_of_this_machine() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            say_and_reset(("127.0.0.1", port.number), _SCAN + b"x" * 1000)
            caller = await port.caller(_SCAN + b"x" * 1000)
            assert (await caller.answer())[0] == 200
            assert counted(metrics, "scan_seconds_count") == 1

    with_port(test, _PATIENT, channel=channel)


def test_worker_that_has_a_connection_may_keep_it_for_longer_than_one_may_wait() -> None:
    channel = Channel(timeout_s=_SHORT_S)

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3 * _SHORT_S)
        return web.json_response({})

    async def test(port: Port) -> None:
        app = web.Application()
        app.router.add_post("/v1/scan", answer)
        async with channel.worker(app):
            caller = await port.caller(_SCAN + b"x" * 1000)
            assert (await caller.answer())[0] == 200

    with_port(test, _PATIENT, channel=channel)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n", 200, id="answer"),
        # Which the library refuses before any code of ours.
        pytest.param(b"GET /ping HTTP/1.1\r\nHost: a\r\nExpect: b\r\n\r\n", 417, id="expectation"),
        pytest.param(b"GET /v1/scan HTTP/1.1\r\nHost: a\r\n\r\n", 405, id="no-such-method"),
    ],
)
def test_worker_keeps_no_connection_behind_any_answer(said: bytes, told: int) -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            caller = await port.caller(said)
            status, fields, _ = await caller.answer()
            assert (status, fields["Connection"]) == (told, "close")
            assert await caller.rest() == b""

    with_port(test, _PATIENT, channel=channel)


@pytest.mark.parametrize("path", ["/healthz", "/ping"])
def test_head_is_answered_as_get_is_but_without_a_body(path: str) -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            end = f" {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            status, fields, body = await (await port.caller(b"GET" + end)).answer()
            whole = await (await port.caller(b"HEAD" + end)).rest()
            assert (status, fields["Content-Length"]) == (200, str(len(body)))
            assert whole.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nContent-Length: %d\r\n" % len(body) in whole
            assert whole.endswith(b"\r\n\r\n")

    with_port(test, _PATIENT, channel=channel)


def test_connection_that_no_worker_takes_is_told_503_and_not_judged() -> None:
    channel = Channel(timeout_s=_SHORT_S)

    async def test(port: Port) -> None:
        channel.workers += 1
        waiting = await port.caller(_SCAN + b"x" * 1000)
        status, _, body = await waiting.answer()
        assert (status, json.loads(body)) == (503, {"error": "no worker answered"})
        async with judging(channel) as metrics:
            caller = await port.caller(_SCAN + b"x" * 1000)
            assert (await caller.answer())[0] == 200
            assert counted(metrics, "scan_seconds_count") == 1

    with_port(test, _PATIENT, channel=channel)


def test_port_that_closes_leaves_a_worker_what_it_has() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel) as metrics:
            caller = await port.caller(_SCAN + b"x" * 999)
            await channel.taken_one.wait()
            await port.server.close()
            caller.say(b"x")
            assert (await caller.answer())[0] == 200
            assert counted(metrics, "scan_seconds_count") == 1

    with_port(test, _PATIENT, channel=channel)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"POST /v1/scan?remember=no HTTP/1.1", id="query"),
        pytest.param(b"POST http://a/v1/scan HTTP/1.1", id="whole-address"),
        pytest.param(b"\r\n\r\nPOST /v1/scan HTTP/1.1", id="behind-empty-lines"),
    ],
)
def test_request_line_in_every_form_reaches_the_worker(line: bytes) -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            said = line + b"\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
            assert (await (await port.caller(said)).answer())[0] == 200

    with_port(test, _PATIENT, channel=channel)
