"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_PAGES = ("settings.md", "symbols.md", "facts.md", "metrics.md", "policy.md", "x1240.md")


def _generate(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pages_are_up_to_date(checkout: Path) -> None:
    done = _generate(checkout / "docs/generate.py", "--check")

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("page", _PAGES)
def test_check_names_the_page_that_is_out_of_date(
    checkout: Path, tmp_path: Path, page: str
) -> None:
    for name in ("generate.py", "x1240.tsv", *_PAGES):
        shutil.copy(checkout / "docs" / name, tmp_path)
    _generate(tmp_path / "generate.py")
    path = tmp_path / page
    made_before = path.read_text("utf-8")
    path.write_text(made_before + "a line that nobody made\n", "utf-8")

    checked = _generate(tmp_path / "generate.py", "--check")
    made = _generate(tmp_path / "generate.py")

    assert checked.returncode == 1
    assert checked.stderr == f"{path} is out of date: run `make docs`\n"
    assert made.returncode == 0
    assert path.read_text("utf-8") == made_before
