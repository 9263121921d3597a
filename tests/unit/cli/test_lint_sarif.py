"""`gatepost policy lint --format sarif`: what a build server reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from milter.cli import run

if TYPE_CHECKING:
    from pathlib import Path

TRAPS = """\
version: 1
name: x
extends: balanced
rules:
  - {id: ALL, when: 'size_bytes >= 0', action: reject}
"""


@pytest.mark.parametrize(
    ("name", "artifact"),
    [
        pytest.param("p.yaml", {"uri": "p.yaml", "uriBaseId": "SRCROOT"}, id="below"),
        pytest.param("./p.yaml", {"uri": "p.yaml", "uriBaseId": "SRCROOT"}, id="dot"),
        pytest.param(
            "a b/#1 ü%20:.yaml",
            {"uri": "a%20b/%231%20%C3%BC%2520%3A.yaml", "uriBaseId": "SRCROOT"},
            id="characters-that-mean-something-in-addresses",
        ),
        pytest.param("{site}/p q.yaml", {"uri": "file://{site}/p%20q.yaml"}, id="absolute"),
        pytest.param("../{up}/p.yaml", {"uri": "file://{site}/p.yaml"}, id="above"),
    ],
)
def test_sarif_names_files_so_that_they_are_found(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    artifact: dict[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    named = name.format(site=tmp_path, up=tmp_path.name)
    (tmp_path / named).parent.mkdir(exist_ok=True)
    (tmp_path / named).write_text(TRAPS)

    assert run(["policy", "lint", "--format", "sarif", named]) == 1
    report = json.loads(capsys.readouterr().out)

    (made,) = report["runs"]
    assert report["version"] == "2.1.0"
    assert made["tool"]["driver"]["name"] == "gatepost policy lint"
    rules = [rule["id"] for rule in made["tool"]["driver"]["rules"]]
    assert made["results"]
    for result in made["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {
            key: value.format(site=tmp_path.resolve()) for key, value in artifact.items()
        }
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1


def test_sarif_tells_a_preset_from_a_file_of_the_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(
        "version: 1\nname: x\nextends: balanced\nthresholds: {tag: 9}\n"
    )

    run(["policy", "lint", "--format", "sarif", "p.yaml"])

    (made,) = json.loads(capsys.readouterr().out)["runs"]
    bases = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"]
        for result in made["results"]
    }
    assert "GATEPOST" in bases
    assert bases <= made["originalUriBaseIds"].keys()


def test_sarif_of_a_whole_file_names_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["policy", "lint", "--format", "sarif", "missing.yaml"]) == 78

    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "missing.yaml", "uriBaseId": "SRCROOT"}
    }
