"""A list that refuses the daemon: what people see of it, and that it comes back by itself."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.support.dns_server import running_aside
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

pytestmark = pytest.mark.slow

ZONE = "bl.example.test"
POLICY = f"""\
version: 1
name: site
dns_lists:
  - zone: {ZONE}
    asks: client_ip
    codes: {{"127.0.0.2": {{symbol: BL_SPAM, weight: 5, describe: Listed}}}}
"""
# A list that is set aside is tried again after half a minute.


def refusing(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    name = query.question[0].name
    response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.255.255.254"))
    return response


def well(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    name = query.question[0].name
    if name.to_text().lower() == f"2.0.0.127.{ZONE}.":
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.2"))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response


def get(daemon: Gatepost, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def up(daemon: Gatepost) -> str:
    lines = get(daemon, "/metrics").splitlines()
    return next((line for line in lines if line.startswith("gatepost_dns_list_up{")), "")


def status(daemon: Gatepost) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "milter", "lists", "status", "-c"]
    return subprocess.run(
        [*command, str(daemon.folder / "gatepost.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_list_that_refuses_is_seen_everywhere_and_comes_back_by_itself() -> None:
    with running_sink() as sink, running_aside(refusing) as server:
        changes: dict[str, Any] = {
            "dns": {"nameservers": [f"127.0.0.1:{server.port}"]},
            "policies": "policy.yaml",
            "workers": 2,
        }
        config = configuration(f"127.0.0.1:{sink.port}", **changes)
        with running_gatepost(config, {"policy.yaml": POLICY}) as daemon:
            wait_until(lambda: up(daemon).endswith(" 0.0"))
            wait_until(lambda: bool(json.loads(get(daemon, "/readyz"))["dns_lists_aside"]))
            ready = json.loads(get(daemon, "/readyz"))
            assert ready["ready"] is True
            assert ready["dns_lists_aside"] == [f"{ZONE}: it refuses us: 127.255.255.254"]
            shown = status(daemon)
            assert shown.returncode == 1
            assert "aside" in shown.stdout
            assert "127.255.255.254" in shown.stdout

            server.respond = well
            wait_until(lambda: up(daemon).endswith(" 1.0"))
            wait_until(lambda: json.loads(get(daemon, "/readyz"))["dns_lists_aside"] == [])
            wait_until(lambda: status(daemon).returncode == 0)
            assert '"event": "dns list set aside"' in daemon.log.replace('":"', '": "')
