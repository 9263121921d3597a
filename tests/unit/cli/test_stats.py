"""`gatepost stats` and `gatepost report` over a store that a daemon would use."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from milter.cli import run
from milter.memory.opening import Home
from tests.support.counted_mail import an_observation, count

if TYPE_CHECKING:
    from pathlib import Path

TITLES = ["Volume", "Types", "Features", "Routes", "Sources", "Measures", "Investment"]


def a_site(tmp_path: Path, more: str = "", at: float | None = None) -> list[str]:
    """Count some mail, and return what names the configuration."""
    (tmp_path / "g.yaml").write_text(f"store: sqlite:{tmp_path}/s.db\n{more}")
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    now = time.time() if at is None else at
    mail = [an_observation(now) for _ in range(30)]
    mail += [an_observation(now, "reject", network="AS7 <b>|[x](y)") for _ in range(12)]
    count(store, mail, now)
    store.close()
    return ["-c", f"{tmp_path}/g.yaml"]


def quarter_day(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_stats_draws_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", "--window", "24h", *a_site(tmp_path)]) == 0

    said = capsys.readouterr().out
    assert "42 messages, 42,000 bytes\n12 (28.6 %) marked or refused; 0 bytes never sent" in said
    assert "192.0.2.0/24" in said
    assert "SPF_PASS" in said
    assert "▁" in said
    assert "money" not in said


def test_stats_as_json_are_those_of_the_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stats", "--json", *a_site(tmp_path)]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["messages"] == 42
    assert told["dimensions"]["kind"][0] == {
        "value": "fraud", "messages": 12, "bytes": 12_000, "unwanted": 12, "bytes_saved": 0,
    }  # fmt: skip


def test_stats_of_a_private_site_show_no_block_and_no_domain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_site(tmp_path, "statistics: {privacy: true}\n")

    assert run(["stats", *where]) == 0
    assert run(["stats", "--json", *where]) == 0

    said = capsys.readouterr().out
    assert "192.0.2" not in said
    assert "ours.example" not in said


def test_stats_with_prices_show_money(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = a_site(tmp_path, "statistics: {costs: {user_hour: 60, spam_minutes: 1}}\n")

    assert run(["stats", *where]) == 0

    assert "12 messages kept away x 1 minutes / 60 x 60" in capsys.readouterr().out


def test_stats_of_an_empty_store_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g.yaml").write_text(f"store: sqlite:{tmp_path}/s.db\n")
    Home(f"sqlite:{tmp_path}/s.db").open().close()

    assert run(["stats", "-c", f"{tmp_path}/g.yaml"]) == 0

    assert "0 messages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("configuration", "code", "words"),
    [
        pytest.param("workers: 1\n", 78, "names no `store`", id="no-store"),
        pytest.param("store: sqlite:none.db\n", 3, "does not exist yet", id="no-file-yet"),
    ],
)
def test_stats_without_a_store_say_so(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    configuration: str,
    code: int,
    words: str,
) -> None:
    (tmp_path / "g.yaml").write_text(configuration)

    assert run(["stats", "-c", f"{tmp_path}/g.yaml"]) == code

    assert words in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_report_answers_the_questions_in_their_order(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-30T12:00"))

    assert run(["report", "--period", "2026-Q3", *where]) == 0

    said = capsysbinary.readouterr().out.decode()
    heads = [line[3:] for line in said.splitlines() if line.startswith("## ")]
    assert heads == [f"{number}. {title}" for number, title in enumerate(TITLES, 1)]
    assert "2026-07-01 to 2026-09-30 (UTC)" in said
    assert r"| Messages | 42 |" in said
    assert "192.0.2" not in said


def test_report_tells_no_days_before_the_first_mail_and_prices_only_where_there_are_some(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-29T12:00"))

    assert run(["report", "--period", "2026-Q3", *where]) == 0

    said = capsysbinary.readouterr().out.decode()
    days = [line[:12] for line in said.splitlines() if line.startswith("| 2026-")]
    assert days == ["| 2026-09-29", "| 2026-09-30"]
    assert "Nothing was counted before 2026-09-29." in said
    assert "all of it is 0" in said


@pytest.mark.parametrize(
    ("period", "messages"), [("2026", 42), ("2026-09", 42), ("2026-Q4", 0), ("2026-08", 0)]
)
def test_report_is_about_its_period_alone(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], period: str, messages: int
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-30T12:00"))

    assert run(["report", "--period", period, "--format", "json", *where]) == 0

    assert json.loads(capsysbinary.readouterr().out)["totals"]["messages"] == messages


def test_report_as_html_needs_nothing_else_and_quotes_what_others_named(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-30T12:00"))

    assert run(["report", "--period", "2026-Q3", "--format", "html", *where]) == 0

    said = capsysbinary.readouterr().out.decode()
    assert "<svg role=" in said
    assert "AS7 &lt;b&gt;" in said
    assert "<b>" not in said
    assert "<script" not in said
    assert "src=" not in said
    assert "http:" not in said.replace("http-equiv", "")


def test_report_as_markdown_quotes_what_others_named(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-30T12:00"))

    assert run(["report", "--period", "2026-Q3", *where]) == 0

    assert r"AS7 \<b\>\|\[x\](y)" in capsysbinary.readouterr().out.decode()


def test_report_with_personal_values_has_them_only_where_asked_for(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    where = a_site(tmp_path, at=quarter_day("2026-09-30T12:00"))

    for form in ("md", "csv", "json", "html"):
        command = ["report", "--period", "2026-Q3", "--format", form, *where]
        assert run(command) == 0
        assert b"192.0.2.0/24" not in capsysbinary.readouterr().out
        assert run([*command, "--personal"]) == 0
        assert b"192.0.2.0/24" in capsysbinary.readouterr().out


@pytest.mark.parametrize("period", ["2026-Q5", "2026-13", "Q3", "2026-Q3x", "1999"])
def test_report_on_what_is_no_period_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], period: str
) -> None:
    assert run(["report", "--period", period, *a_site(tmp_path)]) == 2

    assert "2026-Q3 or 2026-09" in capsys.readouterr().err


@pytest.mark.parametrize("period", ["2099", "2099-Q1", "2099-12"])
def test_report_on_what_has_not_begun_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], period: str
) -> None:
    assert run(["report", "--period", period, *a_site(tmp_path)]) == 2

    said = capsys.readouterr()
    assert f"--period: {period} has not begun (UTC)" in said.err
    assert not said.out
