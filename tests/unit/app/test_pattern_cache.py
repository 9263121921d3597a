"""Databases of patterns are made in the background, kept, and taken from where they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.app.pattern_cache import arm_in_background
from policies import engine, prefilter
from policies.engine import PatternSpec
from policies.patterns import PatternSet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not prefilter.is_available(), reason="hyperscan has no wheel for this machine"
)


def the_patterns(count: int = 20) -> PatternSet:
    return PatternSet.compile(
        PatternSpec(f"P{number}", "body", f"word{number}") for number in range(count)
    )


def armed(patterns: PatternSet, folder: Path) -> PatternSet:
    thread = arm_in_background(patterns, folder)
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    return patterns


def found(patterns: PatternSet) -> list[str]:
    return [hit.id for hit in patterns.match(lambda _: "word7 and WORD13")]


def test_patterns_answer_before_and_after(tmp_path: Path) -> None:
    patterns = the_patterns()
    before = found(patterns)

    armed(patterns, tmp_path / "patterns")

    assert found(patterns) == before == ["P1", "P7", "P13"]
    assert patterns.armed == {"body"}


def test_patterns_are_taken_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    armed(the_patterns(), tmp_path)
    (kept,) = tmp_path.glob("*.patterns")
    monkeypatch.setattr(prefilter, "build", lambda *_: pytest.fail("compiled again"))

    assert armed(the_patterns(), tmp_path).armed == {"body"}
    assert kept.exists()


def test_patterns_that_are_not_found_are_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = the_patterns().patterns
    armed(PatternSet(specs), tmp_path)
    compiled: list[str] = []

    def compile_pattern(spec: PatternSpec) -> object:
        compiled.append(spec.id)
        return engine.compile_pattern(spec)

    monkeypatch.setattr("policies.patterns.compile_pattern", compile_pattern)

    assert found(armed(PatternSet(specs), tmp_path)) == ["P1", "P7", "P13"]
    assert sorted(compiled) == ["P1", "P13", "P7"]


def test_patterns_that_are_damaged_are_made_again(tmp_path: Path) -> None:
    armed(the_patterns(), tmp_path)
    (kept,) = tmp_path.glob("*.patterns")
    kept.write_bytes(kept.read_bytes()[:-1])

    assert armed(the_patterns(), tmp_path).armed == {"body"}
    assert prefilter.is_whole(kept.read_bytes())


def test_patterns_that_cannot_be_kept_are_asked_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    patterns = armed(the_patterns(), tmp_path / "file")

    assert patterns.armed == frozenset()
    assert found(patterns) == ["P1", "P7", "P13"]


def test_view_of_one_pattern_is_armed_as_well(tmp_path: Path) -> None:
    patterns = armed(the_patterns(1), tmp_path)

    assert patterns.armed == {"body"}


def test_without_patterns_nothing_is_compiled(tmp_path: Path) -> None:
    assert arm_in_background(the_patterns(0), tmp_path) is None
