"""Traces as a collector gets them: decoded by OpenTelemetry's own protocol buffers."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import scripted_day as day
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

trace_service = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    reason="needs the extra gatepost[otel], of the test requirements",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

# Each a whole message, of a client who comes himself.
MAILS = [mail for mail in day.script(40) if mail.comes and not mail.hops][:10]
_ERROR = 2
_SERVER = 2


@dataclass
class Collector:
    """What came in over OTLP."""

    port: int
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, object]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """Take one export."""
        self.bodies.append(body)
        request = trace_service.ExportTraceServiceRequest.FromString(body)
        for of_resource in request.resource_spans:
            self.resources.append(attributes(of_resource.resource))
            for of_scope in of_resource.scope_spans:
                self.spans += of_scope.spans

    @property
    def roots(self) -> list[Any]:
        """The spans that are within no other."""
        return [span for span in self.spans if not span.parent_span_id]

    def children(self, of: Any) -> list[Any]:
        """Return the spans within one."""
        return [span for span in self.spans if span.parent_span_id == of.span_id]


def attributes(of: Any) -> dict[str, object]:
    """Return the attributes of a span or a resource as plain values."""
    found: dict[str, object] = {}
    for one in of.attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, kind)
        found[one.key] = [v.string_value for v in value.values] if kind == "array_value" else value
    return found


@contextlib.contextmanager
def a_collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            collector.take(gzip.decompress(body) if packed else body)
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def traced(
    folder: Path, port: int, wanted: int, **changes: Any
) -> tuple[Collector, list[dict[str, Any]]]:
    """Return what a collector got of the mail of the script, and what the log says of it."""
    with a_collector() as collector, running_sink() as sink:
        traces = {"endpoint": f"http://127.0.0.1:{port or collector.port}/v1/traces"}
        traces |= changes.pop("traces", {})
        config, files = day.a_site(folder, f"127.0.0.1:{sink.port}", traces=traces, **changes)
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, MAILS)
            wait_until(lambda: len(collector.roots) >= wanted, lambda: daemon.log[-3000:])
            wait_until(lambda: len(daemon.transactions) == len(MAILS))
            lines = daemon.transactions
    return collector, lines


def test_each_transaction_is_a_trace_of_stages_and_checks(tmp_path: Path) -> None:
    collector, lines = traced(tmp_path, 0, len(MAILS))

    roots = {attributes(root)["gatepost.txn_id"]: root for root in collector.roots}
    assert set(roots) == {line["txn_id"] for line in lines}
    assert len(collector.roots) == len({root.trace_id for root in collector.roots}) == len(MAILS)
    for line in lines:
        assert_trace(collector, roots[line["txn_id"]], line)
    assert collector.resources[0]["service.name"] == "gatepost"
    # Checks of CONNECT ran once a connection, and so stand in one trace of each.
    connects = [span for span in collector.spans if span.name == "stage connect"]
    assert len(connects) == len({line["session_id"] for line in lines})


def assert_trace(collector: Collector, root: Any, line: dict[str, Any]) -> None:
    told = attributes(root)
    assert root.name == "transaction"
    assert root.kind == _SERVER
    assert told["gatepost.action"] == line["action"]
    assert told["gatepost.score"] == line["score"]
    assert told["gatepost.symbols"] == line["symbols"]
    assert told["gatepost.reply_code"] == int(line["reply"][:3])
    assert told["gatepost.size_bytes"] == line["size_bytes"]
    assert told["client.address"] == line["client_ip"]
    assert told["gatepost.mail_from"] == "someone@sender.example"
    stages = collector.children(root)
    assert "stage message" in {stage.name for stage in stages}
    for stage in stages:
        checks = collector.children(stage)
        assert checks
        for span in (stage, *checks):
            assert span.trace_id == root.trace_id
            assert root.start_time_unix_nano <= span.start_time_unix_nano
            assert span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano
            assert span.status.code != _ERROR
        assert all(attributes(check)["gatepost.result"] == "ok" for check in checks)
    (message,) = [stage for stage in stages if stage.name == "stage message"]
    names = {span.name for span in collector.children(message)}
    assert {"check patterns", "check languages"} <= names


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"statistics": {"privacy": True}}, id="privacy"),
        pytest.param({"log": {"addresses": "hashed"}}, id="hashed-log"),
    ],
)
def test_private_site_tells_the_collector_no_address(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    collector, _ = traced(tmp_path, 0, len(MAILS), **changes)

    everything = b"".join(collector.bodies)
    secrets = ["someone@", "bob@", "sender.example", *day.SOURCES, *(m.subject for m in MAILS)]
    assert [secret for secret in secrets if secret.encode() in everything] == []


def test_connections_that_are_not_chosen_are_not_traced(tmp_path: Path) -> None:
    collector, lines = traced(tmp_path, 0, 0, traces={"share": 0.0})

    # The daemon has stopped, which sends what waits.
    assert len(lines) == len(MAILS)
    assert collector.bodies == []


def test_collector_that_is_down_costs_no_mail(tmp_path: Path) -> None:
    _, lines = traced(tmp_path, free_port(), 0)

    assert len(lines) == len(MAILS)


def test_without_traces_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys, milter.app.worker, milter.app.traces; from milter.settings import Settings\n"
        "assert milter.app.traces.open_tracing(Settings(), 'host') is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == "[]"
