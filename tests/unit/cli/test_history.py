"""`gatepost history`, `trace` and what reads the history, over a store that a daemon would use."""

from __future__ import annotations

import asyncio
import json
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.cli import run
from milter.memory.opening import Home
from milter.pipeline.history import Keeping
from reputation.history.journal import Journal, Keep, Wanted, retention
from tests.support.pipeline import policies
from tests.support.site import Clock, Sent, a_site

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
version: 1
name: site
default_weights: true
thresholds: {tag: 5, quarantine: 8, reject: 12}
weights: {SPF_FAIL: 13}
"""
KEEP = Keep(
    retention(days=30, entries=1000, total_bytes=2**22),
    retention(days=7, entries=100, total_bytes=2**22),
)
ZONE: dict[str, object] = {"forged.example": {"TXT": ["v=spf1 -all"]}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a configuration, and a store in which two messages were recorded."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "milder.yaml").write_text(POLICY.replace("SPF_FAIL: 13", "SPF_FAIL: 1"))
    (tmp_path / "g.yaml").write_text("store: sqlite:s.db\npolicies: policy.yaml\n")
    home = Home(f"sqlite:{tmp_path}/s.db", timeout_s=5.0)

    async def main() -> None:
        keeping = Keeping(KEEP, "all", 2**20)
        chosen = policies(POLICY)
        async with a_site(home.open, Clock(), chosen, ZONE, keeping=keeping) as made:
            await made.take(Sent(domain="wanted.example", recipients=("bob@ours.example",)))
            await made.take(Sent(domain="forged.example", subject="Win\x1b[2J"))

    asyncio.run(main())
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], site: Path, *words: str) -> tuple[int, str]:
    code = run([*words, "-c", f"{site}/g.yaml"])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_search_lists_messages_and_says_whether_there_were_any(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site, "history", "search", "--action", "reject")
    assert code == 0
    (line,) = said.splitlines()
    assert line.startswith("2027-01-15 08:00:00  T2  reject ")
    assert line.endswith("  someone@forged.example -> alice@ours.example  Win?[2J")
    assert told(capsys, site, "history", "search", "--sender", "nobody.example")[0] == 1
    code, said = told(capsys, site, "history", "search", "--json")
    assert [json.loads(line)["txn_id"] for line in said.splitlines()] == ["T2", "T1"]
    assert told(capsys, site, "history", "search", "--since", "x")[0] == 2


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--symbol", "SPF_FIAL", "there is no symbol SPF_FIAL now: did you mean `SPF_FAIL`?"),
        ("--listener", "http2", "there is no listener http2 now: did you mean `http`?"),
        ("--shadow", "x\x1b", "there is no shadow x? now"),
        ("--symbol", "DKIM_PASS", ""),
        ("--sender", "nobody.example", ""),
    ],
)
def test_search_that_finds_nothing_says_why(
    option: str, value: str, says: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "search", option, value, "--json", "-c", f"{site}/g.yaml"]) == 1

    said = capsys.readouterr()
    assert not said.out
    assert "the history has no such message: " in said.err
    assert says in said.err
    assert ("there is no" in said.err) == bool(says)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--client-ip", "192.0.2", "--client-ip: '192.0.2' is no IP address"),
        ("--direction", "in", "'in' is not one of 'inbound', 'outbound', 'internal'"),
    ],
)
def test_search_for_what_can_never_be_is_wrong_use(
    option: str, value: str, says: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site, "history", "search", option, value)

    assert (code, says in said) == (2, True)


def test_search_reads_an_address_in_any_spelling(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, one = told(capsys, site, "history", "search", "--json", "--limit", "1")
    assert code == 0
    client = ip_address(json.loads(one)["client_ip"])
    spelt = client.exploded.upper()

    assert told(capsys, site, "history", "search", "--client-ip", spelt)[0] == 0


def test_show_tells_all_and_gives_the_message_back(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site, "history", "show", "T2")
    assert code == 0
    assert "SPF_FAIL" in said
    assert "decided by" in said
    code, said = told(capsys, site, "history", "show", "T2", "--json")
    assert json.loads(said)["action"] == "reject"
    assert told(capsys, site, "history", "show", "T9") == (
        3,
        "Error: the history has no message T9 (any more)\n",
    )
    assert run(["history", "show", "T2", "--message", "-c", f"{site}/g.yaml"]) == 0
    assert capsys.readouterr().out.startswith("From: <someone@forged.example>")


@pytest.mark.parametrize(
    "words",
    [
        ("T2",),
        ("t2",),
        ("<m2@forged.example>",),
        ("m2@forged.example",),
        ("someone@forged.example",),
        ("forged.example",),
        ("forged.example", "alice@ours.example"),
    ],
    ids=" ".join,
)
def test_trace_says_what_happened_and_why(
    site: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, said = told(capsys, site, "trace", *words)

    assert code == 0
    (line,) = said.splitlines()
    assert line.startswith(
        "Refused at 2027-01-15 08:00:00 UTC: mail from someone@forged.example to alice@ours.example"
    )
    assert "the domain forged.example does not authorise 198.51.100.7 (SPF)" in line
    assert "The client was told 550 5.7.23 " in line
    assert "Try: gatepost diagnose forged.example --ip 198.51.100.7" in line


def test_trace_says_when_more_fits_than_it_shows(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lines(limit: int) -> tuple[int, str]:
        assert run(["trace", "ours.example", "--limit", f"{limit}", "-c", f"{site}/g.yaml"]) == 0
        said = capsys.readouterr()
        return len(said.out.splitlines()), said.err

    assert lines(2) == (2, "")
    assert lines(1) == (1, "older ones fit, too: --limit 10 shows more of them\n")


def test_trace_of_what_never_came_says_so(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(capsys, site, "trace", "forged.example", "bob@ours.example")
    assert code == 1
    assert "never came here" in said


def test_explain_of_an_id_tells_the_story_and_what_would_have_changed_it(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Home(f"sqlite:{site}/s.db", timeout_s=5.0).open()
    record = Journal(store).search(Wanted(action="reject"), 1)[0].record
    store.close()
    # Ids of the test's site are shorter than real ones.
    monkeypatch.setattr("milter.core.ids._ID", re.compile("T[0-9]+"))

    code, said = told(capsys, site, "policy", "explain", record.txn_id)
    assert code in {0, None}
    assert "would have passed without" in said or "would have been" in said
    assert "thresholds" in said
    code, said = told(capsys, site, "policy", "explain", f"({record.txn_id.lower()})", "T1")
    assert said.count("thresholds") == 2
    milder = ("--policy", f"{site}/milder.yaml")
    code, said = told(capsys, site, "policy", "explain", record.txn_id, *milder)
    assert f"  by {site}/milder.yaml it would be tag, " in said
    assert "have changed since" not in said
    code, said = told(capsys, site, "policy", "explain", record.txn_id, "--json")
    now = json.loads(said)["now"]
    assert (now["action"], now["version"]) == ("reject", record.version)


def test_replay_under_the_same_policy_changes_nothing_and_under_another_what_it_says(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site, "history", "replay")
    assert (code, said) == (0, "0 of 2 messages change\n")

    code, said = told(capsys, site, "history", "replay", "--policy", f"{site}/milder.yaml")
    assert code == 1
    assert said.startswith("reject -> ")
    assert "T2 someone@forged.example  by SPF_FAIL" in said


def test_diff_over_the_history_reads_the_usual_configuration(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_CONFIG", f"{site}/g.yaml")
    both = ["policy", "diff", f"{site}/policy.yaml", f"{site}/milder.yaml"]

    assert run([*both, "--mail", "history"]) == 1
    assert "1 of 2 messages change" in capsys.readouterr().out
    # Other mail has no use for it, and does not mind that it is named.
    assert run([*both, "--mail", f"{site}/policy.yaml"]) == 0


def test_diff_over_the_history_is_that_of_two_policies(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("policy", "diff", f"{site}/policy.yaml", f"{site}/milder.yaml", "--mail", "history")
    code, said = told(capsys, site, *both, "--json")

    assert code == 1
    report = json.loads(said)
    assert report["messages"] == 2
    (change,) = report["changes"]
    assert change["message"] == "T2 someone@forged.example"
    assert (change["old"]["action"], change["domain"]) == ("reject", "ours.example")
    assert run([*both[:-1], str(site / "policy.yaml"), "--since", "7d"]) == 2
    capsys.readouterr()
