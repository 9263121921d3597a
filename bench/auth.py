"""What authentication costs, beside the plain libraries that do the same, in one run and in turns.

The DNS is a mapping in memory for both, so that only the work on the answers counts. A case runs
some thousand times in a round; the figure is the median of the rounds, in microseconds of CPU time
of this process. Figures of different machines do not compare; the ratios do.

Usage: python -m bench.auth [--rounds N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
import warnings
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from bench.auth_cases import Case, Zone
from bench.measure import machine
from bench.signatures import arc_cases, dkim_cases
from bench.tables import OVER, limit_words, markdown, print_table
from milter.auth.spf import SpfMeans, SpfMemory, check_spf
from milter.core.address import Mailbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

CLIENT: Final = IPv4Address("192.0.2.10")
SENDER: Final = Mailbox("sender", "example.net")
HELO: Final = "client.example.net"
HEAD: Final = ("case", "us CPU", "least-most", "beside", "ratio", "limit")


def spf_zone(lookups: int) -> dict[str, object]:
    """Return a zone in which the last of `lookups` questions lets the client pass."""
    names: dict[str, object] = {
        f"_spf{i}.example.net": {
            "TXT": [f"v=spf1 ip4:198.51.{100 + i}.0/24 ip4:203.0.113.{i * 8}/29 ~all"]
        }
        for i in range(1, lookups - 1)
    }
    last = f"_spf{lookups - 1}.example.net"
    names[last] = {"TXT": ["v=spf1 ip4:192.0.2.0/24 ~all"]}
    terms = " ".join(f"include:_spf{i}.example.net" for i in range(1, lookups))
    names["example.net"] = {"TXT": [f"v=spf1 {terms} -all"]}
    if lookups == 1:
        names["example.net"] = {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}
    return names


def spf_cases(lookups: int, count: int) -> list[Case]:
    """Return the rows of SPF with `lookups` questions."""
    zone = Zone(spf_zone(lookups))
    remembering = SpfMeans(memory=SpfMemory(time.monotonic))

    async def cold() -> object:
        return await check_spf(CLIENT, SENDER, HELO, zone)

    async def cached() -> object:
        return await check_spf(CLIENT, SENDER, HELO, zone, remembering)

    async def plain() -> object:
        return _plain_spf(zone)

    results = (asyncio.run(_word(cold)), asyncio.run(_word(cached)), _plain_spf(zone)[0])
    assert results == ("pass", "pass", "pass")
    what = f"SPF, {lookups} look-up{'s' if lookups > 1 else ''}"
    nine = "SPF, 9 look-ups, plain pyspf"
    return [
        Case(f"{what}, plain pyspf", plain, count),
        Case(f"{what}, evaluated", cold, count, f"{what}, plain pyspf", 1.0),
        Case(f"{what}, remembered", cached, count * 10, nine, 0.1),
    ]


def _plain_spf(zone: Zone) -> tuple[str, int, str]:
    import spf  # noqa: PLC0415 - it warns where it is imported, and only this case needs it

    spf.DNSLookup = lambda name, rrtype, *_: zone.plain(name, rrtype)
    query: Any = spf.query(i=str(CLIENT), s=str(SENDER), h=HELO)
    said: tuple[str, int, str] = query.check()
    return said


async def _word(work: Callable[[], Awaitable[Any]]) -> str:
    return str((await work()).result)


def cases() -> list[Case]:
    """Return all rows, each yardstick before what is compared with it."""
    return [*spf_cases(9, 300), *spf_cases(1, 2000), *dkim_cases(), *arc_cases()]


def measure(rows: Sequence[Case], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of each case in each round."""
    figures: dict[str, list[float]] = {case.words: [] for case in rows}
    for _ in range(rounds):
        for case in rows:
            figures[case.words].append(asyncio.run(_microseconds(case)))
    return figures


async def _microseconds(case: Case) -> float:
    for _ in range(max(1, case.count // 10)):
        await case.work()
    started = time.process_time()
    for _ in range(case.count):
        await case.work()
    return (time.process_time() - started) / case.count * 1e6


def table(rows: Sequence[Case], figures: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Return the rows of the table in words."""
    lines: list[tuple[str, ...]] = []
    for case in rows:
        spent = figures[case.words]
        cost, spread = f"{statistics.median(spent):.1f}", f"{min(spent):.1f}-{max(spent):.1f}"
        if not case.yardstick:
            lines.append((case.words, cost, spread, "", "", ""))
            continue
        # The median of the ratios in each round: the two ran next to each other.
        pairs = zip(spent, figures[case.yardstick], strict=True)
        ratio = statistics.median([mine / theirs for mine, theirs in pairs])
        kept = limit_words(ratio, case.limit) if case.limit else ""
        lines.append((case.words, cost, spread, case.yardstick, f"{ratio:.3f}", kept))
    return lines


def main() -> int:
    """Measure, print, and write the results file if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="results file, in Markdown")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = cases()
    lines = table(rows, measure(rows, options.rounds))
    print_table(Console(width=140), HEAD, lines)
    if options.write:
        options.write.write_text(
            "# What authentication costs\n\n"
            f"Made by `python -m bench.auth --write {options.write}`, median of {options.rounds}"
            f" rounds.\nMachine: {machine()}.\nHow it is measured: the head of `bench/auth.py`.\n\n"
            f"{markdown(HEAD, lines)}",
            "utf-8",
        )
    return int(any(row[-1].endswith(OVER) for row in lines))


if __name__ == "__main__":
    sys.exit(main())
