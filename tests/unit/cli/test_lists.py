"""`gatepost lists` against a zone file and against a port of the test's own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from milter.cli import run
from milter.cli.lists import probe_table
from milter.cli.lists_probe import nobody_answers, rows_of
from policies.loader import load_list_catalogue
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = """\
names:
  "2.0.0.127.bl.spamcop.net": {A: [127.0.0.2]}
  "*.psbl.surriel.com": {A: [127.0.0.2]}
  "*.zen.spamhaus.org": {A: [127.255.255.254]}
  "*.multi.uribl.com": {A: [127.0.0.1]}
  "*.b.barracudacentral.org": timeout
"""
LISTS = {
    "lists": [
        {
            "zone": "bl.example",
            "effect": "block",
            "state": "aside",
            "reason": "it refuses us: 127.255.255.254",
            "since": 1_790_000_000.0,
            "retry_s": 60.0,
            "asked": 1234,
            "a_day": 100_000,
            "workers": 2,
            "workers_up": 1,
        }
    ]
}


@pytest.fixture(name="configuration")
def _configuration(tmp_path: Path) -> Path:
    (tmp_path / "zone.yaml").write_text(ZONE)
    path = tmp_path / "gatepost.yaml"
    path.write_text("dns: {zone_file: zone.yaml}\n")
    return path


def probed(
    configuration: Path, capsys: pytest.CaptureFixture[str], *names: str
) -> dict[str, dict[str, object]]:
    run(["lists", "probe", "-c", str(configuration), "--json", *names])
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(
    ("name", "answer", "advice"),
    [
        ("spamcop", "works", ""),
        ("psbl", "it lists 127.0.0.1", "Take it out of the policy"),
        ("spamhaus-zen", "it refuses us: 127.255.255.254", "does not answer public resolvers"),
        ("uribl", "it refuses us: 127.0.0.1", "Ask through a resolver of your own"),
        ("barracuda", "it cannot be asked: timeout", "Are the name servers reached?"),
        ("spamhaus-zen-dqs", "not asked: no key", "with `key_file`, after: Register"),
        ("mailspike", "it does not list its test point 127.0.0.2", "It is dead"),
    ],
)
def test_probe_says_what_a_person_can_do(
    configuration: Path, capsys: pytest.CaptureFixture[str], name: str, answer: str, advice: str
) -> None:
    (row,) = probed(configuration, capsys, name).values()
    assert str(row["answer"]).startswith(answer)
    assert advice in str(row["advice"])


def test_probe_shows_the_lists_of_the_policies_first(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = probed(configuration, capsys)
    assert list(rows)[:2] == ["spamcop", "psbl"]
    assert [name for name, row in rows.items() if row["used"]] == ["spamcop", "psbl"]


def test_probe_ends_with_one_when_a_list_of_the_policies_is_ill(configuration: Path) -> None:
    assert run(["lists", "probe", "-c", str(configuration)]) == 1
    assert run(["lists", "probe", "-c", str(configuration), "spamcop"]) == 0
    assert run(["lists", "probe", "-c", str(configuration), "spamhaus-zen"]) == 0


def test_probe_of_an_unknown_list_is_wrong_use(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lists", "probe", "-c", str(configuration), "spamcopp"]) == 2
    assert "spamcopp: did you mean `spamcop`?" in capsys.readouterr().err


def test_probe_through_dead_name_servers_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gatepost.yaml"
    path.write_text(
        f"dns: {{nameservers: ['127.0.0.1:{free_port()}'], timeout_s: 0.1, attempts: 1}}\n"
    )
    assert run(["lists", "probe", "-c", str(path)]) == 1
    said = "No list could be asked: the name servers 127.0.0.1 do not answer."
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ends", "advice"),
    [
        ("timeout", "a list that stays silent is dead"),
        ("servfail", "own name servers fail; if it stays so, it is dead"),
        ("refused", "own name servers fail; if it stays so, it is dead"),
    ],
)
def test_one_list_that_fails_is_no_trouble_of_our_name_servers(ends: str, advice: str) -> None:
    spamcop, other = rows_of([], load_list_catalogue(), ["spamcop", "psbl"])
    spamcop.trouble = f"it cannot be asked: {ends}"

    assert not nobody_answers([spamcop])
    assert advice in spamcop.advice

    other.trouble = spamcop.trouble
    assert nobody_answers([spamcop, other]) is (ends == "timeout")


def test_probe_table_shows_the_whole_zone_on_a_narrow_screen() -> None:
    (row,) = rows_of([], load_list_catalogue(), ["spamcop"])
    console = Console(width=60, record=True, file=StringIO())
    console.print(probe_table([row]))
    zone = [line.split("\u2502")[2].strip() for line in console.export_text().splitlines()[3:-1]]
    assert "".join(zone) == "bl.spamcop.net"


def test_probe_shows_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "zone.yaml").write_text("names: {}\n")
    (tmp_path / "policy.yaml").write_text(
        "version: 1\nname: site\ndns_lists: [{use: spamhaus-zen-dqs, key_file: key}]\n"
    )
    path = tmp_path / "gatepost.yaml"
    path.write_text("dns: {zone_file: zone.yaml}\npolicies: policy.yaml\n")
    assert run(["lists", "probe", "-c", str(path), "--json", "spamhaus-zen-dqs"]) == 1
    assert run(["config", "show", "-c", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "Its key may be wrong or have ended: look at `key_file`" in shown
    assert "s3cret" not in shown


class _Daemon(BaseHTTPRequestHandler):
    """Answers as the port of a daemon does."""

    def do_GET(self) -> None:
        body = json.dumps(LISTS).encode()
        self.send_response(200 if self.path == "/v1/lists" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture(name="daemon")
def _daemon(tmp_path: Path) -> Iterator[Path]:
    with HTTPServer(("127.0.0.1", 0), _Daemon) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        path = tmp_path / "gatepost.yaml"
        path.write_text(f'http: {{bind: "127.0.0.1:{server.server_port}"}}\n')
        yield path
        server.shutdown()
        thread.join()


def test_status_shows_what_is_set_aside_and_why(
    daemon: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lists", "status", "-c", str(daemon)]) == 1
    shown = capsys.readouterr().out
    assert "bl.example" in shown
    assert "1 of 2" in shown
    assert "1,234 of 100,000" in shown
    assert "it refuses us: 127.255.255.254, since 2026-09-21" in shown


def test_status_without_a_daemon_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gatepost.yaml"
    path.write_text(f"http: {{bind: 'unix:{tmp_path}/none.sock'}}\n")
    assert run(["lists", "status", "-c", str(path)]) == 3
    said = capsys.readouterr().err
    assert "no daemon answers at" in said
    assert "(No such file or directory); is it running?" in said


def test_probe_shows_every_list_of_the_catalogue_once(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = probed(configuration, capsys)

    assert set(load_list_catalogue().entries) <= set(rows)
    assert len({row["zone"] for row in rows.values()}) == len(rows)
