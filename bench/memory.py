"""What memory costs a message: judged and remembered with a store, and the same without one.

`python -m bench.memory [MESSAGES]` prints the CPU time of all threads of this process. The server
of Redis is a process of its own and counts apart.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measure import machine
from milter.checks.catalogue import Means, build_checks
from milter.dns.fake import FakeResolver
from milter.memory.client import StoreClient
from milter.memory.recollection import Recollection
from milter.pipeline.aftermath import Aftermath
from milter.pipeline.outcome import Identity
from milter.pipeline.remember import keepers
from milter.pipeline.runner import Pipeline
from policies.loader import FileSource, load_policies
from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from tests.support.redis_server import a_redis
from tests.support.site import Clock, Sent, Site
from tests.support.stores import Counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store

_MESSAGES: Final = 2000
_SENDERS: Final = 200


@dataclass(frozen=True)
class Cost:
    """CPU seconds for all messages."""

    name: str
    seconds: float


def zone() -> dict[str, object]:
    """Return names of all senders, so that SPF passes and most subjects are proven."""
    names: dict[str, object] = {}
    for number in range(_SENDERS):
        address, name = f"198.51.100.{number}", f"sender{number}.example"
        names[address] = {"PTR": [f"mx.{name}"]}
        names[f"mx.{name}"] = {"A": [address]}
        names[name] = {"TXT": [f"v=spf1 ip4:{address} -all"], "MX": [[10, f"mx.{name}"]]}
    return names


def sent(number: int) -> Sent:
    """Return a message of one of the senders, in turn."""
    domain = f"sender{number % _SENDERS}.example"
    return Sent(
        client_ip=f"198.51.100.{number % _SENDERS}", helo_name=f"mx.{domain}", domain=domain
    )


async def run(name: str, open_store: Callable[[], Store] | None, messages: int) -> Cost:
    """Judge `messages`, remember them where there is a store, and return what it cost."""
    clock = Clock()
    chosen = load_policies(FileSource(), "balanced")
    client = StoreClient(
        open_store or (lambda: MemoryStore(os.urandom)),
        counts=Counted(),
        clock=clock,
        monotonic=time.monotonic,
        timeout_s=5.0,
    )
    memory = Recollection(client)
    used = memory if open_store else None
    pipeline = Pipeline(
        checks=build_checks(chosen.plan, Means("mx.ours.example", clock, memory=used)),
        policies=chosen,
        resolver=FakeResolver(zone()),
        identity=Identity("mx.ours.example", "mx.ours.example"),
        budget_s=20.0,
    )
    site = Site(
        pipeline, memory, Aftermath(keepers(memory) if used else (), clock), clock, Counted()
    )
    for number in range(100):
        await site.judge(sent(number))
    started = time.process_time()
    for number in range(messages):
        await site.judge(sent(number))
    site.aftermath.finish()
    await client.flush(30.0)
    cost = Cost(name, time.process_time() - started)
    await client.close()
    return cost


def main() -> None:
    """Print the table."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else _MESSAGES
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(a_redis())
        costs = [
            asyncio.run(run(name, home, messages))
            for name, home in (
                ("no memory", None),
                ("SQLite", lambda: SqliteStore(folder / "s.db", os.urandom)),
                ("Redis", lambda: redis.store(os.urandom, time.time)),
            )
        ]
    least = costs[0].seconds
    print(f"{'':12} {'us a message':>14} {'memory alone':>14} {'ratio':>7}")
    for cost in costs:
        each, more = cost.seconds / messages * 1e6, (cost.seconds - least) / messages * 1e6
        print(f"{cost.name:12} {each:14.0f} {more:14.0f} {cost.seconds / least:7.2f}")


if __name__ == "__main__":
    main()
