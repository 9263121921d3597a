"""A real Prometheus beside a running daemon: every panel has data, an alert fires and clears."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
import yaml

from tests.support import scripted_day as day
from tests.support.debian import need_program
from tests.support.dns_server import running_aside
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.slow, pytest.mark.debian, pytest.mark.timeout(300)]

LISTS = """\
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes: {"127.0.0.2": {symbol: DAY_LISTED, weight: 0.1, class: source, kind: other, describe: d}}
"""


def refusing(query: dns.message.Message) -> dns.message.Message:
    """Answer as a list that does not serve this resolver."""
    response = dns.message.make_response(query)
    name = query.question[0].name
    response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.255.255.254"))
    return response


def well(query: dns.message.Message) -> dns.message.Message:
    """Answer as a list that has its test point and lists nobody."""
    response = dns.message.make_response(query)
    name = query.question[0].name
    if name.to_text().lower() == "2.0.0.127.bl.example.":
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.2"))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response


class Prometheus:
    """A server that scrapes; asked over its API."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer."""
        address = f"{self._address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback
            told = json.loads(answer.read())
        assert told["status"] == "success"
        return told["data"]

    def result(self, expression: str) -> list[Any]:
        """Return the series of an expression."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    @property
    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        alerts = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    @property
    def is_up(self) -> bool:
        """Whether it answers and has scraped twice."""
        try:
            return len(self.result("gatepost_workers[1m]")[0]["values"]) > 2
        except (OSError, IndexError):
            return False


@contextlib.contextmanager
def a_prometheus(folder: Path, checkout: Path, target: int) -> Iterator[Prometheus]:
    program, port = need_program("prometheus"), free_port()
    for file in (checkout / "deploy/prometheus").glob("*.rules.yml"):
        rules = yaml.safe_load(file.read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                # Nobody waits a quarter of an hour here; how long is said by promtool's tests.
                if "for" in rule:
                    rule["for"] = "2s"
        (folder / file.name).write_text(yaml.safe_dump(rules))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["*.rules.yml"],
        "scrape_configs": [
            {"job_name": "gatepost", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program.path,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env=program.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Prometheus(port)
    try:
        wait_until(lambda: server.is_up, (folder / "log").read_text)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def test_dashboard_has_data_and_the_alert_of_a_dead_list_fires_and_clears(
    tmp_path: Path, checkout: Path
) -> None:
    with running_sink() as sink, running_aside(refusing) as server:
        config, files = day.a_site(tmp_path, f"127.0.0.1:{sink.port}", workers=2)
        config["dns"] = {"nameservers": [f"127.0.0.1:{server.port}"]}
        files["policy.yaml"] = files["policy.yaml"].replace("dns_lists: []\n", LISTS)
        folder = tmp_path / "prometheus"
        folder.mkdir()
        with (
            running_gatepost(config, files) as daemon,
            a_prometheus(folder, checkout, daemon.http_port) as prometheus,
        ):
            wait_until(lambda: "GatepostDnsListAside" in prometheus.firing)
            server.respond = well
            for _ in range(4):
                day.send(daemon.port, day.script(100))
            wait_until(lambda: sent_is_seen(prometheus, 400), lambda: daemon.log[-2000:])
            # A list that was set aside is tried again after half a minute.
            wait_until(lambda: not prometheus.firing, lambda: str(prometheus.firing))
            assert_panels(prometheus, checkout)


def sent_is_seen(prometheus: Prometheus, count: int) -> bool:
    found = prometheus.result("sum(gatepost_messages_total)")
    return bool(found) and float(found[0]["value"][1]) == count


def assert_panels(prometheus: Prometheus, checkout: Path) -> None:
    dashboard = json.loads((checkout / "deploy/grafana/gatepost.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$instance", ".*")
            found = bool(prometheus.result(expression))
            assert found or panel["description"].startswith("Empty"), expression
