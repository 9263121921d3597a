"""A milter session without a socket: packets in, answers out, with a real pipeline."""

from __future__ import annotations

import asyncio
import functools
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from milter.checks.gtube import GtubeCheck
from milter.core.ids import SessionId
from milter.core.limits import LocalLimits
from milter.doors.door import Door
from milter.milter8.session import Session
from milter.milter8.wire import PacketReader
from milter.settings import Limits, Listener
from milter.telemetry.metrics import Metrics
from tests.support.pipeline import POLICY, a_pipeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from milter.checks.base import Check
    from milter.pipeline.aftermath import Aftermath


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return a test that runs `test` in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def a_door(
    *checks: Check,
    policy: str = POLICY,
    listener: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    aftermath: Aftermath | None = None,
) -> Door:
    """Return a milter door; without checks it knows the GTUBE alone."""
    bounds = Limits(**(limits or {}))
    settings = Listener(
        **{"name": "inbound", "protocol": "milter", "bind": "127.0.0.1:0", **(listener or {})}
    )
    ids = (f"ID{number:010}" for number in itertools.count(1))
    return Door(
        listener=settings,
        bounds=bounds,
        hostname="mx.example.org",
        pipeline=a_pipeline(*(checks or (GtubeCheck(),)), policy=policy),
        limits=LocalLimits(
            sessions=bounds.sessions,
            sessions_per_client=bounds.sessions_per_client,
            bytes_in_flight=bounds.bytes_in_flight,
        ),
        metrics=Metrics(registry=CollectorRegistry()),
        new_id=lambda: next(ids),
        clock=itertools.count(1.0, 0.001).__next__,
        aftermath=aftermath,
    )


@dataclass
class Dialog:
    """A session that is fed bytes.

    Attributes:
        door: The listener.
        session: The session.
    """

    door: Door
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session(self.door, SessionId("SESSION00001"))
        self._reader = PacketReader()

    async def say(self, data: bytes) -> bytes:
        """Return all that is answered to `data`."""
        return b"".join([answer async for answer in self.each(data)])

    async def each(self, data: bytes) -> AsyncIterator[bytes]:
        """Yield what is answered to each packet of `data`, nothing included."""
        self._reader.feed(data)
        while (packet := self._reader.next()) is not None:
            letter, data = packet
            waits = letter in self.session.waits
            yield (
                await self.session.decide(letter, data)
                if waits
                else self.session.hear(letter, data)
            )
