"""docs/x1240.tsv names things that are there, all clauses, and claims no more than it may."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import pytest

from milter.checks.catalogue import DIRECTIONS
from milter.cli import run
from milter.settings import Settings
from policies.loader import load_symbols
from policies.schema import PolicyFile
from policies.verdict import Action

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

CLAUSES = {
    "X.1240": {f"7.{number}" for number in range(2, 20)},
    "X.1241": {"8.1", "8.2", "9.1", "9.2", "9.3", "9.4"},
    "X.1245": {"6 (source)", "6 (characteristics)", "6 (content)"},
    "X.1236": {
        *(f"8.2.2 ({number})" for number in range(1, 5)),
        *(f"8.5.2 ({number})" for number in range(1, 7)),
    },
}


def rows(checkout: Path) -> list[dict[str, str]]:
    with (checkout / "docs" / "x1240.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def keys(model: type[BaseModel]) -> set[str]:
    """Return the paths of all keys, as the made pages write them."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    found: set[str] = set()

    def walk(section: dict[str, Any], path: str, inside: frozenset[str]) -> None:
        for key, field in section.get("properties", {}).items():
            below = f"{path}.{key}".lstrip(".")
            found.add(below)
            for suffix, name in references(field, ""):
                found.add(below + suffix)
                if name not in inside:
                    walk(schema["$defs"][name], below + suffix, inside | {name})

    def references(field: dict[str, Any], suffix: str) -> list[tuple[str, str]]:
        own = [(suffix, field["$ref"].rpartition("/")[2])] if "$ref" in field else []
        options = [*field.get("anyOf", ()), *field.get("allOf", ())]
        named = [field.get("additionalProperties"), *field.get("patternProperties", {}).values()]
        for option in options:
            own += references(option, suffix)
        if isinstance(field.get("items"), dict):
            own += references(field["items"], f"{suffix}[]")
        for each in named:
            own += references(each, f"{suffix}.*") if isinstance(each, dict) else []
        return own

    walk(schema, "", frozenset())
    return found


def is_there(checkout: Path, kind: str, name: str) -> bool:
    if kind == "doc":
        return (checkout / name).is_file()
    if kind == "command":
        return run([*name.split("-", 1), "--help"]) == 0
    known: dict[str, set[str]] = {
        "check": set(DIRECTIONS),
        "symbol": set(load_symbols()),
        "setting": keys(Settings),
        "policy": keys(PolicyFile),
        "action": {action.word for action in Action},
    }
    return name in known[kind]


def test_every_clause_stands_once(checkout: Path) -> None:
    told = [(row["recommendation"], row["clause"]) for row in rows(checkout)]

    assert sorted(told) == sorted((name, clause) for name in CLAUSES for clause in CLAUSES[name])


def test_what_serves_a_clause_is_there(checkout: Path) -> None:
    named = {thing for row in rows(checkout) for thing in row["served"].split()}

    gone = [thing for thing in sorted(named) if not is_there(checkout, *thing.split(":", 1))]

    assert gone == []


def test_tests_that_show_it_are_there(checkout: Path) -> None:
    gone = []
    for test in sorted({test for row in rows(checkout) for test in row["tests"].split()}):
        file, _, function = test.partition("::")
        path = checkout / file
        text = path.read_text("utf-8") if path.is_file() else ""
        if not re.search(rf"\bdef {function}\(" if function else r"\bdef test_", text):
            gone.append(test)

    assert gone == []


def test_what_is_served_is_shown_and_what_is_not_has_a_reason(checkout: Path) -> None:
    for row in rows(checkout):
        assert bool(row["served"]) == bool(row["tests"]), row["clause"]
        assert row["note"], row["clause"]


@pytest.mark.parametrize("name", ["x1240.md", "x1240.tsv"])
def test_nothing_is_claimed_that_guidance_cannot_give(checkout: Path, name: str) -> None:
    text = (checkout / "docs" / name).read_text("utf-8").lower()

    assert not re.search(r"\bcompliant|\bcompliance|\bcertified|\bcertification|\bconforms", text)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("check", "no_such"), ("symbol", "NO_SUCH"), ("setting", "listeners[].nothing"),
     ("policy", "nothing"), ("action", "bounce"), ("command", "nothing"), ("doc", "docs/no.md")],
)  # fmt: skip
def test_what_is_gone_is_noticed(checkout: Path, kind: str, name: str) -> None:
    assert not is_there(checkout, kind, name)
