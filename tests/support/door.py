"""The SMTP door in a thread of the test's process: real listener, pipeline, policies and relay.

Names come from the shipped fake resolver, mail goes to a sink of the tests. What is only in a whole
daemon (workers, reload, metrics over HTTP) is tested with `tests.support.gatepost`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvloop
from prometheus_client import CollectorRegistry

from milter.checks.catalogue import Means, build_checks
from milter.core.ids import new_id
from milter.core.limits import LocalLimits
from milter.dns.fake import FakeResolver
from milter.doors.relaying_rules import RecipientDomains
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from milter.relay.nexthop import NextHop
from milter.settings import Limits, Listener
from milter.settings import NextHop as NextHopSettings
from milter.smtp.door import Door
from milter.smtp.server import SmtpServer
from milter.smtp.tls import server_context
from milter.telemetry.metrics import Metrics
from policies.loader import load_policies
from tests.support.dkim_signer import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from concurrent.futures import Future

    from milter.relay.partial import PartialDeliveries

HOSTNAME = "mx.example.org"


class TextSource:
    """Serves policy files from memory."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        try:
            return self._files[path].encode()
        except KeyError:
            raise FileNotFoundError(path) from None


@dataclass(slots=True)
class RunningDoor:
    """A door that takes connections.

    Attributes:
        port: On 127.0.0.1.
        limits: What is in use.
        registry: Of the metrics.
        metrics: What the door counts.
        resolver: The names, and what was asked.
    """

    port: int
    limits: LocalLimits
    registry: CollectorRegistry
    metrics: Metrics
    resolver: FakeResolver
    server: SmtpServer | None = None
    loop: asyncio.AbstractEventLoop | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event | None = None
    errors: list[BaseException] = field(default_factory=list)

    def sample(self, name: str, **labels: str) -> float:
        """Return the value of a metric; 0 when nothing was counted."""
        self._flush_metrics()
        return self.registry.get_sample_value(name, labels) or 0.0

    def _flush_metrics(self) -> None:
        async def flush() -> None:
            self.metrics.flush()

        # Where it is counted, for nothing keeps two threads from adding and moving at once.
        if self.loop is not None and self.loop.is_running():
            asyncio.run_coroutine_threadsafe(flush(), self.loop).result(30)
        else:
            self.metrics.flush()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Have the loop do nothing meanwhile."""
        assert self.loop is not None
        still, on = threading.Event(), threading.Event()

        def stand() -> None:
            still.set()
            on.wait(30)

        self.loop.call_soon_threadsafe(stand)
        still.wait(30)
        try:
            yield
        finally:
            on.set()

    def drain(self) -> None:
        """Drain as a reload does, and wait for the end of it."""
        self.begin_drain(20).result(30)

    def begin_drain(self, timeout_s: float) -> Future[None]:
        """Return once the server drains; what is returned is done at the end of it."""
        assert self.server is not None
        assert self.loop is not None
        ended = asyncio.run_coroutine_threadsafe(self.server.drain(timeout_s), self.loop)
        # The loop takes both in turn: behind the second one the first has begun.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(30)
        return ended


@contextlib.contextmanager
def running_door(
    next_hop: str | Mapping[str, Any],
    *,
    listener: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    policy: str = "version: 1\nname: test\nextends: balanced\n",
    zone: Mapping[str, Any] | None = None,
    partial: PartialDeliveries | None = None,
) -> Iterator[RunningDoor]:
    """Start a door in front of `next_hop`; stop it, and whatever it holds, at the end.

    Args:
        next_hop: host:port, or the whole section of the configuration.
        listener: Keys of the listener's section.
        limits: Keys of `limits`.
        policy: Text of the policy file.
        zone: For the fake resolver.
        partial: Remembers who got a message that others did not; None: nothing does.
    """
    hop = {"hosts": [next_hop]} if isinstance(next_hop, str) else dict(next_hop)
    bounds = Limits(**(limits or {}))
    settings = _listener(listener or {})
    with socket.create_server(("127.0.0.1", 0)) as sock:
        door = _not_yet_running(sock, bounds, zone or {})

        async def serve() -> None:
            relay = NextHop(
                NextHopSettings.model_validate(hop),
                hostname=HOSTNAME,
                clock=time.monotonic,
                partial=partial,
            )
            await _serve(door, sock, relay, _door(door, settings, bounds, relay, policy))

        with _in_a_thread(door, serve):
            yield door


def _listener(said: Mapping[str, Any]) -> Listener:
    usual = {"name": "inbound", "bind": "127.0.0.1:0", "trusted_clients": ["127.0.0.0/8"]}
    return Listener(**{**usual, **said})


def _not_yet_running(sock: socket.socket, bounds: Limits, zone: Mapping[str, Any]) -> RunningDoor:
    registry = CollectorRegistry()
    return RunningDoor(
        port=sock.getsockname()[1],
        limits=LocalLimits(
            sessions=bounds.sessions,
            sessions_per_client=bounds.sessions_per_client,
            bytes_in_flight=bounds.bytes_in_flight,
        ),
        registry=registry,
        metrics=Metrics(registry=registry),
        resolver=FakeResolver(zone),
    )


async def _serve(running: RunningDoor, sock: socket.socket, relay: NextHop, door: Door) -> None:
    """Serve until `running.stop` is set."""
    running.loop = asyncio.get_running_loop()
    await relay.probe()
    running.server = SmtpServer(door)
    await running.server.serve(sock)
    running.stop = asyncio.Event()
    running.ready.set()
    await running.stop.wait()
    await running.server.drain(5)
    await relay.close()


@contextlib.contextmanager
def _in_a_thread(
    door: RunningDoor, serve: Callable[[], Coroutine[Any, Any, None]]
) -> Iterator[None]:
    """Run `serve` on the loop that the daemon runs on, too, and stop it at the end."""

    def run() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            door.errors.append(error)
        finally:
            door.ready.set()

    thread = threading.Thread(target=run, name="door")
    thread.start()
    door.ready.wait(30)
    try:
        if door.errors:
            raise door.errors[0]
        yield
    finally:
        if door.loop is not None and door.stop is not None and thread.is_alive():
            door.loop.call_soon_threadsafe(door.stop.set)
        thread.join(30)


def _door(
    running: RunningDoor, listener: Listener, bounds: Limits, relay: NextHop, policy: str
) -> Door:
    policies = load_policies(TextSource({"policy.yaml": policy}), "policy.yaml")
    pipeline = Pipeline(
        checks=build_checks(policies.plan, Means(HOSTNAME, lambda: NOW)),
        policies=policies,
        resolver=running.resolver,
        identity=Identity(HOSTNAME, HOSTNAME),
        budget_s=bounds.budget_s,
    )
    chance = random.Random(7)  # noqa: S311 - ids of a test
    return Door(
        listener=listener,
        bounds=bounds,
        hostname=HOSTNAME,
        recipient_domains=RecipientDomains(listener.recipient_domains, listener.direction),
        pipeline=pipeline,
        next_hop=relay,
        limits=running.limits,
        metrics=running.metrics,
        new_id=lambda: new_id(chance.randbytes),
        clock=time.monotonic,
        tls=server_context(listener.tls) if listener.tls else None,
    )
