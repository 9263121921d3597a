"""The HTTP port over a real loopback socket, with a worker's side of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from milter.http.callers import CALLER_HEADER
from milter.http.forward import Forwarder
from milter.http.health import Status
from milter.http.lists import ListStatus
from milter.http.pace import Pace
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
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
    folder: Path,
    status: Status = _SERVING,
    max_bytes: int = 10_000,
    lists: Sequence[ListStatus] = (),
    *,
    scraped: bytes = b"gatepost_sessions 5\n",
    unread_s: float = 60.0,
) -> AsyncIterator[str]:
    """Give the address of a running port."""
    forwarder = Forwarder(str(folder / "scan.sock"), max_bytes, 20, Pace(1000))
    server = HttpServer(
        Views(
            lambda: status,
            lambda: scraped,
            forwarder,
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


@contextlib.asynccontextmanager
async def _worker(folder: Path) -> AsyncIterator[list[tuple[dict[str, list[str]], bytes]]]:
    """Give what a worker at the other end of the socket is asked."""
    asked: list[tuple[dict[str, list[str]], bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        headers = {name: request.headers.getall(name) for name in request.headers}
        asked.append((headers, await request.read()))
        return web.json_response({"action": "pass"}, status=200)

    app = web.Application()
    app.router.add_post("/v1/scan", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "scan.sock")).start()
    try:
        yield asked
    finally:
        await runner.cleanup()


def _ask(
    test: Callable[[aiohttp.ClientSession, str], Awaitable[None]], folder: Path, **port: Any
) -> None:
    async def run() -> None:
        async with _port(folder, **port) as address, aiohttp.ClientSession() as session:
            await test(session, address)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nothing"])
def test_every_answer_bears_the_headers_of_caution(tmp_path: Path, path: str) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + path) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Server"] == "Gatepost"

    _ask(test, tmp_path)


def test_metrics_are_what_was_scraped(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + "/metrics") as answer:
            assert await answer.read() == b"gatepost_sessions 5\n"
            assert answer.headers["Content-Type"].startswith("text/plain; version=")

    _ask(test, tmp_path)


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
def test_readyz_says_whether_mail_should_be_sent(tmp_path: Path, status: Status, code: int) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(address + "/readyz") as answer:
            assert answer.status == code
            details = await answer.json()
            assert details["ready"] is (code == 200)
            assert details["next_hop"] == status.next_hop
        async with session.get(address + "/healthz") as answer:
            assert answer.status == 200

    _ask(test, tmp_path, status=status)


def test_scan_reaches_a_worker_with_its_envelope(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        headers = [("Rcpt", "a@example.org"), ("Rcpt", "b@example.org"), ("IP", "192.0.2.1")]
        async with (
            _worker(tmp_path) as asked,
            session.post(f"{address}/v1/scan", data=b"message", headers=headers) as answer,
        ):
            assert (answer.status, await answer.json()) == (200, {"action": "pass"})
            told, body = asked[0]
            assert body == b"message"
            assert told["Rcpt"] == ["a@example.org", "b@example.org"]
            assert told["IP"] == ["192.0.2.1"]

    _ask(test, tmp_path)


def test_scan_a_caller_cannot_say_who_it_is(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        forged = {CALLER_HEADER.lower(): "forged"}
        async with (
            _worker(tmp_path) as asked,
            session.post(f"{address}/v1/scan", data=b"m", headers=forged) as answer,
        ):
            assert answer.status == 200
            assert asked[0][0][CALLER_HEADER] == ["machine"]

    _ask(test, tmp_path)


def test_scan_without_a_worker_is_503(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.post(f"{address}/v1/scan", data=b"message") as answer:
            assert answer.status == 503
            assert "no worker" in json.loads(await answer.read())["error"]

    _ask(test, tmp_path)


def test_scan_of_a_message_that_is_too_large_is_413(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.post(f"{address}/v1/scan", data=b"x" * 101) as answer:
            assert answer.status == 413

    _ask(test, tmp_path, max_bytes=100)


def test_scan_is_asked_by_post_alone(tmp_path: Path) -> None:
    async def test(session: aiohttp.ClientSession, address: str) -> None:
        async with session.get(f"{address}/v1/scan") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert await answer.json() == {"error": "Method Not Allowed"}

    _ask(test, tmp_path)


def test_lists_are_shown_as_all_workers_see_them(tmp_path: Path) -> None:
    status = ListStatus("bl.example", "block", "aside", "it refuses us", 10.0, 30.0, 5, 100, 2, 1)

    async def ask() -> Any:
        async with (
            _port(tmp_path, lists=[status]) as address,
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


def test_caller_that_does_not_read_its_answer_is_dropped(tmp_path: Path) -> None:
    async def test(_session: aiohttp.ClientSession, address: str) -> None:
        port = int(address.rpartition(":")[2])
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", port))
            caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _is_established(port)
            await asyncio.to_thread(wait_until, lambda: not _is_established(port))

    _ask(test, tmp_path, scraped=b"x" * 20_000_000, unread_s=0.2)
