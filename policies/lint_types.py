"""What lint has to say: a remark at its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.loader import LoadedPolicy
    from policies.positions import Loc


class Level(StrEnum):
    """How much a remark matters; the words are those of SARIF."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say.

    Attributes:
        path: The file.
        line: Line, counted from 1; 0 where it is the whole file's.
        column: Column, counted from 1.
        level: How much it matters.
        code: Short name of the kind of remark, for programs.
        what: What is so, and what to do about it.
    """

    path: str
    line: int
    column: int
    level: Level
    code: str
    what: str


def at_value(loaded: LoadedPolicy, loc: Loc, level: Level, code: str, what: str) -> Remark:
    """Return a remark at the value at `loc`."""
    mark = loaded.positions.value_mark(loc)
    return Remark(mark.file.path, mark.line, mark.column, level, code, what)


def at_key(loaded: LoadedPolicy, loc: Loc, level: Level, code: str, what: str) -> Remark:
    """Return a remark at the key at `loc`."""
    mark = loaded.positions.key_mark(loc)
    return Remark(mark.file.path, mark.line, mark.column, level, code, what)
