"""What no handler sees: requests that the library's parser refuses."""

from __future__ import annotations

import json
import logging
from typing import Final

import pytest

from milter.http.caution import HEADERS
from milter.settings import Http
from tests.support.http_port import Port, own_address, with_port
from tests.support.passing import Channel, judging

_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
_SCAN: Final = b"POST /v1/scan HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na: b\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"GET /healthz HTTP/9.9\r\n\r\n", id="version"),
        pytest.param(b"G@T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", id="method"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n", id="control"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", id="long-field"),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", id="long-line"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="length"),
    ],
)
def test_malformed_request_is_told_so_in_json(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(port: Port) -> None:
        caller = await port.caller(said)
        status, fields, body = await caller.answer()
        assert status == 400
        assert json.loads(body) == {"error": "the request is malformed"}
        assert HEADERS.items() <= fields.items()
        assert await caller.rest() == b""

    with caplog.at_level(logging.INFO):
        with_port(test, Http())
    (record,) = [one for one in caplog.records if one.name == "gatepost.http"]
    assert record.levelno == logging.INFO
    assert record.exc_info is None
    assert not [one for one in caplog.records if one.name.startswith("aiohttp")]


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/v1/scan"])
def test_unknown_expectation_is_told_so_in_json(path: str) -> None:
    method = "POST" if path == "/v1/scan" else "GET"
    said = f"{method} {path} HTTP/1.1\r\nHost: a\r\nExpect: b\r\n\r\n"

    async def test(port: Port) -> None:
        caller = await port.caller(said.encode())
        status, fields, body = await caller.answer()
        assert status == 417
        assert json.loads(body) == {"error": "no expectation but 100-continue can be met"}
        assert HEADERS.items() <= fields.items()
        assert await caller.rest() == b""

    with_port(test, Http())


def test_expected_continuation_comes_before_the_answer() -> None:
    channel = Channel()
    said = _SCAN.replace(b"Host: a\r\n", b"Host: a\r\nExpect: 100-continue\r\n")
    head, body = said.split(b"\r\n\r\n")

    async def test(port: Port) -> None:
        async with judging(channel):
            caller = await port.caller(head + b"\r\n\r\n")
            assert await caller.line() == b"HTTP/1.1 100 Continue"
            assert await caller.line() == b""
            caller.say(body)
            assert (await caller.answer())[0] == 200

    with_port(test, Http(), channel=channel)


def test_caller_that_says_nothing_more_is_answered() -> None:
    channel = Channel()

    async def test(port: Port) -> None:
        async with judging(channel):
            for said in (_HEALTH, _SCAN):
                caller = await port.caller(said, ended=True)
                assert (await caller.answer())[0] == 200
                assert await caller.rest() == b""

    with_port(test, Http(), channel=channel)


def test_who_asks_too_often_is_told_so_for_malformed_requests_too() -> None:
    beyond = own_address()

    async def test(port: Port) -> None:
        for expected in (400, 429):
            caller = await port.caller(b"GET /healthz HTTP/9.9\r\n\r\n", beyond)
            status, fields, _ = await caller.answer()
            assert status == expected
        assert fields["Retry-After"] == "1"

    with_port(test, Http(), host=beyond, requests_per_s=0.1)
