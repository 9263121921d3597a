"""From a rule file to a verdict: what is imported is loaded, and hits what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.cli import EXIT_FINDING, EXIT_INPUT, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RULES = """\
# Rules of our own.
header   __FROM_SHOP  From =~ /\\@shop\\.example/i
body     EARN_MUCH    /earn (?:big|much) money/i
describe EARN_MUCH    Promises money
score    EARN_MUCH    2.5
body     AHEAD        /foo(?!bar)/
meta     SHOP_MONEY   __FROM_SHOP && EARN_MUCH
score    SHOP_MONEY   3.0
"""
MAIL = (
    "From: Ann <a@shop.example>\nTo: b@ours.example\nSubject: For you\n"
    "Date: Tue, 17 Nov 2026 10:00:00 +0000\nMessage-ID: <1@shop.example>\n\n"
    "At home you can earn\nmuch money.\n"
)


def test_imported_rules_judge_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.cf").write_text(RULES)
    (tmp_path / "hit.eml").write_text(MAIL)
    (tmp_path / "miss.eml").write_text(MAIL.replace("much", "little"))

    code = run(["policy", "import-spamassassin", str(tmp_path / "rules.cf")])
    made = capsys.readouterr()
    (tmp_path / "policy.yaml").write_text(made.out)
    run(["scan", "--offline", "--policy", str(tmp_path / "policy.yaml"), str(tmp_path / "hit.eml")])
    run(
        ["scan", "--offline", "--policy", str(tmp_path / "policy.yaml"), str(tmp_path / "miss.eml")]
    )
    hit, miss = capsys.readouterr().out.splitlines()

    assert code == 0
    assert "rules.cf:6: AHEAD: look-ahead" in made.err
    assert "2 rules imported (1 body, 1 meta), 1 refused" in made.err
    assert hit.startswith("tag          5.50")
    assert miss.startswith("pass         0.00")


def test_nothing_that_fits_is_a_finding_and_no_file_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.cf").write_text("body AHEAD /foo(?!bar)/\n")

    assert run(["policy", "import-spamassassin", str(tmp_path / "rules.cf")]) == EXIT_FINDING
    assert run(["policy", "import-spamassassin", str(tmp_path / "none.cf")]) == EXIT_INPUT
    told = capsys.readouterr().err
    assert "none.cf: No such file or directory; name a file with rules" in told


def test_included_files_are_read_each_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "rules.cf").write_text("include more/a.cf\ninclude none.cf\nuri A /a/\n")
    (tmp_path / "more/a.cf").write_text("include ../rules.cf\ninclude b.cf\nuri B /b/\n")
    (tmp_path / "more/b.cf").write_text("uri C /c/\n")

    assert run(["policy", "import-spamassassin", str(tmp_path / "rules.cf")]) == 0
    told = capsys.readouterr()

    assert [name for name in "ABC" if f"id: SA_{name}\n" in told.out] == ["A", "B", "C"]
    assert "rules.cf:2: `include none.cf`: No such file or directory" in told.err
    assert "a.cf:1: `include ../rules.cf` is left out" in told.err


def test_parts_of_headers_find_what_spamassassin_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.cf").write_text(
        "header ADDR From:addr =~ /^a@shop\\.example$/\nheader NAME From:name =~ /^Zo\\xc3\\xab$/\n"
        "header RAW From:raw =~ /=\\?utf-8\\?q/\nheader WRONG From:addr =~ /Zo/\n"
    )
    (tmp_path / "a.eml").write_text(MAIL.replace("Ann", "=?utf-8?q?Zo=C3=AB?="))
    run(["policy", "import-spamassassin", "--extends", "", str(tmp_path / "rules.cf")])
    (tmp_path / "policy.yaml").write_text(capsys.readouterr().out)

    policy = str(tmp_path / "policy.yaml")
    run(["scan", "--offline", "--json", "--policy", policy, str(tmp_path / "a.eml")])
    found = capsys.readouterr().out

    assert [name for name in ("ADDR", "NAME", "RAW", "WRONG") if f'"{name}"' in found] == [
        "ADDR",
        "NAME",
        "RAW",
    ]


def test_scores_of_rules_that_are_not_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.cf").write_text(f"{RULES}score SPF_FAIL 7\n")

    assert run(["policy", "import-spamassassin", str(tmp_path / "rules.cf")]) == 0
    assert "rules.cf:9: a score of SPF_FAIL, which is no rule in" in capsys.readouterr().err


def test_preset_that_there_is_not_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.cf").write_text(RULES)

    code = run(
        ["policy", "import-spamassassin", "--extends", "balancd", str(tmp_path / "rules.cf")]
    )

    assert (code, "did you mean `balanced`?" in capsys.readouterr().err) == (EXIT_INPUT, True)
