"""The HTTP port over a real loopback socket, with a worker's side of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from milter.http.callers import caller_of
from milter.http.health import Status
from milter.http.lists import ListStatus
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
from tests.support.passing import Channel, no_worker
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

_SERVING = Status(
    version="1.2.3",
    state="serving",
    workers_ready=2,
    workers=2,
    next_hop="up",
    sessions=5,
    bytes_in_flight=1000,
    uptime_s=60,
)


@contextlib.asynccontextmanager
async def _port(
    status: Status = _SERVING,
    channel: Channel | None = None,
    lists: Sequence[ListStatus] = (),
    *,
    scraped: bytes = b"gatepost_sessions 5\n",
    unread_s: float = 60.0,
) -> AsyncIterator[str]:
    """Give the address of a running port."""
    passer = no_worker() if channel is None else channel.passer
    server = HttpServer(
        Views(
            lambda: status,
            lambda: scraped,
            passer,
            lambda: lists,
            Rate(50, lambda: 0.0),
        ),
        unread_s=unread_s,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start(listening)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await server.close()
        if channel is not None:
            channel.taken.close()


@contextlib.asynccontextmanager
async def _worker(channel: Channel) -> AsyncIterator[list[tuple[dict[str, list[str]], bytes]]]:
    """Give what a worker at the other end of the channel is asked."""
    asked: list[tuple[dict[str, list[str]], bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        headers = {name: request.headers.getall(name) for name in request.headers}
        asked.append((headers, await request.read()))
        answer = web.json_response({"caller": caller_of(request), "path": request.path})
        answer.force_close()
        return answer

    app = web.Application()
    app.router.add_post("/v1/scan", handle)
    app.router.add_get("/v1/history/{id}", handle)
    async with channel.worker(app):
        yield asked


def _ask(test: Callable[[aiohttp.ClientSession, str], Awaitable[None]], **port: Any) -> None:
    async def run() -> None:
        async with _port(**port) as address, aiohttp.ClientSession() as session:
            await test(session, address)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nothing"])
def test_every_answer_bears_the_headers_of_caution(path: str) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + path) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Server"] == "Gatepost"

    _ask(test)


def test_metrics_are_what_was_scraped() -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + "/metrics") as answer:
            assert await answer.read() == b"gatepost_sessions 5\n"
            assert answer.headers["Content-Type"].startswith("text/plain; version=")

    _ask(test)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(_SERVING, 200, id="serving"),
        pytest.param(replace(_SERVING, next_hop="unknown"), 200, id="next-hop-not-tried"),
        pytest.param(replace(_SERVING, state="reloading"), 200, id="reloading"),
        pytest.param(replace(_SERVING, workers_ready=1), 200, id="one-worker"),
        pytest.param(replace(_SERVING, next_hop="down"), 503, id="next-hop-down"),
        pytest.param(replace(_SERVING, workers_ready=0), 503, id="no-worker"),
        pytest.param(replace(_SERVING, state="draining"), 503, id="draining"),
        pytest.param(replace(_SERVING, state="starting"), 503, id="starting"),
    ],
)
def test_readyz_says_whether_mail_should_be_sent(status: Status, code: int) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + "/readyz") as answer:
            assert answer.status == code
            details = await answer.json()
            assert details["ready"] is (code == 200)
            assert details["next_hop"] == status.next_hop
        async with session.get(address + "/healthz") as answer:
            assert answer.status == 200

    _ask(test, status=status)


def test_scan_reaches_a_worker_with_its_envelope() -> None:
    channel = Channel()

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        headers = [("Rcpt", "a@example.org"), ("Rcpt", "b@example.org"), ("IP", "192.0.2.1")]
        async with (
            _worker(channel) as asked,
            session.post(f"{address}/v1/scan", data=b"message", headers=headers) as answer,
        ):
            assert (answer.status, (await answer.json())["path"]) == (200, "/v1/scan")
            told, body = asked[0]
            assert body == b"message"
            assert told["Rcpt"] == ["a@example.org", "b@example.org"]
            assert told["IP"] == ["192.0.2.1"]

    _ask(test, channel=channel)


def test_worker_sees_who_calls_whatever_is_said() -> None:
    channel = Channel()

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        forged = {"X-Gatepost-Caller": "socket"}
        async with (
            _worker(channel),
            session.post(f"{address}/v1/scan", data=b"m", headers=forged) as answer,
        ):
            assert (await answer.json())["caller"] == "machine"

    _ask(test, channel=channel)


def test_requests_for_both_processes_take_turns() -> None:
    channel = Channel()

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with _worker(channel):
            for _ in range(3):
                async with session.get(f"{address}/healthz") as answer:
                    assert answer.status == 200
                async with session.get(f"{address}/v1/history/7Q2M?full=yes") as answer:
                    assert (await answer.json())["path"] == "/v1/history/7Q2M"

    _ask(test, channel=channel)


def test_request_behind_another_one_in_one_piece_is_told_to_come_alone() -> None:
    channel = Channel()

    async def test(_session: aiohttp.ClientSession, address: str) -> None:
        first = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        async with _worker(channel) as asked:
            reader, writer = await asyncio.open_connection("127.0.0.1", URL(address).port)
            writer.write(first + b"GET /v1/history/7Q2M HTTP/1.1\r\nHost: a\r\n\r\n")
            heard = await reader.read()
            writer.close()
            assert heard.startswith(b"HTTP/1.1 200 ")
            assert b"HTTP/1.1 503 " in heard
            assert asked == []

    _ask(test, channel=channel)


def test_worker_that_dies_is_told_as_503() -> None:
    channel = Channel()
    channel.workers = 1

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        asking = asyncio.create_task(session.post(f"{address}/v1/scan", data=b"message"))
        _, descriptors, *_ = await asyncio.to_thread(socket.recv_fds, channel.taken, 10_000, 2)
        # What the kernel does for a process that ends.
        for descriptor in descriptors:
            os.close(descriptor)
        async with await asking as answer:
            assert answer.status == 503
            assert await answer.json() == {"error": "no worker answered"}

    _ask(test, channel=channel)


def test_worker_that_does_not_answer_in_time_is_told_as_503() -> None:
    channel = Channel(timeout_s=0.1)
    channel.workers = 1

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.post(f"{address}/v1/scan", data=b"message") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"

    _ask(test, channel=channel)


def test_more_than_the_channel_holds_waits_its_turn() -> None:
    channel = Channel()
    channel.workers = 1

    async def test(session: aiohttp.ClientSession, address: str) -> None:
        headers = {"X-Long": "x" * 7000}
        url = f"{address}/v1/scan"
        asking = [
            asyncio.create_task(session.post(url, data=b"m", headers=headers)) for _ in range(60)
        ]
        await asyncio.sleep(0)
        async with _worker(channel) as asked:
            for task in asking:
                async with await task as answer:
                    assert answer.status == 200
            assert len(asked) == 60

    _ask(test, channel=channel)


def test_scan_without_a_worker_is_503() -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.post(f"{address}/v1/scan", data=b"message") as answer:
            assert answer.status == 503
            assert "no worker" in json.loads(await answer.read())["error"]

    _ask(test)


def test_lists_are_shown_as_all_workers_see_them() -> None:
    status = ListStatus("bl.example", "block", "aside", "it refuses us", 10.0, 30.0, 5, 100, 2, 1)

    async def ask() -> Any:
        async with (
            _port(lists=[status]) as address,
            aiohttp.ClientSession() as session,
            session.get(f"{address}/v1/lists") as answer,
        ):
            return await answer.json()

    (shown,) = asyncio.run(ask())["lists"]
    assert shown["zone"] == "bl.example"
    assert (shown["state"], shown["reason"]) == ("aside", "it refuses us")
    assert (shown["workers"], shown["workers_up"]) == (2, 1)


def _is_established(port: int) -> bool:
    """Return whether our side of a connection stands; the other side is told nothing."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_caller_that_does_not_read_its_answer_is_dropped() -> None:
    async def test(_session: aiohttp.ClientSession, address: str) -> None:
        port = int(address.rpartition(":")[2])
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", port))
            caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _is_established(port)
            await asyncio.to_thread(wait_until, lambda: not _is_established(port))

    _ask(test, scraped=b"x" * 20_000_000, unread_s=0.2)


def _applications() -> int:
    gc.collect()
    return sum(isinstance(each, web.Application) for each in gc.get_objects())


def test_port_that_was_closed_is_forgotten() -> None:
    async def ask() -> None:
        async with (
            _port() as address,
            aiohttp.ClientSession() as session,
            session.get(f"{address}/healthz") as answer,
        ):
            assert answer.status == 200

    before = _applications()
    for _ in range(3):
        asyncio.run(ask())

    assert _applications() <= before
