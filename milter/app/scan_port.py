"""Where a worker takes the requests whose connections the supervisor passes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter import __version__
from milter.http.bodies import PACE
from milter.http.caution import add_headers
from milter.http.history import history_routes
from milter.http.learn import learn_route
from milter.http.library import library
from milter.http.pace import LINGER_S
from milter.http.passing import Taker
from milter.http.routing import Route, application
from milter.http.rspamd.check import check_route
from milter.http.rspamd.learn import learn_routes
from milter.http.rspamd.state import ping_route, stat_route, symbols_route
from milter.http.scan import scan_route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milter.doors.door import Door
    from milter.doors.teaching import Teacher
    from milter.http.callers import Guard
    from milter.http.pace import Pace
    from milter.memory.reading import Reading

# A scan is bounded by the budget of its checks; what is asked at the last moment is still answered.
_SHUTDOWN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RequestMeans:
    """What the handlers of a worker work with.

    Attributes:
        guard: Lets in who may ask.
        door: Judges what is scanned.
        teacher: Takes lessons; None where nothing is learned.
        actions: Messages by action, over all workers; called in a thread.
        pace: How slow a body may be.
        reading: Reads the history; None where nothing is remembered.
    """

    guard: Guard
    door: Door
    teacher: Teacher | None
    actions: Callable[[], Mapping[str, float]]
    pace: Pace
    reading: Reading | None = None


def worker_routes(means: RequestMeans) -> list[Route]:
    """Return the routes of what a worker answers."""
    door, teacher = means.door, means.teacher
    return [
        scan_route(door),
        learn_route(door, teacher),
        check_route(door),
        *learn_routes(door, teacher),
        ping_route(),
        stat_route(__version__, means.actions, teacher),
        symbols_route(door.pipeline.policies.all_single()),
        *history_routes(means.reading),
    ]


def worker_application(means: RequestMeans) -> web.Application:
    """Return the application of a worker."""
    app = application(worker_routes(means), means.guard)
    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(_close_behind)
    app[PACE] = means.pace
    return app


async def _close_behind(_request: web.Request, response: web.StreamResponse) -> None:
    """Have the connection end behind any answer, those that the library gives itself included.

    The next request of this caller may be one that the supervisor answers, and how long it may take
    is watched there alone.
    """
    response.force_close()
    # The library wrote this field before.
    response.headers["Connection"] = "close"


class ScanPort:
    """Takes requests, from `start` to `drain`.

    Args:
        means: What the handlers work with.
        fd: Descriptor of the workers' end of the channel; closed when it stops.
    """

    def __init__(self, means: RequestMeans, fd: int) -> None:
        self._fd = fd
        self._taker: Taker | None = None
        self._runner = web.AppRunner(
            worker_application(means), handle_signals=False, shutdown_timeout=_SHUTDOWN_S
        )

    async def start(self) -> None:
        """Take requests."""
        await self._runner.setup()
        make_library = library(self._runner.server, lingering_time=LINGER_S)
        self._taker = Taker(socket.socket(fileno=self._fd), make_library)
        self._taker.start()

    def stop_accepting(self) -> None:
        """Take no more connections."""
        if self._taker is not None:
            self._taker.stop()
            self._taker = None

    async def drain(self, timeout_s: float) -> None:
        """Answer what is being asked, for `timeout_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._runner.cleanup()
