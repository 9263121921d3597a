"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_PAGES = (
    *("settings.md", "symbols.md", "rules.md", "facts.md", "metrics.md", "policy.md", "x1240.md"),
    "openapi.json",
)


def _generate(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pages_are_up_to_date(checkout: Path) -> None:
    done = _generate(checkout / "docs/generate.py", "--check")

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("stale", [_PAGES, _PAGES[2:3]], ids=["all", "one"])
def test_check_names_the_pages_that_are_out_of_date(
    checkout: Path, tmp_path: Path, stale: tuple[str, ...]
) -> None:
    for name in ("generate.py", "x1240.tsv", *_PAGES):
        shutil.copy(checkout / "docs" / name, tmp_path)
    made_before = {page: (tmp_path / page).read_text("utf-8") for page in _PAGES}
    for page in stale:
        (tmp_path / page).write_text(made_before[page] + "a line that nobody made\n", "utf-8")

    checked = _generate(tmp_path / "generate.py", "--check")
    made = _generate(tmp_path / "generate.py")

    assert checked.returncode == 1
    assert set(checked.stderr.splitlines()) == {
        f"{tmp_path / page} is out of date: run `make docs`" for page in stale
    }
    assert made.returncode == 0
    assert {page: (tmp_path / page).read_text("utf-8") for page in _PAGES} == made_before
