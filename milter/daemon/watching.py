"""Which files a configuration was read from, and whether one of them is another one by now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from milter.daemon.configuration import Configuration, prepare_store, read_configuration

if TYPE_CHECKING:
    from policies.loader import Source


class Mark(NamedTuple):
    """By what a file that was written or replaced is told from what it was before."""

    inode: int
    size_bytes: int
    changed_ns: int


class WatchedFiles:
    """A source of files that remembers how each was just before it was read.

    Files that could not be read are remembered too: a mistake may be put right by making one.

    Args:
        source: Reads them.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._marks: dict[str, Mark | None] = {}
        self._last: dict[str, Mark | None] = {}

    def begin(self) -> None:
        """Forget what was read: the configuration is read anew."""
        self._marks, self._last = {}, {}

    def read(self, path: str) -> bytes:
        """Return the bytes of the file."""
        self.note(path)
        return self._source.read(path)

    def note(self, path: str) -> None:
        """Remember how a file is that is read elsewhere."""
        self._marks.setdefault(path, mark_of(path))

    def settled(self) -> bool:
        """Return whether files have changed since they were read, and not since the last look.

        Who writes a file in pieces, or several files one after the other, is waited for.
        """
        now = {path: mark_of(path) for path in tuple(self._marks)}
        same, self._last = now == self._last, now
        return same and now != self._marks


class ConfigurationFiles:
    """The files of one configuration, read as often as they are asked for.

    Args:
        path: The file; None for the embedded defaults.
        source: Reads files.
    """

    def __init__(self, path: str | None, source: Source) -> None:
        self._path = path
        self._watched = WatchedFiles(source)
        # Read by a library, and known only once the settings are: those of the last good ones.
        self._tables: list[str] = []

    def read(self) -> Configuration:
        """Return the configuration as it is now, its store made ready.

        Raises:
            ConfigErrors: Every mistake that was found.
        """
        self._watched.begin()
        self._note_tables()
        configuration = read_configuration(self._path, self._watched)
        self._tables = [path for _, path in configuration.settings.networks if path]
        self._note_tables()
        prepare_store(configuration)
        return configuration

    def _note_tables(self) -> None:
        for path in self._tables:
            self._watched.note(path)

    def changed(self) -> bool:
        """Return whether a file is another one than when it was read, and is not being written."""
        return self._watched.settled()


def mark_of(path: str) -> Mark | None:
    """Return how the file at `path` is now; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path from a file may be anything, and is no Path yet
    except (OSError, ValueError):
        return None
    return Mark(found.st_ino, found.st_size, found.st_mtime_ns)
