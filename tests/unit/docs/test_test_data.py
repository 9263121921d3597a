"""docs/test-data.md has a row for every file of its folders, and names tests that are there."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS = ("mime", "url", "content")


def rows(checkout: Path) -> list[list[str]]:
    text = (checkout / "docs" / "test-data.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| (?:mime|url|content)/", line)]
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


def test_every_row_names_a_test_or_a_reason(checkout: Path) -> None:
    told = [row for row in rows(checkout) if row[1] != "not here" and not row[1].startswith("`")]

    assert told == []
    assert [row[0] for row in rows(checkout) if not row[2]] == []


def test_every_file_has_a_row_and_every_row_a_file(checkout: Path) -> None:
    base = SHARED / "conformance"
    if not base.exists():
        pytest.skip(f"the test data is not there: {base}")
    patterns = [row[0] for row in rows(checkout)]
    files = [
        str(path.relative_to(base))
        for folder in _FOLDERS
        for path in (base / folder).rglob("*")
        if path.is_file()
    ]

    without = [name for name in files if not any(fnmatch(name, one) for one in patterns)]
    empty = [one for one in patterns if not any(fnmatch(name, one) for name in files)]

    assert without == []
    assert empty == []
