"""Exceptions of the policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PolicyError(Exception):
    """Root of everything that this package raises on purpose."""


class ConfigError(PolicyError):
    """One mistake in a file that a person wrote.

    Attributes:
        path: The file, as the person named it.
        line: Line, counted from 1; 0 when the mistake is the whole file's.
        column: Column, counted from 1; 0 likewise.
        what: What is wrong and what to do about it, in one sentence.
    """

    def __init__(self, path: str, line: int, column: int, what: str) -> None:
        place = f"{path}:{line}:{column}" if line else path
        super().__init__(f"{place}: {what}")
        self.path = path
        self.line = line
        self.column = column
        self.what = what


class ConfigErrors(PolicyError):  # noqa: N818 - it is several
    """All mistakes found in one go, in the order of the files and lines.

    Attributes:
        errors: At least one.
    """

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)
