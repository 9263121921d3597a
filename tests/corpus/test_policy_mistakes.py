"""Mistakes that people make in policies, from slips of the finger to traps.

`policy_mistakes` holds one policy for each, and beside it what `gatepost policy lint` says of it:
the place, the line with a caret under what is wrong, and what to do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from milter.cli import EXIT_CONFIGURATION, EXIT_FINDING
from milter.cli.policy_lint import lint
from policies.errors import ConfigErrors
from policies.loader import FileSource, load_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER: Final = Path(__file__).with_name("policy_mistakes")
_POLICIES: Final = sorted(path.name for path in _FOLDER.glob("*.yaml"))
# `site.yaml:3:1: error: what is wrong [code]`, the line, and the caret.
_TOLD: Final = re.compile(
    r"^\S+\.yaml:(\d+):(\d+): (error|warning): (.+) \[[a-z-]+\]\n  \| (.*)\n  \| ( *)\^$",
    re.MULTILINE,
)


def said_of(name: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return exit code and output of the command."""
    code: int = lint.main([name], standalone_mode=False)
    return code, capsys.readouterr().out


@pytest.mark.parametrize("name", _POLICIES)
def test_mistake_is_told_as_it_stands_beside_the_policy(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(_FOLDER)
    code, said = said_of(name, capsys)

    assert said == (_FOLDER / name).with_suffix(".expected").read_text("utf-8")
    assert code == (EXIT_CONFIGURATION if ": error: " in said else EXIT_FINDING)


@pytest.mark.parametrize("name", _POLICIES)
def test_caret_stands_under_the_place_that_is_named(name: str) -> None:
    expected = (_FOLDER / name).with_suffix(".expected").read_text("utf-8")
    lines = (_FOLDER / name).read_text("utf-8").split("\n")
    told: Sequence[re.Match[str]] = list(_TOLD.finditer(expected))

    assert told
    for each in told:
        line, column = int(each[1]), int(each[2])
        assert lines[line - 1].replace("\t", " ") == each[5]
        assert len(each[6]) == column - 1


def test_mistakes_are_many_and_none_is_taken_silently() -> None:
    errors = [name for name in _POLICIES if ": error: " in _expected(name)]
    traps = [name for name in _POLICIES if name not in errors]

    assert len(errors) >= 60
    assert len(traps) >= 15
    assert all(": warning: " in _expected(name) for name in traps)


def test_policy_with_a_mistake_is_not_loaded() -> None:
    for name in _POLICIES:
        if ": error: " in _expected(name):
            with pytest.raises(ConfigErrors):
                load_policies(FileSource(), str(_FOLDER / name))


def _expected(name: str) -> str:
    return (_FOLDER / name).with_suffix(".expected").read_text("utf-8")
