"""The numbers of one process in a file that others map, and in memory where there is no room.

prometheus-client makes its files with `truncate`: they have a size and no blocks. On a file system
that is full, the first write into such a page ends the process with SIGBUS, and the mail in it. So
blocks are taken before anything is mapped. What gets none is counted in the memory of this process
alone: it shows in no scrape, and stops no mail.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict

_log: Final = logging.getLogger("gatepost.telemetry")

# What the library makes a new file, and doubles.
_FIRST_BYTES: Final = 1 << 16
# Beside the key of a number: its length, its padding, the number and a time.
_BESIDE_KEY: Final = 4 + 8 + 16


class MappedNumbers:
    """Numbers by their keys; what `MmapedDict` is for the library, and never fails.

    Args:
        name: Of the file.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._unshared: dict[str, tuple[float, float]] = {}
        self._told = False
        self._file = self._open()

    def read_value(self, key: str) -> tuple[float, float]:
        """Return a number and its time, both 0 when it is new."""
        if self._file is None or not self._has_room(self._file, key):
            return self._unshared.setdefault(key, (0.0, 0.0))
        found: tuple[float, float] = self._file.read_value(key)  # type: ignore[no-untyped-call]
        return found

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a number and its time."""
        if self._file is None or not self._has_room(self._file, key):
            self._unshared[key] = (value, timestamp)
        else:
            self._file.write_value(key, value, timestamp)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()  # type: ignore[no-untyped-call]

    def _open(self) -> MmapedDict | None:
        try:
            _make(self._path)
            return MmapedDict(str(self._path))  # type: ignore[no-untyped-call]
        except OSError as err:
            self._tell(err)
            return None

    def _has_room(self, file: MmapedDict, key: str) -> bool:
        """Return whether `key` is in the file, or there are blocks for it by now."""
        if key in self._unshared:
            return False
        if key in file._positions:  # noqa: SLF001 - the library cannot be asked
            return True
        needed = file._used + len(key.encode()) + _BESIDE_KEY  # noqa: SLF001
        capacity: int = file._capacity  # noqa: SLF001
        try:
            while needed > capacity:
                _take_blocks(self._path, capacity, capacity)
                capacity *= 2
        except OSError as err:
            self._tell(err)
            return False
        return True

    def _tell(self, err: OSError) -> None:
        if not self._told:
            fields = {"path": str(self._path), "error": err.strerror or str(err)}
            _log.warning("counts are kept in memory alone", extra=fields)
        self._told = True


def _make(path: Path) -> None:
    """Make the file at `path` where there is none; who reads all files sees none that is empty."""
    if path.exists():
        # Of a process that ended: its numbers go on.
        _take_blocks(path, 0, max(_FIRST_BYTES, path.stat().st_size))
        return
    draft = path.with_suffix(".new")
    try:
        draft.touch(mode=0o600)
        _take_blocks(draft, 0, _FIRST_BYTES)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _take_blocks(path: Path, begin: int, length: int) -> None:
    # A descriptor of our own: where the file system cannot do it, libc writes, and cannot write
    # where it was told to through one that appends.
    fd = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(fd, begin, length)
    finally:
        os.close(fd)
