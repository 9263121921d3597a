"""A mistake with the line in which it stands and a caret under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.cli.explain import printable
from policies.errors import ConfigError
from policies.loader import FileSource

if TYPE_CHECKING:
    from policies.loader import Source

_WIDEST: Final = 120


def told(error: Exception) -> str:
    """Return an error in words; a mistake in a file with its line and a caret."""
    if not isinstance(error, ConfigError):
        return str(error)
    return with_line(FileSource(), error.path, error.line, error.column, error.what)


def with_line(source: Source, path: str, line: int, column: int, what: str) -> str:
    """Return `what` behind its place, the line of the file and a caret under the column.

    A file that cannot be read again, such as a preset inside the package, is named alone.
    """
    head = f"{path}:{line}:{column}: {what}" if line else f"{path}: {what}"
    text = _line(source, path, line) if line else ""
    if not text.strip():
        return head
    # What is before the caret may be wide; the line begins so that the caret can be seen.
    start = max(0, column - _WIDEST + 20)
    shown = printable(text.replace("\t", " ")[start : start + _WIDEST])
    return f"{head}\n  | {shown}\n  | {' ' * (column - 1 - start)}^"


def _line(source: Source, path: str, line: int) -> str:
    try:
        lines = source.read(path).decode("utf-8", "replace").split("\n")
    except ConfigError:
        return ""
    return lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
