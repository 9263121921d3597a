"""What the milter door itself costs, all checks off, beside a bare codec that answers.

Both are sent the same packets by the same client in the same run, in turns, each message in a
connection of its own, as Postfix does it. Counted is the CPU time of the serving process alone
between the first and the last message, after some messages to warm up. Figures of different
machines do not compare; the ratios do.

Usage: python -m bench.milter [--rounds N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich.console import Console

from bench.measure import cpu_seconds, machine
from bench.messages import plain_message
from bench.tables import OVER, limit_words, markdown, print_table
from tests.support import milter_packets as mta
from tests.support.gatepost import configuration, running_gatepost

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZES = {"2 KB": (2048, 1500), "50 KB": (51_200, 1000)}
# The bound is on the message of 50 KB, where the codec has most to do.
_LIMIT = 1.5
_POLICY = "version: 1\nname: pass-through\nheaders: none\n"
HEAD = ("case", "us CPU a message", "least-most", "ratio", "limit")


@contextlib.contextmanager
def echo() -> Iterator[tuple[int, int]]:
    """Run the yardstick; yield port and process."""
    command = [sys.executable, "-m", "bench.milter_echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def gatepost() -> Iterator[tuple[int, int]]:
    """Run Gatepost with one worker and no checks; yield port and process."""
    config = configuration("127.0.0.1:1", policies="policy.yaml")
    listener = config["listeners"][0]
    listener |= {"protocol": "milter", "direction": "inbound"}
    del listener["trusted_clients"]
    with running_gatepost(config, {"policy.yaml": _POLICY}) as daemon:
        (worker,) = daemon.worker_pids
        yield daemon.port, worker


def packets(size: int) -> tuple[bytes, bytes]:
    """Return what a mail server sends up to the recipient's answer, and the rest."""
    head, _, body = plain_message(size).partition(b"\r\n\r\n")
    fields: list[tuple[str, str]] = []
    for line in head.decode().split("\r\n"):
        if line[0] == "\t":
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line}")
        else:
            name, _, value = line.partition(":")
            fields.append((name, value))
    begin = (
        mta.offer()
        + mta.macros("C", j="mail.example.org", daemon_name="smtpd")
        + mta.connect()
        + mta.helo()
        + mta.macros("M", i="", auth_authen="")
        + mta.mail("<sender@example.net>", f"SIZE={size}")
        + mta.rcpt("<user@example.org>")
    )
    content = b"".join(mta.header(name, value) for name, value in fields) + mta.END_OF_HEADER
    return begin, content + mta.body(body)


def send(port: int, begin: bytes, content: bytes) -> None:
    """Send one message; it must be taken."""
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = sock.makefile("rb")
        for data, waits_for in ((begin, ("O", "c")), (content, ("cs",)), (mta.END_OF_MESSAGE, "c")):
            sock.sendall(data)
            for letters in waits_for:
                while chr(_letter(answers)) not in letters:
                    pass
        sock.sendall(mta.QUIT)


def _letter(answers: BinaryIO) -> int:
    size = int.from_bytes(answers.read(4), "big")
    return answers.read(size)[0]


def measure(rounds: int) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table."""
    used: dict[tuple[str, str], list[float]] = {}
    with echo() as yardstick, gatepost() as ours:
        servers = {"codec alone": yardstick, "Gatepost": ours}
        for words, (size, count) in _SIZES.items():
            begin, content = packets(size)
            for round_ in range(rounds + 1):
                for name, (port, pid) in servers.items():
                    # The first round warms up.
                    messages = count if round_ else count // 10
                    before = cpu_seconds(pid)
                    for _ in range(messages):
                        send(port, begin, content)
                    if round_:
                        spent = (cpu_seconds(pid) - before) / messages * 1e6
                        used.setdefault((words, name), []).append(spent)
    return [row for words in _SIZES for row in _rows(words, used)]


def _rows(
    words: str, used: dict[tuple[str, str], list[float]]
) -> Iterator[tuple[str, str, str, str, str]]:
    bare = statistics.median(used[words, "codec alone"])
    for name in ("codec alone", "Gatepost"):
        values = used[words, name]
        median = statistics.median(values)
        ratio = median / bare
        limited = name == "Gatepost" and words == "50 KB"
        yield (
            f"{name}, {words}",
            f"{median:.0f}",
            f"{min(values):.0f}-{max(values):.0f}",
            f"{ratio:.2f}",
            limit_words(ratio, _LIMIT) if limited else "",
        )


def main() -> int:
    """Measure, print, and write the results file if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="results file, in Markdown")
    options = parser.parse_args()
    rows = measure(options.rounds)
    print_table(Console(width=120), HEAD, rows)
    if options.write:
        options.write.write_text(
            f"# What the milter door costs\n\nMade by `python -m bench.milter --write "
            f"{options.write}`, median of {options.rounds} rounds.\nMachine: {machine()}.\n"
            f"How it is measured: the head of `bench/milter.py`.\n\n{markdown(HEAD, rows)}",
            "utf-8",
        )
    return int(any(row[-1].endswith(OVER) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
