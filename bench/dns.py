"""What a look-up costs the process that asks, beside dns.asyncresolver of dnspython.

Both ask the same stub on loopback, a process of its own, in the same run, in turns. Counted is the
CPU time of this process alone. Ours is what a worker has: cache, counting, name servers' sockets.
Cold: names that nobody asked for before, some in flight at once; cached: the same names again; no
such name: what most lists answer about most of mail, with the SOA that says for how long.
Figures of different machines do not compare; the ratios do.

Usage: python -m bench.dns [--rounds N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import dns.asyncresolver
import dns.resolver
import uvloop
from rich.console import Console

from bench.measure import machine
from bench.tables import OVER, limit_words, markdown, print_table
from milter.app.counted import CountedResolver
from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.settings import Dns
from milter.telemetry.metrics import Metrics
from tests.support.dns_stub import NOBODY, running_dns_stub

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAMES = 2000
_AT_ONCE = 50
_OF_A_MESSAGE = 30
_MESSAGES = 100
_WARM_UP = 200
_numbers = count()


class Ask(Protocol):
    """Looks up the address of one name."""

    async def __call__(self, name: str) -> object:
        """Return when it is known."""
        ...


Loop = tuple[str, "Callable[[], asyncio.AbstractEventLoop]"]
LOOPS: tuple[Loop, ...] = (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop))


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        words: What is measured.
        yardstick: Words of the case that this one is compared with; empty when it is one itself.
        limit: Largest ratio to it; without a yardstick the largest number of microseconds, or 0.
    """

    words: str
    yardstick: str = ""
    limit: float = 0.0


CASES = (
    Case("dns.asyncresolver, cold"),
    Case("dns.asyncresolver with its LRUCache, cached"),
    Case("ours, cold", "dns.asyncresolver, cold", 0.1),
    Case("ours, cached", "dns.asyncresolver, cold", 0.01),
    Case(f"ours, {_OF_A_MESSAGE} cold look-ups of one message", limit=2000),
    Case("dns.asyncresolver, cold, no such name"),
    Case("ours, cold, no such name", "dns.asyncresolver, cold, no such name", 0.1),
)


@dataclass(slots=True)
class Figures:
    """Microseconds of CPU, by loop and words of the case, one value a round."""

    by_case: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, loop: str, words: str, value: float) -> None:
        """Note the value of one round."""
        self.by_case.setdefault((loop, words), []).append(value)

    def median(self, loop: str, words: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.by_case[loop, words])


def fresh_names(number: int, zone: str = "bl.example") -> list[str]:
    """Return names that were not asked for before, shaped like those of address lists."""
    return [
        f"{n & 255}.{n >> 8 & 255}.{n >> 16 & 255}.10.{zone}"
        for n, _ in zip(_numbers, range(number), strict=False)
    ]


async def ask_all(ask: Ask, names: Sequence[str], at_once: int) -> float:
    """Ask for all names, `at_once` at a time; return microseconds of CPU a name."""
    left = iter(names)

    async def one_after_the_other() -> None:
        for name in left:
            await ask(name)

    started = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_the_other())
    return (time.process_time() - started) * 1e6 / len(names)


def yardstick(port: int, *, cache: bool) -> Ask:
    """Return dnspython's asynchronous resolver over the stub."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    resolver.cache = dns.resolver.LRUCache(2 * _NAMES) if cache else None

    async def ask(name: str) -> object:
        with suppress(dns.resolver.NXDOMAIN):
            return await resolver.resolve(name, "A")
        return None

    return ask


async def measure_yardstick(loop: str, port: int, figures: Figures) -> None:
    """Measure dnspython."""
    plain, cached = yardstick(port, cache=False), yardstick(port, cache=True)
    await ask_all(plain, fresh_names(_WARM_UP), _AT_ONCE)
    figures.add(loop, CASES[0].words, await ask_all(plain, fresh_names(_NAMES), _AT_ONCE))
    names = fresh_names(_NAMES)
    await ask_all(cached, names, _AT_ONCE)
    figures.add(loop, CASES[1].words, await ask_all(cached, names, 1))
    figures.add(loop, CASES[5].words, await ask_all(plain, fresh_names(_NAMES, NOBODY), _AT_ONCE))


async def measure_ours(loop: str, port: int, figures: Figures) -> None:
    """Measure what a worker asks with."""
    settings = Dns()
    metrics = Metrics()
    with closing(DnsClient([("127.0.0.1", port)], 2.0, 2)) as client:
        counted = CountedResolver(client, metrics, time.monotonic)
        cache = CachingResolver(counted, time.monotonic, settings, metrics.dns_answer)

        async def ask(name: str) -> object:
            answer = await cache.resolve(name, "A")
            expected = () if name.endswith(NOBODY) else ("127.0.0.2",)
            if answer.records != expected or answer.outcome.temporary:
                raise RuntimeError(f"not an answer: {answer}")
            return answer

        await ask_all(ask, fresh_names(_WARM_UP), _AT_ONCE)
        names = fresh_names(_NAMES)
        figures.add(loop, CASES[2].words, await ask_all(ask, names, _AT_ONCE))
        figures.add(loop, CASES[3].words, await ask_all(ask, names, 1))
        messages = [fresh_names(_OF_A_MESSAGE) for _ in range(_MESSAGES)]
        costs = [await ask_all(ask, names, _OF_A_MESSAGE) for names in messages]
        figures.add(loop, CASES[4].words, statistics.mean(costs) * _OF_A_MESSAGE)
        nobody = fresh_names(_NAMES, NOBODY)
        figures.add(loop, CASES[6].words, await ask_all(ask, nobody, _AT_ONCE))


def rows(figures: Figures) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table."""
    table = []
    for loop, _ in LOOPS:
        for case in CASES:
            cost = figures.median(loop, case.words)
            values = figures.by_case[loop, case.words]
            ratio, limit = "", ""
            if case.yardstick:
                value = cost / figures.median(loop, case.yardstick)
                ratio, limit = f"{value:.4f}", limit_words(value, case.limit)
            elif case.limit:
                limit = limit_words(cost, case.limit)
            words = f"{case.words} ({loop})"
            table.append(
                (words, f"{cost:.1f}", f"{min(values):.1f}-{max(values):.1f}", ratio, limit)
            )
    return table


HEAD = ("case", "us CPU", "least-most", "ratio to cold dns.asyncresolver", "limit")


def run(rounds: int) -> Figures:
    """Start the stub, measure in turns, stop it."""
    figures = Figures()
    # As a worker does once it is ready: what was imported is not gone through again and again.
    gc.collect()
    gc.freeze()
    with running_dns_stub() as port:
        for _ in range(rounds):
            for name, new_loop in LOOPS:
                for measure in (measure_yardstick, measure_ours):
                    with asyncio.Runner(loop_factory=new_loop) as runner:
                        runner.run(measure(name, port, figures))
    return figures


def main() -> int:
    """Measure, print, and write the results file if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="results file, in Markdown")
    options = parser.parse_args()
    table = rows(run(options.rounds))
    print_table(Console(width=140), HEAD, table)
    if options.write:
        options.write.write_text(
            f"# What a look-up costs\n\nMade by `python -m bench.dns --write {options.write}`, "
            f"median of {options.rounds} rounds.\nMachine: {machine()}.\n"
            f"How it is measured: the head of `bench/dns.py`.\n\n{markdown(HEAD, table)}",
            "utf-8",
        )
    return int(any(row[-1].endswith(OVER) for row in table))


if __name__ == "__main__":
    sys.exit(main())
