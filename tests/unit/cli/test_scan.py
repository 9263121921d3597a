"""`gatepost scan` judges files by the real checks, with names from a zone of the test."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from milter.cli import run
from milter.enclosed.reader import LIBRARIES
from tests.support.files import a_mail_with, a_pdf

if TYPE_CHECKING:
    from pathlib import Path

HAM = (
    "From: Ada <a@example.net>\nTo: b@example.org\nSubject: {subject}\n"
    "Date: Tue, 17 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.net>\n\nhello\n"
)
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
ZONE = """\
names:
  example.net: {TXT: ["v=spf1 ip4:192.0.2.1 -all"], MX: [[10, mx.example.net]]}
  mx.example.net: {A: [192.0.2.1]}
  192.0.2.1: {PTR: [mx.example.net]}
  9.2.0.192.bl.example: {A: [127.0.0.2]}
  slow.example: timeout
"""
POLICY = """\
version: 1
name: site
extends: monitor
headers: all
thresholds: {tag: 5, reject: 20}
weights: {SPF_FAIL: 6, GTUBE: 100}
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes: {"127.0.0.2": {symbol: BL_LISTED, weight: 5, class: source, describe: On a list}}
overrides:
  - match: {recipient: "strict@*"}
    thresholds: {tag: 1, reject: 5}
"""


@pytest.fixture
def site(tmp_path: Path) -> list[str]:
    """Return the options that make a scan of the test's own names and policy."""
    (tmp_path / "zone.yaml").write_text(ZONE)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "ham.eml").write_text(HAM.format(subject="hello"))
    (tmp_path / "gtube.eml").write_text(HAM.format(subject="test") + GTUBE + "\n")
    return [
        *("--dns", str(tmp_path / "zone.yaml"), "--policy", str(tmp_path / "policy.yaml")),
    ]


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_scan_a_good_message_passes(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(tmp_path / "ham.eml"), *site]) == 0
    out = capsys.readouterr().out
    assert out == f"pass         0.00  {tmp_path}/ham.eml  nothing spoke against it\n"


def test_scan_exits_one_when_a_message_is_refused(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / name) for name in ("ham.eml", "gtube.eml")]
    assert run(["scan", *files, *site]) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["pass", "reject"]


def test_scan_json_has_every_key_of_the_contract(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.9", "--helo", "c.example", "--mail-from", "a@example.net"]
    arguments = ["scan", str(tmp_path / "ham.eml"), *site, *envelope, "--rcpt", "b@example.org"]
    assert run([*arguments, "--json"]) == 0
    (report,) = reports(capsys)
    keys = (
        "file action score required reply reason symbols auth facts trace headers txn_id policy "
        "duration_ms"
    )
    assert set(keys.split()) <= set(report)
    assert report["action"] == "tag"
    symbols, auth = report["symbols"], report["auth"]
    assert isinstance(symbols, dict)
    assert isinstance(auth, dict)
    assert symbols["SPF_FAIL"]["weight"] == 6
    assert symbols["BL_LISTED"]["evidence"].startswith("127.0.0.2 from bl.example")
    assert auth["spf"]["result"] == "fail"
    assert auth["dkim"] == [{"result": "none", "properties": {}}]


def test_scan_without_an_envelope_asks_nothing_about_it(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(tmp_path / "ham.eml"), *site, "--json"]) == 0
    (report,) = reports(capsys)
    auth = report["auth"]
    assert isinstance(auth, dict)
    assert (auth["spf"], auth["iprev"]) == ({}, {})
    assert report["symbols"] == {}


def test_scan_of_several_recipients_tells_the_severest(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.9", "--mail-from", "a@example.net"]
    recipients = ["--rcpt", "b@example.org", "--rcpt", "strict@example.org"]
    assert run(["scan", str(tmp_path / "ham.eml"), *site, *envelope, *recipients, "--json"]) == 1
    (report,) = reports(capsys)
    assert report["action"] == "reject"
    assert str(report["reply"]).startswith("550 5.7.1 Message refused: the domain ")


def test_scan_looks_through_a_trusted_relay(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "Received: from mx.example.net (unknown [192.0.2.1]) by relay (Postfix); x\n"
    (tmp_path / "relayed.eml").write_text(header + HAM.format(subject="hello"))
    envelope = ["--client-ip", "203.0.113.25", "--mail-from", "a@example.net"]
    relay = ["--trusted-relay", "203.0.113.25"]

    run(["scan", str(tmp_path / "relayed.eml"), *site, *envelope, *relay, "--json"])
    run(["scan", str(tmp_path / "relayed.eml"), *site, *envelope, "--json"])

    told = [report["facts"] for report in reports(capsys)]
    results = [facts["spf"]["result"] for facts in told if isinstance(facts, dict)]
    assert results == ["pass", "fail"]


def test_scan_explain_tells_the_whole_story(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.9", "--mail-from", "a@example.net"]
    assert run(["scan", str(tmp_path / "ham.eml"), *site, *envelope, "--explain"]) == 0
    out = capsys.readouterr().out
    for words in ("SPF_FAIL", "BL_LISTED", "reaches tag (5)", "spf=fail", "X-Spam-Flag: YES"):
        assert words in out


def test_scan_unreadable_input_is_three_and_the_others_are_judged(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(tmp_path / "none"), str(tmp_path / "gtube.eml"), *site]) == 3
    captured = capsys.readouterr()
    assert captured.err == f"{tmp_path}/none: cannot be read: No such file or directory\n"
    assert captured.out.startswith("reject")


def test_scan_strict_is_three_where_a_check_got_no_answer(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.1", "--mail-from", "a@slow.example"]
    arguments = ["scan", str(tmp_path / "ham.eml"), *site, *envelope]
    assert run(arguments) == 0
    assert run([*arguments, "--strict"]) == 3
    assert capsys.readouterr().err == ""


def test_scan_offline_runs_only_what_needs_no_network(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = site[2:]
    arguments = ["scan", str(tmp_path / "gtube.eml"), *policy, "--client-ip", "192.0.2.9"]
    assert run([*arguments, "--offline", "--json"]) == 1
    (report,) = reports(capsys)
    symbols = report["symbols"]
    assert isinstance(symbols, dict)
    assert set(symbols) == {"GTUBE"}


def test_scan_a_mistake_in_the_policy_is_78(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nname: x\nthresholds: {tag: low}\n")
    assert run(["scan", str(tmp_path / "ham.eml"), *site]) == 78
    assert f"{tmp_path}/policy.yaml:3:19: `tag` needs a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--client-ip", "300.1.1.1"),
        ("--mail-from", "nobody"),
        ("--rcpt", "<>"),
        ("--direction", "up"),
    ],
)
def test_scan_a_bad_envelope_is_wrong_use(
    option: str, value: str, site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(tmp_path / "ham.eml"), *site, option, value]) == 2
    assert "Error: " in capsys.readouterr().err


def test_scan_ends_quietly_when_nobody_reads_on(site: list[str], tmp_path: Path) -> None:
    box = tmp_path / "box"
    one = f"From a@b Tue Nov 24 10:00:00 2026\n{HAM.format(subject='x')}\n"
    box.write_text(one * 2000)
    command = [sys.executable, "-m", "milter", "scan", str(box), *site]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"pass")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_scan_what_a_peer_wrote_cannot_move_the_cursor(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.9", "--mail-from", "a@example.net", "--helo", "\x1b[2J"]
    file = tmp_path / "evil\x1b[2J.eml"
    file.write_text(HAM.format(subject="\x1b[2J"))
    run(["scan", str(file), *site, *envelope, "--explain"])
    assert "\x1b" not in capsys.readouterr().out


def test_scan_explain_tells_what_was_asked(
    site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envelope = ["--client-ip", "192.0.2.1", "--helo", "mx.example.net", "--mail-from", "<>"]

    run(["scan", str(tmp_path / "ham.eml"), *site, *envelope, "--explain"])

    out = capsys.readouterr().out
    assert "  what iprev asked and decided\n    ? 1.2.0.192.in-addr.arpa PTR: 1 record" in out
    assert "    ? 1.2.0.192.bl.example A: nxdomain\n" in out


def test_scan_protected_domain_is_looked_for_in_the_mail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = tmp_path / "a.eml"
    mail.write_text(HAM.replace("example.net", "our-branb.example"))

    run(["scan", "--offline", "--json", "--protected-domain", "our-brand.example", str(mail)])

    assert any(
        name.startswith("LOOKALIKE_") for name in json.loads(capsys.readouterr().out)["symbols"]
    )


def test_scan_open_without_its_library_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIBRARIES, "pdf", ("a_library_of_no_one",))
    mail = tmp_path / "a.eml"
    mail.write_bytes(b"Subject: x\r\n\r\nx\r\n")

    assert run(["scan", "--offline", "--open", "pdf", str(mail)]) == 2
    assert "--open pdf needs a library: install gatepost[pdf]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["scan", "--offline"], ["policy", "diff", "balanced", "strict", "--mail"]]
)
def test_where_no_message_is_it_is_said(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, str(tmp_path)]) == 0
    assert capsys.readouterr().err == f"{tmp_path}: holds no message\n"


def test_scan_open_reads_documents_as_part_of_the_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pypdfium2", reason="gatepost[pdf] is not installed")
    mail = tmp_path / "a.eml"
    document = a_pdf(["Log in to keep your account"], link="https://our-branb.example/login")
    mail.write_bytes(a_mail_with(("invoice.pdf", document)))
    options = ["scan", "--offline", "--json", "--protected-domain", "our-brand.example", str(mail)]

    run(options)
    closed = json.loads(capsys.readouterr().out)["symbols"]
    run([*options, "--open", "pdf"])
    opened = json.loads(capsys.readouterr().out)["symbols"]

    assert [name for name in closed if name.startswith("LOOKALIKE_")] == []
    assert [name for name in opened if name.startswith("LOOKALIKE_")] != []
