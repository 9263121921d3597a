"""Exceptions of the policies."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


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


class Mistakes:
    """Mistakes as they are found, one way of looking after the other.

    Where one stands already, a later look adds none: it would tell what follows from the first.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int], list[ConfigError]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def take(self, errors: Iterable[ConfigError]) -> None:
        """Add what one look has found."""
        new: dict[tuple[str, int, int], list[ConfigError]] = {}
        for error in errors:
            place = (error.path, error.line, error.column)
            if place not in self._found:
                new.setdefault(place, []).append(error)
        self._found |= new

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Add what is raised within, and go on behind it."""
        try:
            yield
        except ConfigErrors as err:
            self.take(err.errors)

    def errors(self) -> list[ConfigError]:
        """Return them in the order of the files and lines."""
        return [error for _, found in sorted(self._found.items()) for error in found]

    def refuse(self) -> None:
        """Say them all, where there are any.

        Raises:
            ConfigErrors: There are some.
        """
        if self._found:
            raise ConfigErrors(self.errors())
