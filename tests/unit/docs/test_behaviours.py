"""docs/behaviours.md has a row for every suite of the list, and names tests that are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from pathlib import Path


def rows(checkout: Path) -> list[list[str]]:
    text = (checkout / "docs" / "behaviours.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_tests_that_are_named_are_there(checkout: Path) -> None:
    gone = []
    for test in {name for row in rows(checkout) for name in re.findall(r"`(tests/[^`]+)`", row[1])}:
        file, _, function = test.partition("::")
        path = checkout / file
        text = path.read_text("utf-8") if path.is_file() else ""
        if not re.search(rf"\bdef {function or 'test_'}", text):
            gone.append(test)

    assert sorted(gone) == []


def test_what_is_not_here_has_a_reason(checkout: Path) -> None:
    assert [row[0] for row in rows(checkout) if row[1] == "not here" and not row[2]] == []


def test_every_suite_of_the_list_has_a_row(checkout: Path) -> None:
    index = SHARED / "conformance" / "rspamd" / "behaviours-index.md"
    if not index.exists():
        pytest.skip(f"the list is not there: {index}")
    suites = re.findall(r"^## (\S+)\.robot", index.read_text("utf-8"), re.MULTILINE)
    known = [row[0] for row in rows(checkout)]

    def has_row(suite: str) -> bool:
        return any(suite == one or suite.startswith(f"{one}/") for one in known)

    missing = [suite for suite in suites if not has_row(suite)]

    assert suites
    assert missing == []
