"""The daemon with a memory: greylisting over two workers, and a store that goes and comes back."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port
from tests.support.redis_server import a_redis

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


def a_configuration(sink: MailboxSink, store: str) -> dict[str, Any]:
    return configuration(
        f"127.0.0.1:{sink.port}",
        dns={"zone_file": "zone.yaml"},
        policies="policy.yaml",
        store=store,
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


def test_server_that_goes_keeps_no_mail_waiting_and_is_used_again_when_it_is_back() -> None:
    port = free_port()
    with (
        a_redis("--port", str(port)) as redis,
        running_sink() as sink,
        running_gatepost(a_configuration(sink, f"redis://127.0.0.1:{port}/0"), FILES) as daemon,
    ):
        assert send(daemon, UNKNOWN, 0).startswith(b"451 4.7.1 Try again"), daemon.log
        redis.stop()
        # What greylisting would have said is not known, and keeps nobody waiting.
        replies = [send(daemon, UNKNOWN, number) for number in range(1, 11)]
        assert [reply[:3] for reply in replies] == [b"250"] * 10, daemon.log
        wait_until(
            lambda: metric(daemon, 'gatepost_store_errors_total{reason="gone"}') > 0,
            lambda: daemon.log,
        )
        redis.start()
        wait_until(lambda: send(daemon, UNKNOWN, 99).startswith(b"451"), lambda: daemon.log)
        # A thread writes the log.
        wait_until(lambda: "store works again" in daemon.log, lambda: daemon.log)
