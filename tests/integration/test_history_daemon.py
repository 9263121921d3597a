"""The history of a real daemon: two workers, a restart in the middle, found from outside."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_memory_daemon import FILES, KNOWN, UNKNOWN, a_configuration, send
from tests.support import milter_packets as mta
from tests.support.gatepost import Gatepost, running_gatepost
from tests.support.line_client import connected
from tests.support.mailbox_sink import running_sink
from tests.support.milter_door import MailServer
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def asked(daemon: Gatepost, *words: str) -> subprocess.CompletedProcess[str]:
    """Return what a command over the daemon's configuration ends with."""
    command = [sys.executable, "-m", "milter", *words, "-c", str(daemon.config_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def found(daemon: Gatepost, *words: str) -> list[dict[str, Any]]:
    said = asked(daemon, "history", "search", "--json", *words).stdout
    return [json.loads(line) for line in said.splitlines()]


def over_http(daemon: Gatepost, path: str, token: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=20)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    status, body = answer.status, json.loads(answer.read())
    connection.close()
    return status, body


def test_history_of_two_workers_survives_a_restart(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with running_sink() as sink:
        config = a_configuration(sink, f"sqlite:{tmp_path}/s.db")
        config["http"] = {**config["http"], "token_file": str(tmp_path / "token")}
        with running_gatepost(config, FILES) as daemon:
            for number in range(6):
                assert send(daemon, KNOWN, number).startswith(b"250"), daemon.log
            assert send(daemon, UNKNOWN, 6).startswith(b"451"), daemon.log
            assert daemon.stop() == 0
        with running_gatepost(config, FILES) as daemon:
            for number in range(7, 10):
                assert send(daemon, KNOWN, number).startswith(b"250"), daemon.log
            wait_until(lambda: len(found(daemon)) == 10, lambda: daemon.log)

            ids = {each["message_id"] for each in found(daemon)}
            assert ids == {f"<{number}@x.example>" for number in range(10)}
            (deferred,) = found(daemon, "--action", "defer")
            assert deferred["mail_from"] == "news@plain.example"
            assert deferred["version"] in daemon.log

            traced = asked(daemon, "trace", "news@plain.example", "bob@example.org")
            assert traced.returncode == 0, traced.stderr
            assert traced.stdout.startswith("Deferred at ")
            assert (
                deferred["txn_id"] in asked(daemon, "policy", "explain", deferred["txn_id"]).stdout
            )
            again = asked(daemon, "history", "replay")
            assert again.stdout == "0 of 10 messages change\n", again.stderr

            assert over_http(daemon, "/v1/history")[0] == 401
            status, body = over_http(daemon, "/v1/history?action=defer", "secret")
            assert (status, [one["txn_id"] for one in body["messages"]]) == (
                200,
                [deferred["txn_id"]],
            )
            status, body = over_http(daemon, f"/v1/history/{deferred['txn_id']}", "secret")
            assert (status, body["sentence"]) == (200, deferred["sentence"])


REFUSING = """
version: 1
name: site
extends: monitor
early: {greeting: 20, connect: 12, rcpt: 5}
rules:
  - {id: POOR_HELO, when: 'helo == "poor.example"', weight: 6, describe: A poor name}
  - {id: BAD_SENDER, when: 'mail_from.endsWith("@bad.example")', weight: 13, describe: Not wanted}
"""


def test_history_has_what_was_refused_before_its_data_at_both_doors(tmp_path: Path) -> None:
    milter = free_port()
    with running_sink() as sink:
        config = a_configuration(sink, f"sqlite:{tmp_path}/s.db")
        config["listeners"].append(
            {"name": "milter", "protocol": "milter", "bind": f"127.0.0.1:{milter}"}
        )
        with running_gatepost(config, {**FILES, "policy.yaml": REFUSING}) as daemon:
            with connected(daemon.port) as client:
                client.ask(b"EHLO poor.example")
                assert client.ask(b"MAIL FROM:<ann@fine.example>")[:3] == b"250"
                for name in (b"one", b"two"):
                    assert client.ask(b"RCPT TO:<%b@example.org>" % name)[:3] == b"550"
                client.ask(b"RSET")
                assert client.ask(b"MAIL FROM:<eve@bad.example>")[:3] == b"550"
            with MailServer(milter) as server:
                server.send(mta.offer() + mta.connect() + mta.helo("poor.example"))
                server.send(mta.mail("<tom@fine.example>") + mta.rcpt("<bob@example.org>"))
                letters = [server.answer().letter for _ in range(3)]
                server.send(mta.packet("A") + mta.packet("Q"))
            assert letters[-1] == "y", letters
            wait_until(lambda: len(found(daemon)) == 3, lambda: daemon.log)

            told = {each["mail_from"]: each for each in found(daemon, "--action", "reject")}
            assert told["ann@fine.example"]["recipients"] == ["one@example.org", "two@example.org"]
            assert {each["stage"] for each in told.values()} == {"mail", "rcpt"}
            (milters,) = found(daemon, "--listener", "milter")
            assert (milters["mail_from"], milters["stage"]) == ("tom@fine.example", "rcpt")
            said = asked(daemon, "trace", "two@example.org").stdout
            assert said.startswith("Refused before its message at ")
            eve = told["eve@bad.example"]["txn_id"]
            assert "BAD_SENDER" in asked(daemon, "policy", "explain", eve).stdout
            again = asked(daemon, "history", "replay", "--policy", "monitor")
            assert again.stdout == "0 of 0 messages change\n", again.stderr
