"""The whole daemon as it is started by people: real supervisor, workers, door, checks, next hop."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from milter.telemetry.log import FIELDS
from policies import prefilter
from tests.support.certificates import write_certificate
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

_GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_ZONE = """\
names:
  192.0.2.1: {PTR: [mail.example.com]}
  mail.example.com: {A: [192.0.2.1]}
  example.com: {A: [192.0.2.1], MX: [[10, mail.example.com]], TXT: ["v=spf1 ip4:192.0.2.1 -all"]}
"""
_ALWAYS_THERE = {"time", "level", "event", "logger", "traceback"}


def _message(body: bytes = b"Hello", subject: bytes = b"A plain message") -> bytes:
    return (
        b"From: Alice <alice@example.com>\r\nTo: bob@example.org\r\nSubject: " + subject + b"\r\n"
        b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + body + b"\r\n"
    )


@contextlib.contextmanager
def _daemon(**changes: Any) -> Iterator[tuple[Gatepost, MailboxSink]]:
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}", **{"dns": {"zone_file": "zone.yaml"}, **changes}
        )
        with running_gatepost(config, {"zone.yaml": _ZONE}) as daemon:
            yield daemon, sink


def _begin(client: LineClient) -> None:
    """Greet as a client at 192.0.2.1 and come as far as 354."""
    assert client.ask(b"EHLO localhost").startswith(b"250")
    assert client.ask(b"XCLIENT ADDR=192.0.2.1 NAME=mail.example.com").startswith(b"220")
    assert client.ask(b"EHLO mail.example.com").startswith(b"250")
    assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"250")
    assert client.ask(b"RCPT TO:<bob@example.org>").startswith(b"250")
    assert client.ask(b"DATA").startswith(b"354")


def _send(daemon: Gatepost, message: bytes) -> bytes:
    """Send one message; return the final reply."""
    with connected(daemon.port) as client:
        _begin(client)
        client.send(message + b".\r\n")
        reply = client.reply()
        assert client.ask(b"QUIT").startswith(b"221")
        return reply


_Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _metrics(daemon: Gatepost, expected: _Samples) -> _Samples:
    """Return what is scraped once it holds `expected`: workers show their numbers with a delay."""
    deadline = time.monotonic() + 10
    while True:
        seen = _scrape(daemon)
        if expected.items() <= seen.items() or time.monotonic() > deadline:
            return seen


def _scrape(daemon: Gatepost) -> _Samples:
    _, body = _request(daemon, "GET", "/metrics")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def _request(
    daemon: Gatepost, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _flow(action: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    labels = {"listener": "inbound", "direction": "inbound", "action": action}
    return "gatepost_messages_total", tuple(sorted(labels.items()))


def test_daemon_passes_refuses_counts_and_logs() -> None:
    with _daemon(workers=2) as (daemon, sink):
        assert _request(daemon, "GET", "/readyz")[0] == 200
        assert _send(daemon, _message()).startswith(b"250")
        assert _send(daemon, _message(_GTUBE)).startswith(b"550 5.7.1")
        (received,) = sink.messages
        assert received.content.endswith(_message())
        assert b"\r\nX-Gatepost-Action: pass\r\n" in b"\r\n" + received.content
        assert b"spf=pass" in received.content

        # A scrape may fall into the middle of a worker's flush: all of it is waited for.
        counted = {
            _flow("pass"): 1.0,
            _flow("reject"): 1.0,
            ("gatepost_sessions", ()): 0.0,
            ("gatepost_workers", ()): 2.0,
            ("gatepost_symbols_total", (("symbol", "GTUBE"),)): 1.0,
            ("gatepost_next_hop_seconds_count", (("stage", "final"),)): 1.0,
            ("gatepost_check_seconds_count", (("check", "spf"),)): 2.0,
        }
        seen = _metrics(daemon, counted)
        assert counted.items() <= seen.items()
        assert daemon.stop() == 0
        lines = [json.loads(line) for line in daemon.log.splitlines()]
    transactions = [line for line in lines if line["event"] == "transaction"]
    # Each worker writes its own lines, and waits a little for more of them.
    assert sorted(line["action"] for line in transactions) == ["pass", "reject"]
    assert len([line for line in lines if line["event"] == "connection"]) == 2
    assert not {field for line in lines for field in line} - FIELDS - _ALWAYS_THERE
    assert not [line for line in lines if line["level"] == "error"]


def test_daemon_scans_over_http() -> None:
    with _daemon() as (daemon, sink):
        envelope = {"IP": "192.0.2.1", "Helo": "mail.example.com", "From": "alice@example.com"}
        status, body = _request(
            daemon, "POST", "/v1/scan", _message(_GTUBE), Rcpt="bob@example.org", **envelope
        )
        told = json.loads(body)
        assert status == 200
        assert told["action"] == "reject"
        assert "GTUBE" in told["symbols"]
        assert told["auth"]["spf"]["result"] == "pass"
        assert sink.messages == []
        labels = {"listener": "http", "direction": "inbound", "action": "reject"}
        key = ("gatepost_messages_total", tuple(sorted(labels.items())))
        assert _metrics(daemon, {key: 1.0})[key] == 1


def test_daemon_reload_brings_a_new_policy_without_losing_a_session() -> None:
    with _daemon() as (daemon, sink), connected(daemon.port) as old:
        _begin(old)
        config = yaml.safe_load(daemon.config_path.read_text())
        config["policies"] = "monitor"
        daemon.config_path.write_text(yaml.safe_dump(config))
        daemon.reload()
        assert _send(daemon, _message(_GTUBE)).startswith(b"250")
        # What began under the old policy ends under it.
        old.send(_message(_GTUBE) + b".\r\n")
        assert old.reply().startswith(b"550 5.7.1")
        assert old.closed()
        assert len(sink.messages) == 1


def test_daemon_reload_of_a_bad_policy_changes_nothing() -> None:
    with _daemon() as (daemon, _):
        config = yaml.safe_load(daemon.config_path.read_text())
        config["policies"] = "site.yaml"
        daemon.config_path.write_text(yaml.safe_dump(config))
        (daemon.folder / "site.yaml").write_text("version: 1\nname: a\ntreshold: {tag: 5}\n")
        daemon.reload()
        assert _send(daemon, _message(_GTUBE)).startswith(b"550 5.7.1")
        key = ("gatepost_config_reloads_total", (("result", "refused"),))
        assert _metrics(daemon, {key: 1.0})[key] == 1
        daemon.stop()
        assert "site.yaml:3:1: " in daemon.log


def test_daemon_stop_delivers_what_is_being_sent() -> None:
    with _daemon() as (daemon, sink):
        with (
            connected(daemon.port) as busy,
            connected(daemon.port) as idle,
        ):
            _begin(busy)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_for("STOPPING=1")
            assert idle.reply().startswith(b"421 4.3.2")
            busy.send(_message() + b".\r\n")
            assert busy.reply().startswith(b"250")
            assert busy.closed()
        assert daemon.process.wait(30) == 0
        assert len(sink.messages) == 1


def test_daemon_a_killed_worker_is_replaced_and_its_sessions_are_forgotten() -> None:
    with _daemon() as (daemon, sink):
        (worker,) = daemon.worker_pids
        with connected(daemon.port) as client:
            _begin(client)
            os.kill(worker, signal.SIGKILL)
            assert client.closed()
        assert _send(daemon, _message()).startswith(b"250")
        assert daemon.worker_pids != [worker]
        assert len(sink.messages) == 1
        seen = _metrics(daemon, {("gatepost_sessions", ()): 0.0})
        assert seen["gatepost_sessions", ()] == 0
        assert seen["gatepost_worker_restarts_total", ()] == 1


def test_daemon_sessions_are_bounded_over_all_workers() -> None:
    limits = {"sessions": 3}
    with _daemon(workers=2, limits=limits) as (daemon, _), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(daemon.port, greeted=False)) for _ in range(4)]
        codes = [client.code() for client in clients]
        assert sorted(codes) == [220, 220, 220, 421]


def test_daemon_a_later_worker_has_the_certificate_that_was_validated(tmp_path: Path) -> None:
    tls = write_certificate(tmp_path, "mx.example.org")
    listener = {**configuration("127.0.0.1:1")["listeners"][0], "tls": tls}
    with _daemon(listeners=[listener]) as (daemon, _):
        (worker,) = daemon.worker_pids
        for path in tls.values():
            Path(path).write_text("no certificate any more")
        os.kill(worker, signal.SIGKILL)
        with connected(daemon.port) as client:
            assert b"STARTTLS" in client.ask(b"EHLO localhost")
            assert client.ask(b"STARTTLS").startswith(b"220")
            client.start_tls()
            assert client.ask(b"EHLO localhost").startswith(b"250")


@pytest.mark.skipif(not prefilter.is_available(), reason="hyperscan has no wheel for this machine")
def test_daemon_takes_compiled_patterns_from_where_the_service_manager_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_DIRECTORY", f"{tmp_path}:/elsewhere")
    store = f"sqlite:{tmp_path}/state/gatepost.db"
    config = configuration("127.0.0.1:1", policies="policy.yaml", store=store)
    policy = (
        "version: 1\nname: site\npatterns:\n"
        "  - {id: LOTTERY, in: body, match: 'the lottery', weight: 1,\n"
        "     describe: Tells of a lottery}\n"
    )

    def kept() -> dict[Path, tuple[int, int]]:
        """Return who made each file and when somebody took it."""
        found = {path: path.stat() for path in (tmp_path / "patterns").glob("*.patterns")}
        return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}

    with running_gatepost(config, {"policy.yaml": policy}) as daemon:
        wait_until(lambda: bool(kept()), lambda: daemon.log)
    ((path, (made, used)),) = kept().items()
    with running_gatepost(config, {"policy.yaml": policy}) as daemon:
        wait_until(lambda: kept()[path][1] > used, lambda: daemon.log)
        assert kept()[path][0] == made


def test_daemon_speaks_http_and_smtp_over_unix_sockets(tmp_path: Path) -> None:
    door, page = tmp_path / "door", tmp_path / "page"
    listener = {"name": "inbound", "bind": f"unix:{door}"}
    with _daemon(listeners=[listener], http={"bind": f"unix:{page}"}) as (daemon, _):
        for _ in range(2):
            for path, said, answered in (
                (door, b"", b"220 mx.example.org"),
                (page, b"GET /readyz HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK"),
            ):
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(30)
                    client.connect(str(path))
                    client.sendall(said)
                    assert client.recv(1000).startswith(answered)
            # The sockets stay where they are while workers come and go.
            daemon.reload()
        assert daemon.stop() == 0
        assert not door.exists()
        assert not page.exists()
