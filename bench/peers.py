"""What a whole scan costs, beside rspamd and spamd from Debian.

    python -m bench.peers [--write bench/results/peers.md] [--rounds 3]

Each filter runs as its daemon, asked over its own protocol by the same client, with the same
envelope; all ask one local name server that knows no names (`bench/peer_daemons.py` says how they
are configured). Gatepost has every check of the preset `balanced`, and a store. Counted is the CPU
time of all processes of a daemon between the first and the last message; in each round they take
turns. The ratio is that of the rounds' median. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.content import sample
from bench.measure import machine
from bench.peer_daemons import gatepost, rspamd, spamd
from bench.tables import OVER, limit_words, markdown, print_table
from tests.support.dns_stub import running_dns_stub
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.peer_daemons import Peer

# At most so much of rspamd's CPU time.
LIMITS: Final = {"spamassassin": 0.4, "phishing_pot": 0.5}
HEAD: Final = (
    "corpus",
    "messages",
    "filter",
    "us CPU a message",
    "least-most",
    "of rspamd's",
    "limit",
)
_EVERY: Final = {"spamassassin": 60, "phishing_pot": 24}
_WARM: Final = 20


def cost_us(peer: Peer, mails: Sequence[bytes]) -> float:
    """Return microseconds of CPU a message."""
    begun = peer.cpu_s()
    for mail in mails:
        peer.scan(mail)
    return (peer.cpu_s() - begun) / len(mails) * 1e6


def rows(
    name: str, mails: Sequence[bytes], peers: Sequence[Peer], rounds: int
) -> list[tuple[str, ...]]:
    """Return a row for each filter."""
    for peer in peers:
        for mail in mails[:_WARM]:
            peer.scan(mail)
        peer.settle()
    figures: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            figures[peer.name].append(cost_us(peer, mails))
    yardstick = figures.get("rspamd")
    return [_row(name, len(mails), peer.name, figures[peer.name], yardstick) for peer in peers]


def _row(
    corpus: str, count: int, name: str, costs: Sequence[float], yardstick: Sequence[float] | None
) -> tuple[str, ...]:
    ratio = statistics.median(costs) / statistics.median(yardstick) if yardstick else None
    limit = limit_words(ratio, LIMITS[corpus]) if ratio is not None and name == "gatepost" else "-"
    return (
        *(corpus, str(count), name, f"{statistics.median(costs):.0f}"),
        f"{min(costs):.0f}-{max(costs):.0f}",
        f"{ratio:.2f}" if ratio is not None else "-",
        limit,
    )


def _versions() -> str:
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "rspamd", "spamd"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "unknown"
    return told.strip(" ,") or "none installed"


def main() -> int:
    """Measure, print, write; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description="What a whole scan costs, beside other filters")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    console = Console()
    table: list[tuple[str, ...]] = []
    with ExitStack() as running:
        dns_port = running.enter_context(running_dns_stub(nxdomain=True))
        started = [running.enter_context(start(dns_port)) for start in (gatepost, rspamd, spamd)]
        peers = [peer for peer in started if peer is not None]
        for name in LIMITS:
            archive = SHARED / "corpora" / f"{name}.tar.xz"
            if not archive.exists():
                console.print(f"{name}: skipped, for {archive} is not there")
                continue
            table += rows(name, sample(archive, _EVERY[name]), peers, arguments.rounds)
    print_table(console, HEAD, table)
    if arguments.write and table:
        arguments.write.write_text(
            "# What a whole scan costs, beside other filters\n\n"
            f"Made by `python -m bench.peers --write {arguments.write}`, {arguments.rounds} rounds "
            f"in turns.\nMachine: {machine()}. Filters: {_versions()}.\n"
            "How it is measured: the head of `bench/peers.py`.\n\n" + markdown(HEAD, table),
            "utf-8",
        )
    return int(any(OVER in row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
