"""What mail costs behind a real Postfix: Gatepost's milter beside rspamd's.

    python -m bench.milter_peers [--write bench/results/milter_peers.md] [--rounds 3]

One Postfix has two ports, each with one of the filters as its milter, and throws away what it
takes. Both ask one local name server that knows no names, both are configured as they are delivered
(`bench/peer_daemons.py`), and Gatepost has a store. Counted is the CPU time of all processes of
Gatepost, and of rspamd's process that speaks the milter protocol and scans, between the first and
the last message; in each round they take turns. The ratio is that of the rounds' medians. Beside it
stands how long a message took from its client's first word to the last, Postfix included.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.messages import plain_message
from bench.peer_daemons import CLIENT_IP, HELO, MAIL_FROM, RCPT, Peer, rspamd_milter
from bench.tables import OVER, limit_words, markdown, print_table
from tests.support.dns_stub import running_dns_stub
from tests.support.gatepost import configuration, running_gatepost
from tests.support.ports import free_ports
from tests.support.postfix import running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = (
    *("message", "filter", "ms a message"),
    *("us CPU a message", "least-most", "of rspamd's", "limit"),
)
# At most so much of rspamd's CPU time.
_LIMIT: Final = 0.5
# By size: octets, and messages of a round.
_SIZES: Final = {"2 KB": (2048, 200), "50 KB": (51_200, 100)}
_WARM: Final = 20
_ENVELOPE: Final = Envelope(CLIENT_IP, HELO, MAIL_FROM, (RCPT,))


@contextlib.contextmanager
def gatepost_milter(dns_port: int) -> Iterator[Peer]:
    """Run Gatepost with the preset `balanced` and a store; its port speaks the milter protocol."""
    (port,) = free_ports(1)
    config = configuration(
        "127.0.0.1:1",
        dns={"nameservers": [f"127.0.0.1:{dns_port}"]},
        store="sqlite:state/gatepost.db",
    )
    listener = {"name": "inbound", "protocol": "milter", "bind": f"127.0.0.1:{port}"}
    config["listeners"] = [listener | {"recipient_domains": ["example.org"]}]
    with running_gatepost(config) as daemon:
        yield Peer("gatepost", daemon.process.pid, port)


@contextlib.contextmanager
def postfix(peers: list[Peer]) -> Iterator[dict[str, int]]:
    """Run Postfix; give its port for each filter."""
    ports = dict(zip((peer.name for peer in peers), free_ports(len(peers)), strict=True))
    services = [
        f"127.0.0.1:{ports[peer.name]} inet n - n - - smtpd\n"
        f"  -o smtpd_milters=inet:127.0.0.1:{peer.port}\n"
        "  -o smtpd_authorized_xclient_hosts=127.0.0.0/8\n"
        "  -o smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination"
        for peer in peers
    ]
    main = {
        "relay_domains": "example.org",
        "relay_transport": "discard:measured",
        "milter_default_action": "tempfail",
    }
    with running_postfix(main, services):
        yield ports


def send(port: int, mail: bytes, count: int) -> None:
    """Send `count` messages; each must be taken.

    Raises:
        RuntimeError: One is refused, which costs less than what is to be measured.
    """
    for _ in range(count):
        reply = send_message(port, _ENVELOPE, mail)
        if reply.code >= 300:
            raise RuntimeError(f"refused: {reply}")


def measure(peers: list[Peer], rounds: int) -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    used: dict[tuple[str, str], list[float]] = {}
    took: dict[tuple[str, str], list[float]] = {}
    with postfix(peers) as ports:
        for words, (size, count) in _SIZES.items():
            mail = plain_message(size)
            for peer in peers:
                send(ports[peer.name], mail, _WARM)
                peer.settle()
            for _ in range(rounds):
                for peer in peers:
                    before, begun = peer.cpu_s(), time.monotonic()
                    send(ports[peer.name], mail, count)
                    spent = (peer.cpu_s() - before) / count * 1e6
                    lasted = (time.monotonic() - begun) / count * 1e3
                    used.setdefault((words, peer.name), []).append(spent)
                    took.setdefault((words, peer.name), []).append(lasted)
    return [_row(words, name, used, took) for words, name in used]


def _row(
    words: str,
    name: str,
    used: dict[tuple[str, str], list[float]],
    took: dict[tuple[str, str], list[float]],
) -> tuple[str, ...]:
    values, yardstick = used[words, name], used.get((words, "rspamd"))
    median = statistics.median(values)
    ratio = median / statistics.median(yardstick) if yardstick else None
    limited = ratio is not None and name == "gatepost"
    return (
        *(words, name, f"{statistics.median(took[words, name]):.1f}"),
        *(f"{median:.0f}", f"{min(values):.0f}-{max(values):.0f}"),
        f"{ratio:.2f}" if ratio is not None else "-",
        limit_words(ratio, _LIMIT) if limited and ratio is not None else "-",
    )


def main() -> int:
    """Measure, print, write; return 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description="Milters behind the same Postfix")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as running:
        dns_port = running.enter_context(running_dns_stub(nxdomain=True))
        started = [
            running.enter_context(start(dns_port)) for start in (gatepost_milter, rspamd_milter)
        ]
        table = measure([peer for peer in started if peer is not None], arguments.rounds)
    print_table(Console(), HEAD, table)
    if arguments.write:
        arguments.write.write_text(
            "# What mail costs behind Postfix, beside rspamd\n\n"
            f"Made by `python -m bench.milter_peers --write {arguments.write}`, "
            f"{arguments.rounds} rounds in turns.\nMachine: {machine()}.\n"
            "How it is measured: the head of `bench/milter_peers.py`.\n\n" + markdown(HEAD, table),
            "utf-8",
        )
    return int(any(OVER in row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
