"""`gatepost policy` on files: what a person reads, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from milter.cli import run
from policies.schema import PolicyFile

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
version: 1
name: site
extends: balanced
patterns:
  - {id: LOTTERY, in: subject, match: lottery, kind: fraud, weight: 5, describe: Lottery}
rules:
  - id: BOTH
    when: '"LOTTERY" in symbols && "SPF_FAIL" in symbols'
    action: reject
    reply: '550 5.7.1 No lotteries'
  - {id: NEVER_HIT, when: 'subject == "z"', weight: 1, describe: Never hit by a test}
overrides:
  - {name: sales, match: {recipient: "*@sales.example"}, thresholds: {reject: 20}}
tests:
  - name: a lottery is tagged
    message: lottery.eml
    expect: {action: tag, symbols: [LOTTERY], not_symbols: [BOTH, SPF_FAIL], rule: LOTTERY}
  - name: a forged lottery is refused
    message: lottery.eml
    with: {client_ip: 192.0.2.9, helo: mx.a.example, mail_from: x@a.example, dns: zone.yaml}
    expect: {action: reject, symbols: [SPF_FAIL], reply: No lotteries}
rules_packs: []
"""
LOTTERY = (
    "From: Ada <a@a.example>\nTo: b@example.org\nSubject: you won the lottery\n"
    "Date: Tue, 17 Nov 2026 10:00:00 +0000\nMessage-ID: <1@a.example>\n\nhello\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "lottery.eml").write_text(LOTTERY)
    (tmp_path / "zone.yaml").write_text('names:\n  a.example: {TXT: ["v=spf1 -all"]}\n')
    return tmp_path


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = run(["policy", *map(str, arguments)])
    return code, capsys.readouterr().out


def test_policy_test_runs_messages_through_the_real_checks(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = output(capsys, "test", site)

    assert said == (
        "ok    a lottery is tagged\n"
        "ok    a forged lottery is refused\n"
        "no test hits: NEVER_HIT\n"
        "2 passed, 0 failed\n"
    )
    assert code == 0
    assert output(capsys, "test", site, "--coverage")[0] == 1


def test_policy_test_tells_what_came_otherwise(
    site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = POLICY.replace("action: tag, symbols: [LOTTERY]", "action: pass, symbols: [SPF_PASS]")
    (site / "policy.yaml").write_text(text.replace("dns: zone.yaml", "dns: none.yaml"))
    report = tmp_path / "junit.xml"

    code, said = output(capsys, "test", site, "--junit", report)

    assert code == 1
    assert (
        "FAIL  a lottery is tagged\n      action: expected pass, came tag, decided by LOTTERY\n"
        in said
    )
    assert "      symbols: SPF_PASS was not found; found were: LOTTERY" in said
    assert "none.yaml: cannot be read: No such file or directory" in said
    root = ET.parse(report).getroot()  # noqa: S314 - it was written a moment ago
    # What Jenkins, GitLab and others read: junit-10.xsd of the xunit plugin of Jenkins.
    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.tag, suite.get("name")) == ("testsuite", str(site))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    assert [(case.tag, case.get("name"), case.get("classname")) for case in suite] == [
        ("testcase", "a lottery is tagged", str(site)),
        ("testcase", "a forged lottery is refused", str(site)),
    ]
    told = [(each.tag, each.get("type"), each.get("message")) for case in suite for each in case]
    assert told[0][:2] == ("failure", "difference")
    assert told[1][:2] == ("error", "not run")
    assert all(message for _, _, message in told)


PACK = """\
version: 1
language: en
about: What our users report
cap: 6
content:
  fraud:
    - id: EN_CHEAP_BRIDGE
      in: skeleton
      match: 'buy this bridge'
      weight: 1.5
      describe: Sells a bridge
      source: Reported eleven times in May
      hit: {body: "Buy this bridge."}
      miss: {"this bridge": "this bread"}
    - {id: EN_RULED, when: 'subject == "x"', weight: 1, describe: d, source: s, hit: {subject: y},
       miss: {y: x}}
    - {id: EN_OFF, when: 'subject == "x"', weight: 1, describe: d, source: s, hit: {subject: y},
       miss: {nowhere: x}}
"""


def test_policy_test_tries_the_rules_of_packs_on_their_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ours.yaml").write_text(PACK)
    policy = "version: 1\nname: site\nrules_packs: [any, en, ours.yaml]\ndefault_weights: true\n"
    (tmp_path / "policy.yaml").write_text(policy)

    code, said = output(capsys, "test", tmp_path)

    pack = tmp_path / "ours.yaml"
    assert code == 1
    assert said.splitlines() == [
        f"ok    EN_CHEAP_BRIDGE finds `hit` ({pack})",
        f"ok    EN_CHEAP_BRIDGE does not find `miss` ({pack})",
        f"FAIL  EN_RULED finds `hit` ({pack})",
        "      symbols: EN_RULED was not found; found were: EMPTY_MESSAGE",
        f"FAIL  EN_RULED does not find `miss` ({pack})",
        "      not_symbols: EN_RULED was found",
        f"FAIL  EN_OFF finds `hit` ({pack})",
        "      symbols: EN_OFF was not found; found were: EMPTY_MESSAGE",
        f"FAIL  EN_OFF does not find `miss` ({pack})",
        "      `miss`: 'nowhere' does not stand in the message of `hit`",
        "2 passed, 4 failed",
    ]
    # What the site does not count, or has otherwise, is not tried.
    mine = "patterns: [{id: EN_CHEAP_BRIDGE, in: subject, match: zebra, weight: 1, describe: d}]\n"
    (tmp_path / "policy.yaml").write_text(policy + mine)
    said = output(capsys, "test", tmp_path)[1]
    assert "EN_CHEAP_BRIDGE finds" not in said
    assert "no test hits: EN_CHEAP_BRIDGE\n" in said


def test_policy_lint_shows_the_line_and_a_caret(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "policy.yaml").write_text(POLICY.replace('"LOTTERY" in', '"LOTERY" in'))

    code, said = output(capsys, "lint", site)

    path = site / "policy.yaml"
    assert said.startswith(
        f"{path}:8:13: error: there is no symbol LOTERY: did you mean `LOTTERY`? [mistake]\n"
        '  |     when: \'"LOTERY" in symbols && "SPF_FAIL" in symbols\'\n'
        "  |             ^\n"
    )
    assert code == 78


def test_policy_lint_tells_the_stage_of_each_rule(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = output(capsys, "lint", site)

    assert code == 0
    assert "BOTH: evaluated at stage message\n" in said
    assert output(capsys, "lint", site, "--strict")[0] == 1


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_policy_lint_for_programs(
    site: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    report = json.loads(output(capsys, "lint", site, "--format", form)[1])

    if form == "json":
        assert {row["code"] for row in report} == {"rejects-alone"}
    else:
        (result,) = report["runs"][0]["results"]
        assert result["ruleId"] == "rejects-alone"
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region == {"startLine": 9, "startColumn": 13}


def test_policy_show_tells_where_each_value_was_said(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = output(capsys, "show", site, "--for", "x@sales.example")

    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    path = str(site / "policy.yaml")
    assert code == 0
    assert said.startswith("policy site+sales\n")
    assert lines["thresholds.reject"] == ["20", "#", f"{path}:13", "(override", "sales)"]
    assert lines["thresholds.tag"][:2] == ["5", "#"]
    assert lines["thresholds.tag"][2].startswith("presets/balanced.yaml:")
    assert lines["weights.LOTTERY"] == ["5", "#", f"{path}:5"]
    assert lines["weights.SPF_FAIL"] == ["5", "#", "policies/symbols.yaml"]
    assert lines["rules.BOTH"] == ['"reject"', "#", f"{path}:7"]
    assert lines["early.rcpt"] == ["null", "#", "default"]
    rows = json.loads(output(capsys, "show", site, "--json")[1])
    assert {row["key"]: row["value"] for row in rows}["thresholds.reject"] == 12


def test_policy_schema_fits_what_a_person_writes(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(output(capsys, "schema")[1])

    assert schema == PolicyFile.model_json_schema()
    jsonschema.validate({"version": 1, "name": "a", "rules": [{"id": "R1", "when": "x"}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": 1, "name": "a", "rule": []}, schema)


def test_policy_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "lnit")[0] == 2


def test_policy_explain_tells_the_story_and_what_would_have_changed_it(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--policy", site / "policy.yaml", "--offline")

    code, said = output(capsys, "explain", *options, site / "lottery.eml")

    assert code == 0
    assert "  decided by\n    LOTTERY\n" in said
    assert "  thresholds\n    tag 5, quarantine 8, reject 12, by site\n" in said
    assert "  what would have changed it\n    would have passed without LOTTERY\n" in said
    report = json.loads(output(capsys, "explain", *options, "--json", site / "lottery.eml")[1])
    assert {"action": "pass", "words": "would have passed without LOTTERY"} in report["ways"]


def test_policy_diff_tells_what_changes_and_by_what(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = site / "mail"
    mail.mkdir()
    (mail / "1.eml").write_text("Delivered-To: kim@sales.example\n" + LOTTERY)
    (mail / "2.eml").write_text(LOTTERY.replace("lottery", "meeting"))
    (site / "new.yaml").write_text(POLICY.replace("weight: 5", "weight: 8"))
    page = site / "diff.html"
    arguments = ("diff", site / "policy.yaml", site / "new.yaml", "--mail", mail)

    code, said = output(capsys, *arguments, "--html", page)

    assert code == 1
    assert said == (
        f"tag -> quarantine (5 -> 8)  {mail / '1.eml'}  by LOTTERY\n"
        "1 of 2 messages change\n"
        "       1  tag -> quarantine\n"
        "by recipient domain\n"
        "       1  sales.example: tag -> quarantine\n"
    )
    assert output(capsys, *arguments)[1] == said
    assert "<td>sales.example<td>tag<td>quarantine<td>1" in page.read_text()
    report = json.loads(output(capsys, *arguments, "--json")[1])
    assert report["changes"][0]["new"] == {"action": "quarantine", "score": 8, "rule": "LOTTERY"}
    same = (*arguments[:2], site / "policy.yaml", *arguments[3:])
    assert output(capsys, *same) == (0, "0 of 2 messages change\n")
