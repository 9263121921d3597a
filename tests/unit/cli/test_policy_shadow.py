"""`gatepost policy shadow`, over a store in which a site with shadow policies kept its history."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from milter.cli import run
from milter.memory.opening import Home
from milter.pipeline.history import Keeping
from policies.loader import FileSource, load_policies
from reputation.history.journal import Journal, Keep, Wanted, retention
from tests.support.site import Clock, Sent, a_site

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0  # 2027-01-15
LIVE = """\
version: 1
name: live
thresholds: {tag: 5, reject: 12}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 6, describe: d}]
shadow: [{policy: next.yaml, until: 2027-01-31}, {policy: lax.yaml, until: 2027-01-14}]
"""
NEXT = """\
version: 1
name: next
extends: live.yaml
thresholds: {tag: 3}
patterns: [{id: PARKING, in: subject, match: parking, weight: 4, describe: d}]
rules: [{id: NO_PRIZES, when: '"LOTTERY" in symbols', action: reject, describe: d}]
"""
LAX = "version: 1\nname: lax\nextends: live.yaml\nthresholds: {tag: 7}\n"
ROUTE = "someone@sender.example -> bob@ours.example"
SUBJECTS = ("hello", "parking", "lottery", "lunch", "parking again")


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milter.cli.policy_shadow.time.time", lambda: NOW + 60)


def a_folder(path: Path, live: str = LIVE) -> Path:
    (path / "g.yaml").write_text("store: sqlite:s.db\npolicies: live.yaml\n")
    for name, text in (("live", live), ("next", NEXT), ("lax", LAX)):
        (path / f"{name}.yaml").write_text(text)
    return path


def take(folder: Path, *subjects: str, at: float = NOW, hashed: bool = False) -> None:
    """Let a site with the policies of `folder` take messages into the store there."""
    kept = retention(days=30, entries=1000, total_bytes=2**22)
    keeping = Keeping(Keep(kept, kept, hashed=hashed), "none", 2**20)
    chosen = load_policies(FileSource(), f"{folder}/live.yaml")
    home = Home(f"sqlite:{folder}/s.db", timeout_s=5.0)

    async def main() -> None:
        async with a_site(home.open, Clock(at), chosen, keeping=keeping) as site:
            for subject in subjects:
                await site.take(Sent(subject=subject, recipients=("bob@ours.example",)))
                site.clock.pass_by(seconds=1)

    asyncio.run(main())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a configuration, and a store with five messages of today."""
    folder = a_folder(tmp_path)
    take(folder, *SUBJECTS)
    return folder


def told(capsys: pytest.CaptureFixture[str], site: Path, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = run(["policy", "shadow", *words, "-c", f"{site}/g.yaml"])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_each_shadow_has_its_counts_its_term_and_the_messages_youngest_first(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site)

    assert code == 1
    assert said.splitlines() == [
        "next: until 2027-01-31, 16 days left",
        "  3 of 5 messages (60.0 %) since 2027-01-15 08:00:00 would be treated otherwise",
        "       2  pass -> tag",
        "       1  tag -> reject",
        f"  2027-01-15 08:00:04  T5  pass -> tag (0 -> 4)  {ROUTE}  by PARKING",
        f"  2027-01-15 08:00:02  T3  tag -> reject (6 -> 6)  {ROUTE}  by NO_PRIZES",
        f"  2027-01-15 08:00:01  T2  pass -> tag (0 -> 4)  {ROUTE}  by PARKING",
        f"  one in full: gatepost policy explain T5 --policy {site}/next.yaml -c {site}/g.yaml",
        "lax: ended on 2027-01-14",
        "  it has judged no message of these",
    ]


def test_the_list_is_cut_and_the_counts_are_not(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = told(capsys, site, "next", "--limit", "1")

    assert "3 of 5 messages" in said
    assert re.findall(r"T\d", said) == ["T5", "T5"]  # the message, and how to see it
    assert "... and 2 more: --limit" in said


def test_json_has_the_same(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = told(capsys, site, "next", "--json")

    (shadow,) = json.loads(said)["shadows"]
    assert code == 1
    assert (shadow["messages"], shadow["changed"], shadow["share"]) == (5, 3, 0.6)
    assert (shadow["until"], shadow["days_left"], shadow["ended"]) == ("2027-01-31", 16, False)
    assert shadow["by_way"] == [["pass", "tag", 2], ["tag", "reject", 1]]
    assert shadow["changes"][1] == {
        "txn_id": "T3",
        "at": NOW + 2,
        "mail_from": "someone@sender.example",
        "recipients": ["bob@ours.example"],
        "old": {"action": "tag", "score": 6.0, "rule": "LOTTERY"},
        "new": {"action": "reject", "score": 6.0, "rule": "NO_PRIZES"},
        "by": ["NO_PRIZES"],
    }


def test_a_name_that_no_shadow_has_is_told_with_those_there_are(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = told(capsys, site, "nxet")

    assert code == 2
    assert "there is no shadow policy 'nxet'; there is: lax, next" in said


def test_a_shadow_that_ended_has_a_share_of_what_it_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path)
    take(folder, "lottery", "hello", at=NOW - 86_400)
    take(folder, "lottery", "hello")

    _, said = told(capsys, folder, "lax", "--since", "7d")

    assert said.splitlines()[:3] == [
        "lax: ended on 2027-01-14",
        "  1 of 2 messages (50.0 %) since 2027-01-14 08:00:00 would be treated otherwise",
        "       1  tag -> pass",
    ]


def test_what_came_before_a_shadow_or_another_version_of_it_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path, LIVE.partition("shadow:")[0])
    take(folder, "hello", "parking")
    a_folder(tmp_path)
    take(folder, "parking", at=NOW + 10)
    (folder / "next.yaml").write_text(NEXT.replace("tag: 3", "tag: 4"))
    code, said = told(capsys, folder, "next")
    assert (code, said.splitlines()[1]) == (0, "  it has judged no message of these")

    take(folder, "hello", "parking", at=NOW + 20)

    code, said = told(capsys, folder, "next")
    assert code == 1
    assert "1 of 2 messages (50.0 %) since 2027-01-15 08:00:20" in said


def test_a_shadow_that_was_taken_away_is_told_as_such(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "live.yaml").write_text(LIVE.partition("shadow:")[0])

    code, said = told(capsys, site)

    assert code == 1
    assert said.startswith("next: not a shadow of the live policy any more\n  3 of 5 messages")


def test_without_shadows_it_says_how_to_have_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path, LIVE.partition("shadow:")[0])
    take(folder, "hello")

    code, said = told(capsys, folder)

    assert code == 0
    assert said == "no policy runs as a shadow: name one with `shadow` in the live policy\n"


def test_where_addresses_are_hidden_they_are_hidden_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path)
    take(folder, "parking", hashed=True)

    _, said = told(capsys, folder, "next")

    assert "bob@" not in said
    assert re.search(r"#[0-9a-f]{16}@sender\.example -> #[0-9a-f]{16}@ours\.example", said)


def test_without_a_history_there_is_no_list(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "g.yaml").write_text("store: sqlite:s.db\npolicies: live.yaml\nhistory: {days: 0}\n")

    code, said = told(capsys, site)

    assert code == 78
    assert "history.days is 0" in said


def test_differences_are_found_and_shown_like_other_history(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "search", "--shadow", "next", "-c", f"{site}/g.yaml"]) == 0
    assert re.findall(r" (T\d) ", capsys.readouterr().out) == ["T5", "T3", "T2"]
    run(["history", "show", "T3", "-c", f"{site}/g.yaml"])
    said = capsys.readouterr().out
    assert "what shadow policies would have done\n    next: reject, 6 points, by NO_PRIZES" in said


def test_only_messages_that_differ_carry_a_difference(site: Path) -> None:
    store = Home(f"sqlite:{site}/s.db", timeout_s=5.0).open()
    carried = [line.record.shadows for line in Journal(store).search(Wanted(), 10)]
    store.close()

    assert [len(each) for each in carried] == [1, 0, 1, 1, 0]
