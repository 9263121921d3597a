"""The HTTP door of a worker, asked over a socket of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from aiohttp import web

from milter.app.scan_port import RequestMeans, worker_application
from milter.core.limits import LocalLimits
from milter.doors.door import Door
from milter.http.callers import Guard
from milter.http.pace import Pace
from milter.settings import Limits, Listener
from milter.telemetry.metrics import Metrics
from tests.support.pipeline import a_pipeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping
    from pathlib import Path

    from milter.checks.base import Check
    from milter.doors.teaching import Teacher
    from milter.memory.reading import Reading
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.runner import Pipeline

MESSAGE = b"From: a@example.net\nSubject: hello\n\nhello\n"
Headers = dict[str, str] | list[tuple[str, str]]


def a_whole_door(
    *checks: Check,
    pipeline: Pipeline | None = None,
    in_flight: int = 1_000_000,
    sessions: int = 1,
    aftermath: Aftermath | None = None,
    name: str = "http",
) -> Door:
    """Return a door whose messages may have 2,000 bytes."""
    numbers = itertools.count()
    return Door(
        listener=Listener(name=name, bind="127.0.0.1:0"),
        bounds=Limits(message_bytes=2000),
        hostname="mx.example.org",
        pipeline=pipeline or a_pipeline(*checks),
        limits=LocalLimits(sessions=sessions, sessions_per_client=1, bytes_in_flight=in_flight),
        metrics=Metrics(),
        new_id=lambda: f"ID{next(numbers):010}",
        clock=lambda: 0.0,
        aftermath=aftermath,
    )


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def asked(
    door: Door,
    folder: Path,
    path: str,
    *,
    headers: Headers | None = None,
    body: bytes | AsyncIterable[bytes] | None = MESSAGE,
    method: str = "POST",
    token: bytes = b"",
    teacher: Teacher | None = None,
    actions: Callable[[], Mapping[str, float]] | None = None,
    reading: Reading | None = None,
    port: int | None = None,
) -> Got:
    """Return the answer to one request over a unix socket, or from this machine to `port`."""
    means = RequestMeans(Guard(token), door, teacher, actions or dict, Pace(1000), reading)
    request = Request(method, path, body, headers)
    return asyncio.run(_answered(means, request, str(folder / "s"), port))


class Request(NamedTuple):
    """What is asked, as `aiohttp` wants it."""

    method: str
    path: str
    body: bytes | AsyncIterable[bytes] | None
    headers: Headers | None


async def _answered(
    means: RequestMeans, request: Request, socket_path: str, port: int | None
) -> Got:
    runner = web.AppRunner(worker_application(means), auto_decompress=False)
    await runner.setup()
    site, connector, address = (
        (web.UnixSite(runner, socket_path), aiohttp.UnixConnector(socket_path), "worker")
        if port is None
        else (web.TCPSite(runner, "127.0.0.1", port), None, f"127.0.0.1:{port}")
    )
    await site.start()
    url = f"http://{address}{request.path}"
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(
                request.method, url, data=request.body, headers=request.headers
            ) as answer,
        ):
            return Got(answer.status, dict(answer.headers), await answer.read())
    finally:
        await runner.cleanup()
        if means.reading is not None:
            await means.reading.close()
