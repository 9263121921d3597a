"""What a scrape costs: the CPU of who serves it, and that of the workers, who should have none.

Eight processes count as workers do, each with every check, every symbol and every list that a busy
site has, and stay alive; then their numbers are read as the supervisor reads them.

Usage: python -m bench.scrape [--workers N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import cpu_seconds, machine
from bench.tables import OVER, limit_words, markdown, print_table
from milter.telemetry.metrics import Metrics
from milter.telemetry.multiprocess import scraper, share_metrics
from policies.loader import load_symbols
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT_MS: Final = 100.0
_ROUNDS: Final = 7
_CHECKS: Final = 40
_LISTS: Final = 20
_READY: Final = b"counted\n"


def count() -> None:
    """Count as a worker does, with every series that a busy site has."""
    names = list(load_symbols())
    metrics = Metrics(symbols=names)
    for name in names:
        metrics.symbol(name)
    for number in range(_CHECKS):
        for result in ("ok", "error", "timeout"):
            metrics.check(f"check{number}", result, 0.001 * number)
    for number in range(_LISTS):
        for outcome in ("listed", "not_listed", "temperror"):
            metrics.dns_list(f"list{number}.example", outcome, 0.01)
        metrics.dns_list_up(f"list{number}.example", up=True)
    for listener, direction in (("a", "inbound"), ("b", "outbound"), ("c", "internal")):
        for action in Action:
            metrics.message(listener, direction, action.word, 4000)
            metrics.policy(f"policy-{listener}", action.word)
    for stage in ("connect", "mail", "rcpt", "data", "end"):
        metrics.next_hop(stage, 0.01)
    for operation in ("put", "present", "records", "take", "write", "sums"):
        metrics.store(operation, 0.001)
    metrics.scan(0.01)
    metrics.flush()


def worker(folder: Path, process: str) -> None:
    """Count, say so, and stay until the standard input ends."""
    share_metrics(folder, process)
    count()
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()


def scraped(folder: Path, workers: int) -> Iterator[tuple[float, float, int]]:
    """Give for each scrape the CPU of this process and of all workers in ms, and its series."""
    with ExitStack() as stack:
        pids = [_start(stack, folder, number) for number in range(workers)]
        scrape = scraper(folder, lambda: ())
        for _ in range(_ROUNDS):
            before, own = sum(map(cpu_seconds, pids)), time.process_time()
            text = scrape()
            spent = time.process_time() - own
            theirs = sum(map(cpu_seconds, pids)) - before
            series = sum(not line.startswith(b"#") for line in text.splitlines())
            yield spent * 1000, theirs * 1000, series


def _start(stack: ExitStack, folder: Path, number: int) -> int:
    command = [sys.executable, "-m", "bench.scrape", "--count", str(folder), str(number)]
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    )
    assert process.stdout is not None
    if process.stdout.readline() != _READY:
        raise RuntimeError("a worker did not count")
    return process.pid


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What a scrape costs.")
    parser.add_argument("--workers", type=int, default=8, help="processes that count")
    parser.add_argument("--write", type=Path, help="write the figures into this file, too")
    parser.add_argument("--count", nargs=2, metavar=("FOLDER", "NUMBER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        worker(Path(arguments.count[0]), arguments.count[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        # The first one finds the last worker on its way to sleep.
        _, *rounds = scraped(Path(folder), arguments.workers)
    # The least: what else this machine does can only add to it. Of the workers, the most.
    own, theirs = min(one[0] for one in rounds), max(one[1] for one in rounds)
    head = ("figure", "measured", "limit")
    name = f"ms of CPU for a scrape of {rounds[0][2]} series, {arguments.workers} workers"
    rows = [
        (name, f"{own:.1f}", limit_words(own, _LIMIT_MS)),
        ("ms of CPU in all workers meanwhile", f"{theirs:.2f}", limit_words(theirs, 0.0)),
    ]
    print_table(Console(width=120), head, rows)
    if arguments.write:
        arguments.write.write_text(f"{machine()}\n\n{markdown(head, rows)}", "utf-8")
    sys.exit(any(OVER in row[2] for row in rows))


if __name__ == "__main__":
    main()
