"""What statistics cost a message, and how long a question about 30 days takes.

Messages are judged first, half of them of one campaign and half like none other; then what they
cost is the CPU time of all threads of this process while they are counted, and put into SQLite as a
worker with so many messages a second does it: languages looked at and minutes going by as for that
many. None of it happens before the reply (`tests/unit/pipeline/test_aftermath.py`). The question is
asked of a store in which a generator counted ten million messages, with as many values as are ever
kept. Each figure is the median of some rounds, with the least and the most of them; what else the
machine does adds to them.

Usage: python -m bench.statistics [--rate N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.tables import OVER, limit_words, markdown, print_table
from milter.atlas import Atlas
from milter.memory.client import StoreClient
from milter.message.warm import warm_up
from milter.pipeline.aftermath import Aftermath, Seen
from milter.pipeline.statistics import SKETCHES_EVERY_S, SUMS_EVERY_S, Statistics
from policies.loader import FileSource, load_policies
from reputation.sqlite import SqliteStore
from reputation.statistics.deposit import deposit
from reputation.statistics.figures import TOP, read_window
from reputation.statistics.heavy import Summary
from reputation.statistics.money import Prices, money
from reputation.statistics.observation import DIMENSIONS, OVER_TIME, SKETCHES
from reputation.statistics.past import Past
from reputation.statistics.shapes import plain
from reputation.statistics.windows import DAY, WINDOWS
from reputation.store import Add
from tests.support.site import Clock, Sent, a_site
from tests.support.stores import Counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reputation.statistics.heavy import Row
    from reputation.store import Store

_LIMIT_US: Final = 30.0
_LIMIT_MS: Final = 100.0
_MESSAGES: Final = 20_000
_DISTINCT: Final = 400
_TEN_MILLION: Final = 10_000_000
_ROUNDS: Final = 9
_TEXT: Final = (
    "Dear {name}, the quarterly report number {number} is attached. Please have a look at the"
    " figures before the meeting on Thursday and tell me what you think about them. "
)


class _Collects:
    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)


@dataclass(frozen=True)
class Figure:
    """One figure with its limit.

    Attributes:
        name: What was measured, and in which unit.
        rounds: What each round came to.
        limit: What the median is to keep.
    """

    name: str
    rounds: Sequence[float]
    limit: float

    def row(self) -> tuple[str, ...]:
        """Return the cells of its row."""
        value = median(self.rounds)
        span = f"{min(self.rounds):.1f} - {max(self.rounds):.1f}"
        return self.name, f"{value:.1f}", span, limit_words(value, self.limit)


def sent(number: int) -> Sent:
    """Return a message; every other one is of one campaign."""
    random = Random(number)  # noqa: S311
    name = "".join(random.choices("abcdefghijklmnop", k=12))
    if number % 2:
        text = _TEXT.format(name=name, number=number) * random.randint(2, 30)
    else:
        words = ["".join(random.choices("aeiounrstlmdp", k=6)) for _ in range(300)]
        text = " ".join(words)
    return Sent(
        client_ip=f"{random.randint(1, 99)}.{random.randint(0, 255)}.{random.randint(0, 255)}.7",
        domain=f"{name}.example",
        subject=f"Report {number} for {name}",
        text="\r\n".join(text[i : i + 70] for i in range(0, len(text), 70)),
    )


async def judged() -> Sequence[Seen]:
    """Return messages as the aftermath has them, under the preset `balanced`."""
    clock, collects = Clock(), _Collects()
    policies = load_policies(FileSource(), "balanced")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        async with a_site(lambda: SqliteStore(path, os.urandom), clock, policies) as site:
            site.aftermath = Aftermath([collects], clock)
            for number in range(_DISTINCT):
                await site.judge(sent(number))
                site.aftermath.finish()
    return collects.seen


async def counting(seen: Sequence[Seen], path: Path, rate: int) -> float:
    """Return the microseconds of CPU that each message costs."""
    clock = Clock()
    client = StoreClient(
        lambda: SqliteStore(path, os.urandom),
        counts=Counted(),
        clock=clock,
        monotonic=time.monotonic,
        timeout_s=5.0,
        gather_s=0.0,
    )
    statistics = Statistics(client, Atlas(), time.process_time)
    await client.start()
    messages = [
        replace(seen[number % len(seen)], at=clock() + number / rate) for number in range(_MESSAGES)
    ]
    sums_every, sketches_every = int(rate * SUMS_EVERY_S), int(rate * SKETCHES_EVERY_S)
    # As a worker does it once it has started.
    gc.collect()
    gc.freeze()
    started = time.process_time()
    for number, one in enumerate(messages, 1):
        clock.now = one.at
        statistics.see(one)
        if number % sums_every == 0:
            statistics.flush()
            await client.flush(5.0)
        if number % sketches_every == 0:
            await statistics.settle()
    await statistics.finish()
    await client.flush(5.0)
    spent = time.process_time() - started
    await client.close()
    return spent / _MESSAGES * 1e6


def ten_million(store: Store, now: float) -> None:
    """Count ten million messages over 31 days, as full as a store can be."""
    random = Random(1)  # noqa: S311
    last = DAY.slot(now)
    a_day = _TEN_MILLION // 31
    for slot in range(last - 30, last + 1):
        values = [
            (one.name, f"value-{n}")
            for one in DIMENSIONS
            if not one.is_sketch
            for n in range(_values(one.name))
        ]
        adds = [Add(DAY.series, slot, b"all=", (a_day, a_day * 9000, a_day // 2, 0), now * 2)]
        for name, value in values:
            messages = random.randint(1, a_day)
            key = f"{name}={value}".encode()
            amounts = (messages, messages * 9000, messages // 2, 0)
            adds.append(Add(DAY.series, slot, key, amounts, now * 2))
            if name in OVER_TIME:
                adds.append(Add(DAY.timeline, slot, key, amounts, now * 2))
        store.write(adds)
        sketches = {
            one.name: Summary(one.kept, a_day, 5, _rows(one.kept, random)) for one in SKETCHES
        }
        deposit(store, DAY, slot, sketches, now)


def _values(dimension: str) -> int:
    many = {"symbol": 300, "country": 240, "route": 480, "language": 97, "auth": 40}
    return 0 if dimension == "all" else many.get(dimension, 8)


def _rows(kept: int, random: Random) -> dict[str, Row]:
    # Half of the values come back each day. None is like another one, as no two campaigns are.
    numbers = [random.getrandbits(9 if n % 2 else 64) for n in range(kept)]
    names = [Random(number).randbytes(16).hex() for number in numbers]  # noqa: S311
    return {name: (9, random.randint(9, 9000), 4, 90_000) for name in names}


def question_ms(path: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Return the wall times of a question about 30 days with its answer as JSON.

    First as the page's API asks, again and again while mail comes in, then of somebody who asks for
    the first time.
    """
    now = 1_800_000_000.0
    store = SqliteStore(path, os.urandom)
    ten_million(store, now)
    past = Past(TOP)
    asked(store, now, past)
    again = []
    for _ in range(_ROUNDS):
        store.write([Add(DAY.series, DAY.slot(now), b"all=", (1, 9000, 0, 0), now * 2)])
        again.append(asked(store, now, past))
    first = [asked(store, now, Past(TOP)) for _ in range(_ROUNDS)]
    store.close()
    return again, first


def asked(store: Store, now: float, past: Past) -> float:
    """Return the wall time of one question in milliseconds."""
    started = time.perf_counter()
    found = read_window(store, WINDOWS["30d"], now, past)
    json.dumps(plain(found, money(found, Prices()), personal=True))
    spent = time.perf_counter() - started
    assert found.total.messages > 0.99 * _TEN_MILLION
    return spent * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What statistics cost.")
    parser.add_argument("--rate", type=int, default=100, help="messages a second of a worker")
    parser.add_argument("--write", type=Path, help="write the figures into this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), arguments.rate)
    head = ("figure", "median", "least - most", "limit")
    rows = [one.row() for one in figures]
    print_table(Console(width=120), head, rows)
    if arguments.write:
        arguments.write.write_text(f"{machine()}\n\n{markdown(head, rows)}", "utf-8")
    sys.exit(any(OVER in row[3] for row in rows))


def measured(folder: Path, rate: int) -> list[Figure]:
    """Return the figures."""
    warm_up(languages=True)
    seen = asyncio.run(judged())
    each = [asyncio.run(counting(seen, folder / f"{number}.db", rate)) for number in range(_ROUNDS)]
    again, first = question_ms(folder / "ten.db")
    return [
        Figure(f"us of CPU a message, at {rate} a second", each, _LIMIT_US),
        Figure("ms for a question about 30 days", again, _LIMIT_MS),
        Figure("ms for the first such question of a process", first, _LIMIT_MS),
    ]


if __name__ == "__main__":
    main()
