"""The history of a real daemon: two workers, a restart in the middle, found from outside."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from milter.cli import run
from tests.integration.test_memory_daemon import FILES, KNOWN, UNKNOWN, a_configuration, send
from tests.support import milter_packets as mta
from tests.support.gatepost import Gatepost, running_gatepost
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import Act, Step, running_sink
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
    """Return what the search finds; asked again and again, so no process of its own each time."""
    command = ["history", "search", "--json", *words, "-c", str(daemon.config_path)]
    with redirect_stdout(io.StringIO()) as said:
        run(command)
    return [json.loads(line) for line in said.getvalue().splitlines()]


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


def awkward_next_hop(step: Step) -> Act:
    """Refuse a sender and a recipient, and what is not plain words in a message."""
    if step.verb == "RCPT" and b"nobody@" in step.argument:
        return Act(b"550 5.1.1 <nobody@example.org> is unknown here")
    if step.verb == "MAIL" and b"@unwanted.example" in step.argument:
        return Act(b"553 5.1.8 That sender is not wanted")
    if step.verb == "MAIL" and b"@gone.example" in step.argument:
        return Act(drop=True)
    if step.verb == "BODY" and step.count > 1:
        return Act(b"554 5.6.0 Not this message")
    return Act()


REFUSED = "the next mail server refused it"
ENDS = {
    ("ann@fine.example", "nobody@example.org", "rcpt", "550 5.1.1"): REFUSED,
    ("x@unwanted.example", "mail", "553 5.1.8"): REFUSED,
    ("ann@fine.example", "tom@elsewhere.example", "rcpt", "550 5.7.1"): (
        "the recipient is in none of recipient_domains"
    ),
    ("big@fine.example", "mail", "552 5.3.4"): (
        "the message is larger than limits.message_bytes: SIZE=52428801"
    ),
    ("bare@fine.example", "bob@example.org", "data", "550 5.5.2"): (
        "the message has a bare CR or LF"
    ),
}


def be_refused_beside_a_delivery(client: LineClient) -> None:
    """Send a message that is taken and one that is not, and name whom nobody takes."""
    client.ask(b"EHLO fine.example")
    client.ask(b"MAIL FROM:<ann@fine.example>")
    assert client.ask(b"RCPT TO:<nobody@example.org>")[:3] == b"550"
    assert client.ask(b"RCPT TO:<tom@elsewhere.example>")[:3] == b"550"
    assert client.ask(b"RCPT TO:<bob@example.org>")[:3] == b"250"
    for expected in (b"250", b"554"):
        client.ask(b"DATA")
        client.send(b"From: <ann@fine.example>\r\n\r\nhello\r\n.\r\n")
        assert client.reply()[:3] == expected
        client.ask(b"MAIL FROM:<ann@fine.example>")
        client.ask(b"RCPT TO:<bob@example.org>")
    client.ask(b"RSET")
    assert client.ask(b"MAIL FROM:<x@unwanted.example>")[:3] == b"553"
    assert client.ask(b"MAIL FROM:<x@gone.example>")[:3] == b"451"
    assert client.ask(b"MAIL FROM:<big@fine.example> SIZE=52428801")[:3] == b"552"


def send_a_bare_newline(client: LineClient) -> None:
    # From another network: of one no more than five refusals are kept at once.
    client.ask(b"EHLO relay.example.org")
    told = b"XCLIENT ADDR=%b NAME=%b" % tuple(part.encode() for part in KNOWN[:2])
    assert client.ask(told)[:3] == b"220"
    client.ask(b"EHLO fine.example")
    client.ask(b"MAIL FROM:<bare@fine.example>")
    client.ask(b"RCPT TO:<bob@example.org>")
    client.ask(b"DATA")
    client.send(b"Subject: x\r\n\r\na\nb\r\n.\r\n")
    assert client.reply()[:9] == b"550 5.5.2"


def check_ends(daemon: Gatepost) -> str:
    """Compare how each transaction ended; return the id of the one that was also delivered."""
    ends = {
        (each["mail_from"], *each["recipients"], each["stage"], each["reply"][:9]): each
        for each in found(daemon)
    }
    why = {names: each["reason"] for names, each in ends.items() if not each["policy"]}
    gone = why.pop(("x@gone.example", "mail", "451 4.4.1"))
    assert gone.startswith("the next mail server could not be used: 127.0.0.1:")
    assert why == ENDS
    assert {each["action"] for names, each in ends.items() if names in why} == {"reject"}
    return str(ends["ann@fine.example", "nobody@example.org", "rcpt", "550 5.1.1"]["txn_id"])


def test_history_tells_of_what_the_next_hop_refused_and_of_what_could_not_be_taken(
    tmp_path: Path,
) -> None:
    with running_sink(awkward_next_hop) as sink:
        config = a_configuration(sink, f"sqlite:{tmp_path}/s.db")
        config["listeners"][0]["recipient_domains"] = ["example.org"]
        with running_gatepost(config, {**FILES, "policy.yaml": REFUSING}) as daemon:
            with connected(daemon.port) as client:
                be_refused_beside_a_delivery(client)
            with connected(daemon.port) as client:
                send_a_bare_newline(client)
            wait_until(lambda: len(found(daemon)) == 8, lambda: daemon.log)

            txn_id = check_ends(daemon)
            assert asked(daemon, "trace", "nobody@example.org").stdout.endswith(
                ": the next mail server refused it."
                " The client was told 550 5.1.1 <nobody@example.org> is unknown here.\n"
            )
            assert found(daemon, "--action", "defer")[0]["mail_from"] == "x@gone.example"
            # The message that came for others stands first, then whom the transaction was refused.
            shown = asked(daemon, "history", "show", txn_id).stdout
            said = [line.split(" at ")[0] for line in shown.splitlines() if line[0] != " "]
            assert said == ["Delivered", *["Refused before its message"] * 2]
            listed = asked(daemon, "history", "search", "--sender", "fine.example").stdout
            assert "  (not delivered: 554 5.6.0 Not this message)\n" in listed
            assert "  (the message has a bare CR or LF: 550 5.5.2 " in listed
            assert asked(daemon, "history", "replay").stdout == "0 of 2 messages change\n"


HOLDING = """
version: 1
name: site
extends: monitor
thresholds: {quarantine: 4}
actions: {quarantine: {as: redirect, to: held@example.org}}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 5, describe: A lottery}]
overrides: [{match: {recipient: 'lax@*'}, thresholds: {quarantine: 50}}]
"""


def late_for_lax(step: Step) -> Act:
    """Take no message for one recipient."""
    refused = step.verb == "BODY" and b"lax" in step.argument
    return Act(reply=b"450 4.2.0 Later") if refused else Act()


def test_history_tells_who_got_a_message_that_came_through_in_part(tmp_path: Path) -> None:
    with running_sink(late_for_lax, lmtp=True) as sink:
        config = a_configuration(sink, f"sqlite:{tmp_path}/s.db")
        config["next_hop"]["protocol"] = "lmtp"
        with running_gatepost(config, {**FILES, "policy.yaml": HOLDING}) as daemon:
            with connected(daemon.port) as client:
                client.ask(b"EHLO client.example")
                client.ask(b"MAIL FROM:<ann@fine.example>")
                for name in (b"bob", b"lax", b"carol"):
                    assert client.ask(b"RCPT TO:<" + name + b"@example.org>")[:3] == b"250"
                client.ask(b"DATA")
                assert client.ask(b"Subject: lottery\r\n\r\nhello\r\n.")[:9] == b"451 4.3.0"
            wait_until(lambda: len(found(daemon)) == 1, lambda: daemon.log)

            traced = asked(daemon, "trace", "bob@example.org").stdout
            assert traced.startswith("Not delivered to all yet at ")
            instead = "held@example.org got it in place of bob@example.org, carol@example.org."
            assert f" did not for all. {instead} The client was told 451 4.3.0 " in traced
