"""Indexes of labelled mail: in each line a label, a tab or spaces, a file; in order of delivery.

Those of the TREC Spam Track (`spam ../data/inmail.1`) are such indexes, and so are tables with the
columns label and file; further columns are not read. Files are looked for beside the index.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milter.cli import UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LABELS: Final = {"ham": False, "spam": True}
_HOW: Final = "an index names its files, and docs/memory.md shows how to make one of folders"
_LINE: Final = re.compile(r"(\S+)[ \t]+([^\t]*[^\t ])")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an index.

    Attributes:
        spam: Its label.
        path: The message.
        place: File and line, for errors.
    """

    spam: bool
    path: Path
    place: str

    def read(self) -> bytes:
        """Return the message.

        Raises:
            UnreadableInput: It cannot be read.
        """
        try:
            return self.path.read_bytes()
        except OSError as err:
            raise UnreadableInput(f"{self.place}: {self.path}: {err.strerror}") from err


def read_index(index: str | Path) -> list[Row]:
    """Return the lines of an index; a first line that names its columns is none.

    Raises:
        UnreadableInput: It cannot be read, or a line is none of an index.
    """
    if Path(index).is_dir():
        raise UnreadableInput(f"{index}: is a folder; {_HOW}")
    try:
        lines = Path(index).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        why = err.strerror if isinstance(err, OSError) else "not UTF-8"
        raise UnreadableInput(f"{index}: cannot be read: {why}") from err
    return list(_rows(index, lines))


def shuffled(rows: Iterable[Row], seed: int | None) -> list[Row]:
    """Return `rows` in another order, the same for each seed; None: in theirs."""
    order = list(rows)
    if seed is not None:
        random.Random(seed).shuffle(order)  # noqa: S311 - an order, no secret
    return order


def _rows(index: str | Path, lines: list[str]) -> Iterator[Row]:
    folder = Path(index).parent
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        label = match[1].lower() if match else ""
        if not line.strip() or (number == 1 and label == "label"):
            continue
        if match is None or label not in _LABELS:
            raise UnreadableInput(
                f"{index}:{number}: `ham` or `spam`, a tab or a space, and a file are needed"
            )
        yield Row(_LABELS[label], folder / match[2], f"{index}:{number}")
