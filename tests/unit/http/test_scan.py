"""`POST /v1/scan`: who may call, what the headers mean, what comes back."""

from __future__ import annotations

import gzip
import logging
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from milter.core.transaction import Stage
from milter.pipeline.aftermath import Aftermath
from tests.support.http_door import MESSAGE, Headers, a_whole_door
from tests.support.http_door import asked as asked_at
from tests.support.pipeline import Asks, Sees, found
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from milter.doors.door import Door
    from milter.pipeline.aftermath import Seen

BEYOND = {"X-Forwarded-For": "192.0.2.1"}


class Heeds:
    """Takes note of what it is told after the answer."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)


def asked(
    door: Door,
    folder: Path,
    headers: Headers | None = None,
    body: bytes = MESSAGE,
    *,
    token: bytes = b"",
    query: str = "",
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of one request over a unix socket."""
    got = asked_at(door, folder, f"/v1/scan{query}", headers=headers, body=body, token=token)
    return got.status, got.json


def test_scan_answers_with_the_verdict(tmp_path: Path) -> None:
    status, report = asked(a_whole_door(Sees(found("GTUBE"))), tmp_path)
    assert status == 200
    assert report["action"] == "reject"
    assert report["reply"].endswith(f"({report['txn_id']})")
    assert report["symbols"]["GTUBE"]["weight"] == 100


def test_scan_is_logged_and_counted_as_mail_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    door = a_whole_door(Sees(found("GTUBE")))
    _, report = asked(door, tmp_path, {"From": "a@example.net", "Queue-Id": "4ABC"})
    (line,) = [record.fields for record in caplog.records if record.msg == "transaction"]  # type: ignore[attr-defined]
    assert (line["txn_id"], line["listener"], line["action"]) == (
        report["txn_id"],
        "http",
        "reject",
    )
    assert (line["mail_from"], line["queue_id"]) == ("a@example.net", "4ABC")
    door.metrics.flush()
    labels = {"listener": "http", "direction": "inbound", "action": "reject"}
    assert door.metrics.registry.get_sample_value("gatepost_messages_total", labels) == 1


@pytest.mark.parametrize(
    ("query", "remembered"),
    [
        pytest.param("", 1, id="mail-that-arrives"),
        pytest.param("?remember=yes", 1, id="said-so"),
        pytest.param("?remember=no", 0, id="only-wants-to-know"),
    ],
)
def test_scan_is_told_to_the_aftermath(query: str, remembered: int, tmp_path: Path) -> None:
    heeds = Heeds()
    aftermath = Aftermath([heeds], lambda: 1.0)
    door = a_whole_door(Sees(found("GTUBE")), aftermath=aftermath)
    assert asked(door, tmp_path, query=query)[0] == 200
    aftermath.finish()
    assert [seen.reply.code for seen in heeds.seen] == [550] * remembered
    assert all(seen.dealt.asked for seen in heeds.seen)


def test_scan_whether_to_remember_is_yes_or_no(tmp_path: Path) -> None:
    status, answer = asked(a_whole_door(), tmp_path, query="?remember=perhaps")
    assert (status, answer["error"]) == (400, "remember: yes or no, not 'perhaps'")


def test_scan_where_postmaster_is_among_the_recipients_nobody_is_refused(tmp_path: Path) -> None:
    headers = [("Rcpt", "postmaster@example.org"), ("Rcpt", "a@example.org")]
    _, report = asked(a_whole_door(Sees(found("GTUBE"))), tmp_path, headers)
    assert report["action"] == "quarantine"


def test_scan_of_who_logged_in_is_outbound(tmp_path: Path) -> None:
    _, report = asked(a_whole_door(), tmp_path, {"User": "alice"})
    assert report["facts"]["direction"] == "outbound"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param("gzip", gzip.compress(MESSAGE), id="gzip"),
        pytest.param("deflate", zlib.compress(MESSAGE), id="deflate"),
        pytest.param("identity", MESSAGE, id="identity"),
    ],
)
def test_scan_takes_compressed_messages(coding: str, body: bytes, tmp_path: Path) -> None:
    status, report = asked(a_whole_door(), tmp_path, {"Content-Encoding": coding}, body)
    assert status == 200
    assert report["facts"]["size_bytes"] == len(MESSAGE.replace(b"\n", b"\r\n"))


def test_scan_a_bomb_is_too_large_and_leaves_nothing_held(tmp_path: Path) -> None:
    door = a_whole_door(in_flight=2000)
    bomb = gzip.compress(bytes(10_000_000))
    assert asked(door, tmp_path, {"Content-Encoding": "gzip"}, bomb)[0] == 413
    assert door.limits.reserve(2000)


def test_scan_with_every_place_taken_is_told_to_come_again(tmp_path: Path) -> None:
    got = asked_at(a_whole_door(sessions=0), tmp_path, "/v1/scan")
    assert (got.status, got.headers["Retry-After"]) == (503, "5")


def test_scan_headers_become_the_envelope(tmp_path: Path) -> None:
    headers = [
        ("IP", "2001:db8::1"),
        ("Helo", "c.example"),
        ("From", "<a@example.net>"),
        ("Rcpt", "b@example.org"),
        ("Rcpt", "<c@example.org>"),
        ("Hostname", "host.example"),
        ("User", "alice"),
        ("Queue-Id", "4ABC"),
    ]
    _, report = asked(a_whole_door(), tmp_path, headers)
    facts = report["facts"]
    assert facts["connection"]["ip"] == "2001:db8::1"
    assert facts["connection"]["name"] == "host.example"
    assert facts["helo"] == "c.example"
    assert facts["mail_from"] == "a@example.net"
    assert facts["recipients"] == ["b@example.org", "c@example.org"]
    assert facts["account"] == "alice"
    assert facts["listener"] == "http"
    assert facts["size_bytes"] == len(MESSAGE.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("headers", "runs"),
    [({}, []), ({"From": "<>"}, ["mail"]), ({"IP": "192.0.2.1", "Helo": "x"}, ["connect", "helo"])],
    ids=["nothing-known", "null-reverse-path", "client-known"],
)
def test_scan_runs_no_check_about_what_nobody_said(
    headers: dict[str, str], runs: Sequence[str], tmp_path: Path
) -> None:
    checks = [
        Asks(stage=Stage.CONNECT, name="connect"),
        Asks(stage=Stage.HELO, name="helo"),
        Asks(stage=Stage.MAIL, name="mail"),
    ]
    assert asked(a_whole_door(*checks), tmp_path, headers)[0] == 200
    assert [check.name for check in checks if check.asked] == runs


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("IP", "192.0.2", "header IP: '192.0.2' is no IP address"),
        ("From", "nobody", "header From: 'nobody' is no address"),
        ("Rcpt", "<>", "header Rcpt: '<>' is no address"),
        ("Helo", "x" * 1001, "header Helo: up to 1000 printable characters are needed"),
    ],
)
def test_scan_a_bad_header_is_told_in_words(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    status, answer = asked(a_whole_door(), tmp_path, {name: value})
    assert (status, answer["error"]) == (400, words)


def test_scan_without_a_message_is_told_so(tmp_path: Path) -> None:
    assert asked(a_whole_door(), tmp_path, body=b"")[0] == 400


def test_scan_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    status, answer = asked(a_whole_door(), tmp_path, body=b"x" * 2001)
    assert (status, answer["error"]) == (413, "the message is larger than 2000 bytes")


def test_scan_with_no_room_for_the_message_is_told_to_come_again(tmp_path: Path) -> None:
    door = a_whole_door(in_flight=10)
    assert asked(door, tmp_path)[0] == 503
    assert door.limits.reserve(10)


def test_scan_gives_back_the_place_and_the_bytes_that_it_held(tmp_path: Path) -> None:
    door = a_whole_door(in_flight=len(MESSAGE))
    assert asked(door, tmp_path)[0] == 200
    assert door.limits.reserve(len(MESSAGE))
    assert door.limits.admit(None)


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        pytest.param(b"secret\n", {**BEYOND, "Authorization": "Bearer secret"}, 200, id="right"),
        pytest.param(b"secret", {**BEYOND, "Authorization": "bearer  secret "}, 200, id="spaces"),
        pytest.param(b"secret", {**BEYOND, "Password": "secret"}, 200, id="as-rspamd-clients-do"),
        pytest.param(b"secret", {**BEYOND, "Authorization": "Bearer wrong"}, 401, id="wrong"),
        pytest.param(b"secret", {**BEYOND, "Authorization": "Basic secret"}, 401, id="no-bearer"),
        pytest.param(b"secret", BEYOND, 401, id="none"),
        pytest.param(b"", {**BEYOND, "Authorization": "Bearer "}, 401, id="no-token-configured"),
    ],
)
def test_scan_from_beyond_this_machine_needs_the_token(
    token: bytes, headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    assert asked(a_whole_door(), tmp_path, headers, token=token)[0] == status


def test_scan_from_this_machine_needs_no_token(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    got = asked_at(a_whole_door(), tmp_path, "/v1/scan", token=b"secret", port=port)
    assert got.status == 200


def test_scan_over_a_proxy_on_this_machine_needs_the_token(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    got = asked_at(a_whole_door(), tmp_path, "/v1/scan", headers=BEYOND, port=port)
    assert got.status == 401


def test_scan_a_fault_of_ours_tells_nothing_of_the_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaks(Aftermath):
        def take(self, seen: Seen) -> None:
            del seen
            raise ZeroDivisionError("inside")

    door = a_whole_door(aftermath=Breaks((), lambda: 0.0))
    status, answer = asked(door, tmp_path)
    assert status == 500
    assert "inside" not in str(answer)
    assert any(record.exc_info for record in caplog.records)


def test_scan_of_a_caller_that_goes_in_the_middle_is_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield MESSAGE
        raise ConnectionError

    door = a_whole_door()
    with caplog.at_level(logging.ERROR), pytest.raises(aiohttp.ClientError):
        asked_at(door, tmp_path, "/v1/scan", body=pieces())
    assert [record.getMessage() for record in caplog.records] == []
    assert door.limits.admit(None)
