"""`gatepost policy lint --format sarif`: what a build server reads."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from milter.cli import run

# What SARIF 2.1.0 (OASIS, 27 March 2020) says of the objects that are written, in the words of JSON
# Schema: §3.13 sarifLog, §3.14 run, §3.19 toolComponent, §3.49 reportingDescriptor, §3.27 result,
# §3.29 physicalLocation, §3.4 artifactLocation, §3.30 region. Nothing else may stand in them.
MESSAGE = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
ARTIFACT = {
    "type": "object",
    "properties": {
        "uri": {"type": "string", "format": "uri-reference", "pattern": r"^[!-~]+$"},
        "uriBaseId": {"type": "string"},
        "description": MESSAGE,
    },
    "additionalProperties": False,
}
REGION = {
    "type": "object",
    "required": ["startLine"],
    "properties": {
        "startLine": {"type": "integer", "minimum": 1},
        "startColumn": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": MESSAGE,
        "locations": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["physicalLocation"],
                "properties": {
                    "physicalLocation": {
                        "type": "object",
                        "required": ["artifactLocation"],
                        "properties": {"artifactLocation": ARTIFACT, "region": REGION},
                        "additionalProperties": False,
                    }
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
RULE = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "shortDescription": MESSAGE},
    "additionalProperties": False,
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    },
    "additionalProperties": False,
}
REPORT = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": DRIVER},
                        "additionalProperties": False,
                    },
                    "originalUriBaseIds": {"type": "object", "additionalProperties": ARTIFACT},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
MISTAKES = Path(__file__).parents[2] / "corpus" / "policy_mistakes"

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

    run(["policy", "lint", "--format", "sarif", "strict"])

    (made,) = json.loads(capsys.readouterr().out)["runs"]
    bases = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"]
        for result in made["results"]
    }
    assert bases == {"GATEPOST"}
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


@pytest.mark.parametrize(
    "name", ["many-at-once.yaml", "missing.yaml", "trap-no-tests.yaml", "strict"]
)
def test_sarif_has_the_shape_that_its_standard_says(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MISTAKES)

    run(["policy", "lint", "--format", "sarif", name])

    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, REPORT)
    (made,) = report["runs"]
    assert made["results"]
    for result in made["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert place.get("uriBaseId", "SRCROOT") in made["originalUriBaseIds"]
