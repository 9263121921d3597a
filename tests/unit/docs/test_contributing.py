"""The check of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

from policies.document import parse_document
from policies.loader import validate
from policies.symbols import SymbolTable

if TYPE_CHECKING:
    from pathlib import Path

_MODULE: Final = "milter.checks.shouting"


def _blocks(checkout: Path, language: str) -> list[str]:
    text = (checkout / "CONTRIBUTING.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _module(name: str, code: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, f"CONTRIBUTING.md:{name}", "exec"), module.__dict__)  # noqa: S102
    return module


def test_symbol_of_the_example_is_one_of_the_table(checkout: Path) -> None:
    (block,) = _blocks(checkout, "yaml")

    specs = validate(parse_document(block.encode(), "CONTRIBUTING.md"), SymbolTable).specs()

    assert list(specs) == ["SUBJECT_SHOUTS"]
    assert specs["SUBJECT_SHOUTS"].stage == "message"


def test_check_of_the_example_passes_its_own_test(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, test = _blocks(checkout, "python")
    monkeypatch.setitem(sys.modules, _MODULE, _module(_MODULE, check))
    shown = _module("the_test", test).test_subject_in_capitals_is_found

    cases = [case.values for mark in shown.pytestmark for case in mark.args[1]]
    for subject, symbols in cases:
        shown(subject, symbols)

    assert len(cases) == 4


def test_check_of_the_example_keeps_the_house_style(checkout: Path, tmp_path: Path) -> None:
    check, test = _blocks(checkout, "python")
    # In folders of the same names, for imports of our own packages stand apart from others.
    for folder in ("milter/checks", "policies", "tests/support", "tests/unit"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/support/checks.py").touch()
    (tmp_path / "milter/checks/shouting.py").write_text(check, "utf-8")
    (tmp_path / "tests/unit/test_shouting.py").write_text(test, "utf-8")
    pytest.importorskip("ruff", reason="needs ruff, which `make check` installs")

    for arguments in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *arguments,
                "--config",
                checkout / "pyproject.toml",
                ".",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout


def test_commands_of_the_page_exist(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text("utf-8")
    text = (checkout / "CONTRIBUTING.md").read_text("utf-8")

    named = set(re.findall(r"(?:^ +|`)make ([a-z]+)", text, re.MULTILINE))

    assert named == {"test", "check", "format", "docs"}
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in named)
