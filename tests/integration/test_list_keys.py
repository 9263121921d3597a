"""The key of a DNS list: it stands in the questions to its servers, and is shown nowhere else."""

from __future__ import annotations

import http.client
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import dns.message
import dns.rcode
import dns.rrset
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.dns_server import running_aside
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

KEY: Final = "s3cretlabel"
ZONE: Final = "zen.dq.spamhaus.net"
CLIENT: Final = "11.0.0.7"
POLICY: Final = """\
version: 1
name: site
extends: balanced
dns_lists:
  - {use: spamhaus-zen-dqs, key_file: dqs.key}
"""
MESSAGE: Final = (
    b"From: Ann <ann@example.net>\r\nTo: b@example.org\r\nSubject: hello\r\n"
    b"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nx\r\n"
)
# What tells of the listing at once; the store does once it has counted the message.
TELLING: Final = (
    *("policy show", "policy explain", "history show", "history search"),
    *("/metrics", "/v1/history"),
)
PAGES: Final = ("/metrics", "/readyz", "/v1/lists", "/v1/stats?window=1h", "/v1/history", "/")


def a_list(query: dns.message.Message) -> dns.message.Message:
    """Answer as a list that has its test point and the client, for whoever has the key."""
    response = dns.message.make_response(query)
    name = query.question[0].name
    listed = (f"2.0.0.127.{KEY}.{ZONE}.", f"7.0.0.11.{KEY}.{ZONE}.")
    if name.to_text().lower() in listed:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.2"))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response


def sent(daemon: Gatepost) -> bytes:
    """Return all replies to a message of the listed client."""
    with connected(daemon.port) as client:
        replies = [
            client.ask(line)
            for line in (
                b"EHLO proxy.example",
                b"XCLIENT ADDR=" + CLIENT.encode() + b" NAME=[UNAVAILABLE]",
                b"EHLO mx.example.net",
                b"MAIL FROM:<ann@example.net>",
                b"RCPT TO:<b@example.org>",
            )
        ]
        return b"".join([*replies, send_message(client, MESSAGE)])


def told(daemon: Gatepost, *words: str) -> bytes:
    """Return all that a command prints."""
    command = [sys.executable, "-m", "milter", *words]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120, cwd=daemon.folder)
    assert b"Usage:" not in done.stderr, words
    return done.stdout + done.stderr


def fetched(daemon: Gatepost, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer token"})
        return connection.getresponse().read()
    finally:
        connection.close()


def counted(daemon: Gatepost) -> dict[str, float]:
    """Return how many listings of the list were counted, and how many of its times."""
    found = {}
    for family in text_string_to_metric_families(fetched(daemon, "/metrics").decode()):
        for sample in family.samples:
            ours = sample.labels.get("zone") == ZONE
            if ours and sample.labels.get("outcome", "listed") == "listed":
                found[sample.name.removeprefix("gatepost_dns_list_")] = sample.value
    return {name: found.get(name, 0.0) for name in ("queries_total", "seconds_count")}


def shown(daemon: Gatepost) -> Iterator[tuple[str, bytes]]:
    """Yield all that people and programs can read, each with where it stands."""
    config, txn_id = "gatepost.yaml", daemon.transactions[0]["txn_id"]
    for words in (
        ("config", "show", "-c", config),
        ("config", "check", config),
        ("policy", "show", "policy.yaml"),
        ("policy", "lint", "policy.yaml"),
        ("policy", "explain", txn_id, "-c", config),
        ("lists", "status", "-c", config, "--json"),
        ("lists", "probe", "-c", config),
        ("lists", "probe", "-c", config, "--json"),
        ("history", "show", txn_id, "-c", config),
        ("history", "search", "--json", "-c", config),
        ("trace", "ann@example.net", "-c", config),
        ("scan", "mail.eml", "--client-ip", CLIENT, "--policy", "policy.yaml", "--explain"),
        ("scan", "mail.eml", "--client-ip", CLIENT, "--policy", "policy.yaml", "--json"),
    ):
        yield " ".join(words), told(daemon, *words)
    for path in PAGES:
        yield path, fetched(daemon, path)
    for file in daemon.folder.rglob("*"):
        if file.is_file() and file.name != "dqs.key":
            yield str(file), file.read_bytes()


def test_key_is_asked_with_and_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token\n")
    with running_sink() as sink, running_aside(a_list) as server:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            dns={"nameservers": [f"127.0.0.1:{server.port}"]},
            policies="policy.yaml",
            store="sqlite:gatepost.db",
            history={"days": 1},
            log={"format": "json", "level": "debug"},
        )
        config["http"]["token_file"] = str(tmp_path / "token")
        files = {"policy.yaml": POLICY, "dqs.key": f"{KEY}\n", "mail.eml": MESSAGE.decode()}
        with running_gatepost(config, files) as daemon:
            replies = sent(daemon)
            wait_until(lambda: bool(daemon.transactions))
            wait_until(lambda: b"SPAMHAUS_SBL" in fetched(daemon, "/v1/history"))
            wait_until(lambda: counted(daemon) == {"queries_total": 1.0, "seconds_count": 1.0})
            places = dict(shown(daemon))

        asked = [query.question[0].name.to_text().lower() for query in server.queries]
        passed = b"".join(message.content for message in sink.messages)
    assert f"7.0.0.11.{KEY}.{ZONE}." in asked
    telling = [place for place, text in places.items() if b"SPAMHAUS_SBL" in text]
    assert [words for words in TELLING if not any(p.startswith(words) for p in telling)] == []
    assert [place for place, text in places.items() if KEY.encode() in text.lower()] == []
    assert KEY.encode() not in replies.lower() + passed.lower()
