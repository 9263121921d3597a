"""The daemon with a memory: greylisting over two workers, and a store that goes and comes back."""

from __future__ import annotations

import http.client
import json
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from reputation.errors import StoreError
from reputation.history.record import unpacked
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port
from tests.support.redis_server import RunningRedis, a_redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

POLICY = """\
version: 1
name: site
extends: strict
dns_lists: []
weights: {IPREV_MISSING: 2}
"""
ZONE = """\
names:
  192.0.2.1: {PTR: [mail.example.com]}
  mail.example.com: {A: [192.0.2.1]}
  example.com: {A: [192.0.2.1], MX: [[10, mail.example.com]], TXT: ["v=spf1 ip4:192.0.2.1 -all"]}
  plain.example: {A: [192.0.2.50], MX: [[10, plain.example]]}
"""
KNOWN = ("192.0.2.1", "mail.example.com", "alice@example.com")
UNKNOWN = ("192.0.2.50", "[UNAVAILABLE]", "news@plain.example")


def send(daemon: Gatepost, who: tuple[str, str, str], number: int) -> bytes:
    """Send a message; return the reply to its end."""
    address, name, sender = who
    with connected(daemon.port) as client:
        client.ask(b"EHLO localhost")
        client.ask(f"XCLIENT ADDR={address} NAME={name}".encode())
        client.ask(b"EHLO plain.example")
        assert client.ask(f"MAIL FROM:<{sender}>".encode()).startswith(b"250")
        assert client.ask(b"RCPT TO:<bob@example.org>").startswith(b"250")
        assert client.ask(b"DATA").startswith(b"354")
        client.send(
            f"From: <{sender}>\r\nTo: bob@example.org\r\nSubject: Hello\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@x.example>\r\n\r\n"
            "Hello\r\n.\r\n".encode()
        )
        return client.reply()


def metric(daemon: Gatepost, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def standing(daemon: Gatepost, subject: str) -> list[dict[str, Any]]:
    """Return what `gatepost reputation show` prints."""
    command = [sys.executable, "-m", "milter", "reputation", "show", subject, "--json"]
    shown = subprocess.run(
        [*command, "-c", str(daemon.config_path)], capture_output=True, text=True, check=True
    )
    told: list[dict[str, Any]] = json.loads(shown.stdout)
    return told


def a_configuration(sink: MailboxSink, store: str, **memory: Any) -> dict[str, Any]:
    return configuration(
        f"127.0.0.1:{sink.port}",
        dns={"zone_file": "zone.yaml"},
        policies="policy.yaml",
        store=store,
        # However busy the machine is: no answer of a store that works comes too late.
        memory={"timeout_s": 10, **memory},
        workers=2,
    )


FILES = {"zone.yaml": ZONE, "policy.yaml": POLICY}


def test_daemon_greylists_who_is_unknown_and_remembers_who_is_not() -> None:
    with (
        running_sink() as sink,
        running_gatepost(a_configuration(sink, "sqlite:state/s.db"), FILES) as daemon,
    ):
        for number in range(4):
            # Whichever worker takes it: the first try is deferred, and so is the next, too soon.
            assert send(daemon, UNKNOWN, number).startswith(b"451 4.7.1 Try again"), daemon.log
        for number in range(12):
            assert send(daemon, KNOWN, number).startswith(b"250"), daemon.log
        subject = "author_domain:example.com"
        wait_until(
            lambda: [one["count"] > 11.9 for one in standing(daemon, subject)] == [True],
            lambda: daemon.log,
        )
        (told,) = standing(daemon, subject)
        assert (told["score"], told["trusted"]) == (-1, True)
        assert standing(daemon, "claimed_domain:plain.example") == []
        assert len(sink.messages) == 12


def readable(file: Path) -> bytes:
    """Return all that a store holds, and what is packed in it unpacked."""
    told = bytearray()
    with closing(sqlite3.connect(file)) as store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in store.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of its own
                for value in row:
                    data = value if isinstance(value, bytes) else str(value).encode()
                    told += data + b"\n"
                    with suppress(zlib.error):
                        told += zlib.decompress(data) + b"\n"
                    with suppress(StoreError):
                        told += str(unpacked(data)).encode() + b"\n"
    return bytes(told)


@pytest.mark.parametrize("kept", ["plain", "hashed"])
def test_store_names_nobody_where_privacy_asks(tmp_path: Path, kept: str) -> None:
    file = tmp_path / "private" / "s.db"
    with running_sink() as sink:
        settings = a_configuration(sink, f"sqlite:{file}", subjects=kept)
        settings |= {"history": {"addresses": kept}}
        with running_gatepost(settings, FILES) as daemon:
            assert send(daemon, KNOWN, 1).startswith(b"250"), daemon.log
            assert send(daemon, UNKNOWN, 2).startswith(b"451"), daemon.log

    told = readable(file)
    # The history of both messages was written.
    assert told.count(b"txn_id=") == 2
    names = (b"alice@", b"bob@", b"news@", b"author_domain:")
    named = [one for one in names if one in told]
    assert named == ([*names] if kept == "plain" else [])


@pytest.mark.parametrize(
    ("reason", "fail", "recover"),
    [
        pytest.param("gone", RunningRedis.stop, RunningRedis.start, id="gone"),
        pytest.param("slow", RunningRedis.hang, RunningRedis.go_on, id="hangs"),
    ],
)
def test_server_that_fails_keeps_no_mail_waiting_and_is_used_again_when_it_is_back(
    reason: str, fail: Callable[[RunningRedis], None], recover: Callable[[RunningRedis], None]
) -> None:
    port = free_port()
    with (
        a_redis("--port", str(port)) as redis,
        running_sink() as sink,
        running_gatepost(
            a_configuration(sink, f"redis://127.0.0.1:{port}/0", timeout_s=0.5), FILES
        ) as daemon,
    ):
        wait_until(
            lambda: send(daemon, UNKNOWN, 0).startswith(b"451 4.7.1 Try again"), lambda: daemon.log
        )
        fail(redis)
        # What greylisting would have said is not known, and keeps nobody waiting.
        replies = [send(daemon, UNKNOWN, number) for number in range(1, 11)]
        assert [reply[:3] for reply in replies] == [b"250"] * 10, daemon.log
        wait_until(
            lambda: metric(daemon, f'gatepost_store_errors_total{{reason="{reason}"}}') > 0,
            lambda: daemon.log,
        )
        recover(redis)
        wait_until(lambda: send(daemon, UNKNOWN, 99).startswith(b"451"), lambda: daemon.log)
        # A thread writes the log.
        wait_until(lambda: "store works again" in daemon.log, lambda: daemon.log)
