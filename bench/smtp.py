"""What a message costs the worker, beside a stock aiosmtpd that takes it and throws it away.

Both are sent the same messages by the same client in the same run, in turns. Counted is the CPU
time of the serving process alone (Gatepost: its one worker) between the first and the last message,
after some messages to warm up, so that starting is not counted. Gatepost relays to Postfix's
smtp-sink, whose time counts for nobody. Figures of different machines do not compare; the ratios
do. The policy with checks asks who sends, what lists say, whether the form is right, and looks for
a few patterns (smtp_checks.yaml); what judging the whole content costs, `bench.content` and
`bench.peers` show.

Usage: python -m bench.smtp [--rounds N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console

from bench.measure import cpu_seconds, machine, pss_kib
from bench.messages import CLIENT_IP, plain_message, signed_message, zone
from bench.tables import OVER, limit_words, markdown, print_table
from tests.support.gatepost import configuration, running_gatepost
from tests.support.smtp_sink import running_smtp_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent
_IDLE_SESSIONS = 1000
_IDLE_LIMIT_KIB = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process under load."""

    name: str
    port: int
    pid: int
    xclient: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        words: What is measured.
        server: Name of the server.
        message: Name of the message's file.
        kept: Whether one connection carries all messages.
        count: Messages a round.
        yardstick: Words of the case that this one is compared with; empty when it is one itself.
        limit: Largest ratio to it.
    """

    words: str
    server: str
    message: str
    kept: bool
    count: int
    yardstick: str = ""
    limit: float = 0.0


CASES = (
    Case("stock sink, 2 KB, kept connection", "stock", "2k", True, 2000),
    Case("stock sink, 50 KB, kept connection", "stock", "50k", True, 500),
    Case("stock sink, 2 KB, new connection", "stock", "2k", False, 600),
    Case("stock sink, 50 KB, new connection", "stock", "50k", False, 400),
    Case("pass-through with relaying, 2 KB, kept connection", "pass", "2k", True, 2000,
         "stock sink, 2 KB, kept connection", 0.5),
    Case("pass-through with relaying, 50 KB, kept connection", "pass", "50k", True, 1000,
         "stock sink, 50 KB, kept connection", 0.25),
    Case("pass-through with relaying, 2 KB, new connection", "pass", "2k", False, 600,
         "stock sink, 2 KB, new connection", 0.5),
    Case("pass-through with relaying, 50 KB, new connection", "pass", "50k", False, 600,
         "stock sink, 50 KB, new connection", 0.3),
    Case("with checks, 2 KB unsigned, kept connection", "checks", "2k", True, 1000,
         "stock sink, 2 KB, kept connection", 2.0),
    Case("with checks, 2 KB signed RSA-2048, kept connection", "checks", "2k-signed", True, 1000,
         "stock sink, 2 KB, kept connection", 3.0),
)  # fmt: skip

POLICIES = {
    "pass": "version: 1\nname: pass-through\nheaders: none\n",
    "checks": (_FOLDER / "smtp_checks.yaml").read_text("utf-8"),
}


@dataclass(slots=True)
class Figures:
    """Milliseconds of CPU a message, by the words of the case, one value a round."""

    by_case: dict[str, list[float]] = field(default_factory=dict)

    def median(self, words: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.by_case[words])

    def ratio(self, case: Case) -> float:
        """Return how many times the yardstick's cost the case costs."""
        return self.median(case.words) / self.median(case.yardstick)


@contextlib.contextmanager
def stock_sink() -> Iterator[Server]:
    """Run the yardstick."""
    command = [sys.executable, str(_FOLDER / "sink.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Server("stock", int(process.stdout.readline()), process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def gatepost(name: str, next_hop: int, dns_zone: str) -> Iterator[Server]:
    """Run Gatepost with one worker and the policy of this name."""
    config = configuration(
        f"127.0.0.1:{next_hop}",
        policies="policy.yaml",
        dns={"zone_file": "zone.yaml"},
        limits={"sessions": 2 * _IDLE_SESSIONS},
        log={"level": "info"},
    )
    if name == "pass":
        # What relaying costs is asked here; who the client is, only checks tell the next hop.
        config["next_hop"] |= {"pass_client": "none"}
    files = {"policy.yaml": POLICIES[name], "zone.yaml": dns_zone}
    with running_gatepost(config, files) as daemon:
        (worker,) = daemon.worker_pids
        # Only checks care who the client is, and the yardstick is spared XCLIENT and a second EHLO.
        yield Server(name, daemon.port, worker, f"ADDR={CLIENT_IP}" if name == "checks" else "")


def send(server: Server, case: Case, folder: Path, count: int) -> None:
    """Have the client send `count` messages; every one of them must be taken."""
    command = [
        sys.executable,
        str(_FOLDER / "load.py"),
        str(server.port),
        str(folder / case.message),
        str(count),
    ]
    command += [] if case.kept else ["--new"]
    command += ["--xclient", server.xclient] if server.xclient else []
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
    answer = json.loads(done.stdout)
    if answer["codes"] != {"250": count}:
        raise RuntimeError(f"{case.words}: not every message was taken: {answer}")


def warm_up(servers: dict[str, Server], folder: Path) -> None:
    """Have every server do once what it does later, with small messages alone."""
    for case in CASES:
        if case.message != "50k":
            send(servers[case.server], case, folder, case.count // 10)


def measure(servers: dict[str, Server], folder: Path, rounds: int, figures: Figures) -> None:
    """Measure every case once a round, so that what disturbs the machine disturbs all."""
    for _ in range(rounds):
        for case in CASES:
            server = servers[case.server]
            before = cpu_seconds(server.pid)
            send(server, case, folder, case.count)
            used = (cpu_seconds(server.pid) - before) * 1000 / case.count
            figures.by_case.setdefault(case.words, []).append(used)


def idle_kib(server: Server) -> float:
    """Return how much one idle session adds, after its EHLO, in KiB of PSS."""
    with contextlib.ExitStack() as stack:
        before = pss_kib(server.pid)
        for _ in range(_IDLE_SESSIONS):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            replies = stack.enter_context(sock.makefile("rb"))
            greeting = replies.readline()
            sock.sendall(b"EHLO client.example.net\r\n")
            while (reply := replies.readline())[3:4] == b"-":
                pass
            if not greeting.startswith(b"220") or not reply.startswith(b"250"):
                raise RuntimeError(f"{server.name} did not take {_IDLE_SESSIONS} sessions")
        return (pss_kib(server.pid) - before) / _IDLE_SESSIONS


def case_rows(figures: Figures) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table of costs."""
    rows = []
    for case in CASES:
        cost = f"{figures.median(case.words):.3f}"
        spread = "-".join(f"{edge(figures.by_case[case.words]):.3f}" for edge in (min, max))
        if case.yardstick:
            ratio = figures.ratio(case)
            rows.append((case.words, cost, spread, f"{ratio:.2f}", limit_words(ratio, case.limit)))
        else:
            rows.append((case.words, cost, spread, "", ""))
    return rows


def idle_rows(idle: dict[str, float]) -> list[tuple[str, str, str]]:
    """Return the rows of the table of memory."""
    gatepost_row = limit_words(idle["pass"], _IDLE_LIMIT_KIB)
    return [
        ("stock sink", f"{idle['stock']:.1f}", ""),
        ("Gatepost", f"{idle['pass']:.1f}", gatepost_row),
    ]


COST_HEAD = ("case", "ms CPU a message", "least-most", "ratio", "limit")
IDLE_HEAD = (f"{_IDLE_SESSIONS} idle sessions", "KiB PSS each", "limit")


def run(rounds: int) -> tuple[Figures, dict[str, float]]:
    """Start everything, measure, stop everything."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as path, contextlib.ExitStack() as stack:
        folder = Path(path)
        signed = signed_message(plain_message(2048))
        (folder / "2k").write_bytes(plain_message(2048))
        (folder / "50k").write_bytes(plain_message(51200))
        (folder / "2k-signed").write_bytes(signed.message)
        sink = stack.enter_context(running_smtp_sink("-m", "500", dump=False))
        dns_zone = yaml.safe_dump(zone(signed.record))
        servers = {"stock": stack.enter_context(stock_sink())}
        for name in POLICIES:
            servers[name] = stack.enter_context(gatepost(name, sink.port, dns_zone))
        # Before large messages have left room in the heap that sessions could use unseen.
        warm_up(servers, folder)
        idle = {name: idle_kib(servers[name]) for name in ("stock", "pass")}
        measure(servers, folder, rounds, figures)
    return figures, idle


def main() -> int:
    """Measure, print, and write the results file if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="results file, in Markdown")
    options = parser.parse_args()
    figures, idle = run(options.rounds)
    costs, memory = case_rows(figures), idle_rows(idle)
    console = Console(width=140)
    print_table(console, COST_HEAD, costs)
    print_table(console, IDLE_HEAD, memory)
    if options.write:
        command = "make bench" + (f" BENCH_ARGS='--write {options.write}'")
        options.write.write_text(
            f"# What a message costs\n\nMade by `{command}`, median of {options.rounds} rounds.\n"
            f"Machine: {machine()}.\nHow it is measured: the head of `bench/smtp.py`.\n\n"
            f"{markdown(COST_HEAD, costs)}\n{markdown(IDLE_HEAD, memory)}",
            "utf-8",
        )
    return int(any(row[-1].endswith(OVER) for row in (*costs, *memory)))


if __name__ == "__main__":
    sys.exit(main())
