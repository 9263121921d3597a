"""The socket on which a worker takes scans that the supervisor passes on, and their counting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.scan import LISTENER, Scanning, scan_application

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import Direction
    from milter.pipeline.offline import Judged
    from milter.telemetry.metrics import Metrics

# A scan is bounded by the budget of its checks; what is asked at the last moment is still answered.
_SHUTDOWN_S: Final = 60.0


class ScanPort:
    """Takes scans, from `start` to `drain`.

    Args:
        means: What the handler works with.
        fd: Descriptor of a socket that listens; closed when it stops.
    """

    def __init__(self, means: Scanning, fd: int) -> None:
        self._fd = fd
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            scan_application(means),
            handle_signals=False,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_S,
        )

    async def start(self) -> None:
        """Take requests."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        handlers = self._runner.server
        assert handlers is not None  # noqa: S101 - set up on the line above
        # Not `create_unix_server`: from Python 3.13 on it removes the name when it closes, and with
        # it the way to the workers that follow us.
        self._server = await loop.create_server(handlers, sock=socket.socket(fileno=self._fd))

    def stop_accepting(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def drain(self, timeout_s: float) -> None:
        """Answer what is being asked, for `timeout_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._runner.cleanup()


def count_scan(metrics: Metrics, direction: Direction) -> Callable[[Judged], None]:
    """Return what counts a scanned message as the door counts one that was sent."""

    def count(judged: Judged) -> None:
        verdict = judged.outcome.verdict
        action = verdict.action.word
        metrics.message(LISTENER, direction.value, action, len(judged.message))
        metrics.policy(verdict.policy, action)
        metrics.scan(judged.judgement.duration_s)
        if verdict.kind:
            metrics.kind(verdict.kind)
        for symbol in dict.fromkeys(one.symbol for one in judged.judgement.evidence.findings):
            metrics.symbol(symbol)

    return count
