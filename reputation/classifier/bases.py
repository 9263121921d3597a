"""Bases: whole states of the classifier as of a round number of lessons, on the disk.

Each is written beside its name, synced, and then takes it, so that a base is there wholly or not
at all.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reputation.classifier.weights import packed, unpacked
from reputation.errors import StoreError
from reputation.owners import make_file

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.classifier.model import State

# A base each so many lessons; the last two are kept.
LESSONS: Final = 5_000
_KEPT: Final = 2
_NAME: Final = "base-"


class Bases:
    """The bases in one folder, used by the one process that learns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Return up to which lesson each goes, the newest first.

        Raises:
            StoreError: The folder cannot be looked into, as where no descriptor is left.
        """
        try:
            names = [path.name.removeprefix(_NAME) for path in self._folder.glob(f"{_NAME}*")]
        except OSError as err:
            raise StoreError(f"{self._folder}: {err.strerror}", reason="gone") from err
        return sorted(map(int, filter(str.isdecimal, names)), reverse=True)

    def load(self, number: int) -> State:
        """Return a base.

        Raises:
            StoreError: It is damaged or gone.
        """
        try:
            return unpacked(self._path(number).read_bytes())
        except OSError as err:
            raise StoreError(f"{self._path(number)}: {err.strerror}", reason="gone") from err

    def save(self, number: int, state: State) -> None:
        """Keep `state`, in which the lessons up to `number` are, and drop what is too old.

        Raises:
            StoreError: It cannot be written; the others are still there.
        """
        path = self._path(number)
        beside = path.with_name(f"{path.name}.new")
        try:
            beside.unlink(missing_ok=True)
            make_file(beside)
            with beside.open("wb") as file:
                file.write(packed(state))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as err:
            with suppress(OSError):
                beside.unlink()
            raise StoreError(f"{path}: {err.strerror}", reason="full") from err
        for old in self.numbers()[_KEPT:]:
            self.drop(old)

    def drop(self, number: int) -> None:
        """Remove a base; one that is gone already is no error."""
        with suppress(OSError):
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{_NAME}{number}"
