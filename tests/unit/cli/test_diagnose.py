"""`gatepost diagnose` prints a diagnosis, and its exit code says how things stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from milter.cli import run

if TYPE_CHECKING:
    from pathlib import Path

ZONE = """\
names:
  example.org: {TXT: ["v=spf1 ip4:192.0.2.1 -all"], MX: [[10, mx.example.org]]}
  mx.example.org: {A: [192.0.2.1]}
  192.0.2.1: {PTR: [mx.example.org]}
  _dmarc.example.org: {TXT: ["v=DMARC1; p=quarantine"]}
  bad.example: {TXT: ["v=spf1 +all \\e[2J"]}
  slow.example: timeout
"""


@pytest.fixture
def zone(tmp_path: Path) -> list[str]:
    path = tmp_path / "zone.yaml"
    path.write_text(ZONE)
    return ["--dns", str(path)]


def test_diagnose_prints_each_item_with_advice(
    zone: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diagnose", "example.org", "--ip", "192.0.2.1", *zone]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "example.org  (8 questions to the DNS)"
    assert out[1:5] == [
        "good       SPF",
        "             example.org: v=spf1 ip4:192.0.2.1 -all",
        "             0 of 10 terms that ask, 0 without answer",
        "             -> Nothing is to be done.",
    ]


def test_diagnose_json_is_one_object(zone: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagnose", "bad.example", "--json", *zone]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["domain"] == "bad.example"
    assert said["items"][0]["grade"] == "problem"


def test_diagnose_prints_nothing_that_moves_the_cursor(
    zone: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["diagnose", "bad.example", *zone])
    assert "\x1b[2J" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["slow.example"], 3),
        (["no_dot"], 2),
        (["a..example"], 2),
        (["192.0.2.1"], 2),
        (["[192.0.2.1]"], 2),
        (["2001:db8::1"], 2),
        (["a b.example"], 2),
        (["-a.example"], 2),
        (["nowhere.example"], 1),
        (["b\xfccher.example"], 1),
        (["example.org", "--ip", "here"], 2),
    ],
)
def test_diagnose_exit_code(zone: list[str], arguments: list[str], code: int) -> None:
    assert run(["diagnose", *arguments, *zone]) == code


@pytest.mark.parametrize(
    "text",
    [
        "user@good.example",
        "<user@good.example>",
        "http://good.example",
        "https://good.example:8443/page?a=b",
    ],
)
def test_diagnose_says_which_domain_was_meant(
    zone: list[str], capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run(["diagnose", text, *zone]) == 2
    assert "did you mean good.example?" in capsys.readouterr().err
