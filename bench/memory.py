"""What memory costs a message: judged and remembered with a store, and the same without one.

CPU time of all threads of this process for one message, the median of the rounds, in which the
homes take turns. The server of Redis is a process of its own and counts apart.

Usage: python -m bench.memory [--messages N] [--rounds N] [--write FILE]; ends with 1 when a limit
is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.tables import OVER, limit_words, markdown, print_table
from milter.app.memory import keeping_of
from milter.app.pattern_cache import arm_in_background
from milter.checks.catalogue import Means, build_checks
from milter.dns.fake import FakeResolver
from milter.memory.client import StoreClient
from milter.memory.recollection import Recollection
from milter.pipeline.aftermath import Aftermath
from milter.pipeline.history import HistoryKeeper, known_of
from milter.pipeline.outcome import Identity
from milter.pipeline.remember import keepers
from milter.pipeline.runner import Pipeline
from milter.settings import History
from policies.loader import FileSource, load_policies
from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from tests.support.redis_server import a_redis
from tests.support.site import Clock, Sent, Site
from tests.support.stores import Counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.select import PolicySet
    from reputation.store import Store

HEAD: Final = ("home", "us CPU a message", "least-most", "of a message without", "limit")
HISTORY: Final = " with history"
LIMITS: Final = {"SQLite": 1.7}
_SENDERS: Final = 200


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


def the_policy() -> PolicySet:
    """Return the policy with its patterns compiled, as a worker has them soon after its start."""
    chosen = load_policies(FileSource(), "balanced")
    with tempfile.TemporaryDirectory() as folder:
        compiling = arm_in_background(chosen.plan.patterns, Path(folder))
        if compiling is not None:
            compiling.join()
    return chosen


def a_pipeline(chosen: PolicySet, means: Means) -> Pipeline:
    """Return what judges by `chosen`."""
    return Pipeline(
        checks=build_checks(chosen.plan, means),
        policies=chosen,
        resolver=FakeResolver(zone()),
        identity=Identity(means.hostname, means.hostname),
        budget_s=20.0,
    )


async def run(
    chosen: PolicySet,
    open_store: Callable[[], Store] | None,
    messages: int,
    *,
    recorded: bool = False,
) -> float:
    """Judge `messages`, remember them where there is a store; return microseconds a message.

    With `recorded` the history has a record of each, as the settings come.
    """
    clock = Clock()
    client = StoreClient(
        open_store or (lambda: MemoryStore(os.urandom)),
        counts=Counted(),
        clock=clock,
        monotonic=time.monotonic,
        timeout_s=5.0,
    )
    memory = Recollection(client)
    used = memory if open_store else None
    pipeline = a_pipeline(chosen, Means("mx.ours.example", clock, memory=used))
    site = Site(
        pipeline, memory, Aftermath(keepers(memory) if used else (), clock), clock, Counted()
    )
    if recorded:
        keeping = keeping_of(History())
        site.aftermath.add(HistoryKeeper(client, keeping, known_of(pipeline)))
    for number in range(100):
        await site.judge(sent(number))
    started = time.process_time()
    for number in range(messages):
        await site.judge(sent(number))
    site.aftermath.finish()
    await client.flush(30.0)
    spent = time.process_time() - started
    await client.close()
    return spent / messages * 1e6


def rows(spent: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Return the rows of the table; the first home is the one that others are compared with."""
    middles = {name: statistics.median(times) for name, times in spent.items()}
    yardstick = next(iter(middles.values()))
    table: list[tuple[str, ...]] = []
    for name, times in spent.items():
        ratio, limit = middles[name] / yardstick, LIMITS.get(name)
        span = f"{min(times):.0f}-{max(times):.0f}"
        kept = limit_words(ratio, limit) if limit else "-"
        table.append((name, f"{middles[name]:.0f}", span, f"{ratio:.2f}", kept))
    return table


def main() -> int:
    """Print the table, write it if asked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    spent: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(a_redis())
        homes: dict[str, Callable[[], Store] | None] = {
            "no memory": None,
            "SQLite": lambda: SqliteStore(folder / "s.db", os.urandom),
            f"SQLite{HISTORY}": lambda: SqliteStore(folder / "h.db", os.urandom),
            "Redis": lambda: redis.store(os.urandom, time.time),
        }
        chosen = the_policy()
        for _ in range(options.rounds):
            for name, home in homes.items():
                recorded = name.endswith(HISTORY)
                one = run(chosen, home, options.messages, recorded=recorded)
                spent.setdefault(name, []).append(asyncio.run(one))
    table = rows(spent)
    print_table(Console(width=120), HEAD, table)
    if options.write:
        command = f"python -m bench.memory --messages {options.messages} --rounds {options.rounds}"
        words = f"# What memory costs\n\n`{command}`, {machine()}\n\n{markdown(HEAD, table)}"
        options.write.write_text(words, "utf-8")
    return int(any(OVER in row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
