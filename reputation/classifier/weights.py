"""The file of the classifier's weights: one process writes, all map it.

    header of one page: magic, format, numbers; then weights, support, and counts of domains

The writer changes the file in place, so that what was learned is seen at once by who maps it. What
protects it is `changing`, which stands in the header while slots are being changed: a writer that
finds it there knows that another was killed in the middle. A machine that lost its power shows
another boot than the one noted. In both cases the learner begins again from its last base.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from reputation.classifier.features import TABLE_SLOTS
from reputation.classifier.model import DOMAINS, NUMBERS, State, new_state
from reputation.errors import StoreError
from reputation.owners import make_file, make_folder

if TYPE_CHECKING:
    from types import TracebackType

_NAME: Final = b"gatepost weights "
_MAGIC: Final = _NAME + b"2\0"
_HEADER: Final = mmap.PAGESIZE
_NUMBERS_AT: Final = 64
_TABLE_BYTES: Final = TABLE_SLOTS * 4
_DOMAINS_AT: Final = _HEADER + 2 * _TABLE_BYTES
_DOMAINS_BYTES: Final = DOMAINS * 2 * 4
FILE_BYTES: Final = _DOMAINS_AT + _DOMAINS_BYTES
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

# Places in the header's numbers behind those of the model.
_APPLIED: Final = NUMBERS
_CHANGING: Final = NUMBERS + 1
_BOOT: Final = NUMBERS + 2
# In a file of before it was kept: 0.
_STREAM: Final = NUMBERS + 3
_ALL_NUMBERS: Final = NUMBERS + 4


class Weights:
    """The mapped file.

    Args:
        path: Made where it is missing, for a writer; a reader needs it.
        write: Whether to change it; one process at a time.

    Raises:
        StoreError: It cannot be opened, is no such file, or somebody else writes to it.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self._file = _opened(path, write=write)
        try:
            self._map = _mapped(self._file, path, write=write)
        except BaseException:
            os.close(self._file)
            raise
        header = np.frombuffer(self._map, np.float64, _ALL_NUMBERS, _NUMBERS_AT)
        self._header = header
        self.state = State(
            np.frombuffer(self._map, np.float32, TABLE_SLOTS, _HEADER),
            np.frombuffer(self._map, np.float32, TABLE_SLOTS, _HEADER + _TABLE_BYTES),
            header[:NUMBERS],
            np.frombuffer(self._map, np.uint32, 2 * DOMAINS, _DOMAINS_AT).reshape(DOMAINS, 2),
        )

    @property
    def applied(self) -> int:
        """The number of the last lesson that is in it."""
        return int(self._header[_APPLIED])

    @property
    def stream(self) -> int:
        """What tells the stream of these lessons from others; 0: not known yet."""
        return int(self._header[_STREAM])

    def sound(self) -> bool:
        """Return whether its last writer ended between two changes, on this boot or in order."""
        boot = self._header[_BOOT]
        return not self._header[_CHANGING] and boot in {0.0, _this_boot()}

    def begin(self) -> None:
        """Note that a writer is at work."""
        self._header[_BOOT] = _this_boot()
        self._map.flush()

    def changing(self) -> _Change:
        """Return what surrounds a change: leaving it in order says what is applied."""
        return _Change(self._header)

    def replace(self, state: State, applied: int) -> None:
        """Take over everything from `state`, in which the lessons up to `applied` are."""
        with self.changing() as change:
            np.copyto(self.state.weights, state.weights)
            np.copyto(self.state.support, state.support)
            np.copyto(self.state.numbers, state.numbers)
            np.copyto(self.state.domains, state.domains)
            change.applied = applied

    def close(self, *, in_order: bool = True) -> None:
        """Write all to the disk and let go of the file."""
        if self._file < 0:
            return
        if self._header.flags.writeable:
            self._map.flush()
            if in_order:
                self._header[_BOOT] = 0.0
                self._map.flush()
            # The map has a descriptor of its own, and lives as long as somebody holds the arrays.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)
        self._file = -1


class _Change:
    """A change of the slots; left by an exception, it says for ever that it was not finished."""

    def __init__(self, header: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        self._header = header
        self.applied = int(header[_APPLIED])
        self.stream = int(header[_STREAM])

    def __enter__(self) -> Self:
        self._header[_CHANGING] = 1.0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._header[_APPLIED] = self.applied
            self._header[_STREAM] = self.stream
            self._header[_CHANGING] = 0.0


def packed(state: State) -> bytes:
    """Return `state` as bytes, without what was never seen, and with a checksum."""
    seen = np.flatnonzero(state.support).astype(np.uint32)
    content = zlib.compress(
        len(seen).to_bytes(4, "little")
        + state.numbers.tobytes()
        + state.domains.tobytes()
        + seen.tobytes()
        + state.weights[seen].tobytes()
        + state.support[seen].tobytes(),
        level=1,
    )
    return _MAGIC + zlib.crc32(content).to_bytes(4, "little") + content


def unpacked(data: bytes) -> State:
    """Return the state that `packed` made bytes of.

    Raises:
        StoreError: It is damaged, or of another format.
    """
    start = len(_MAGIC) + 4
    content = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != zlib.crc32(content).to_bytes(
        4, "little"
    ):
        raise StoreError("a damaged base of the classifier", reason="corrupt")
    plain = zlib.decompress(content)
    count = int.from_bytes(plain[:4], "little")
    state = new_state()
    np.copyto(state.numbers, np.frombuffer(plain, np.float64, NUMBERS, 4))
    place = 4 + 8 * NUMBERS
    counts = np.frombuffer(plain, np.uint32, 2 * DOMAINS, place)
    np.copyto(state.domains, counts.reshape(DOMAINS, 2))
    place += _DOMAINS_BYTES
    seen = np.frombuffer(plain, np.uint32, count, place)
    state.weights[seen] = np.frombuffer(plain, np.float32, count, place + 4 * count)
    state.support[seen] = np.frombuffer(plain, np.float32, count, place + 8 * count)
    return state


def _opened(path: Path, *, write: bool) -> int:
    try:
        if not write:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_folder(path.parent)
        make_file(path)
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as err:
        raise StoreError(f"{path}: {err.strerror}") from err
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(file)
        raise StoreError(f"{path}: another process learns", reason="locked") from err
    return file


def _mapped(file: int, path: Path, *, write: bool) -> mmap.mmap:
    try:
        if write and _is_new_or_old(file):
            _make(file)
        if os.fstat(file).st_size != FILE_BYTES:
            raise StoreError(f"{path}: no weights of this version", reason="corrupt")
        access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
        mapped = mmap.mmap(file, FILE_BYTES, access=access)
    except OSError as err:
        raise StoreError(f"{path}: {err.strerror}") from err
    if mapped[: len(_MAGIC)] != _MAGIC:
        raise StoreError(f"{path}: no weights of this version", reason="corrupt")
    return mapped


def _is_new_or_old(file: int) -> bool:
    """Return whether it has no weights, or those of another version: lessons make them again."""
    if os.fstat(file).st_size != FILE_BYTES:
        return True
    head = os.pread(file, len(_MAGIC), 0)
    # Who made it was killed before its head was written, where there is none.
    return not head.strip(b"\0") or (head.startswith(_NAME) and head != _MAGIC)


def _make(file: int) -> None:
    """Give the file its size; blocks are taken now, for a full disk later would be a SIGBUS.

    One of another version is emptied where it stands, for somebody may still map it, and begins as
    one whose writer was killed: the bases beside it are of another version, too.
    """
    size = os.fstat(file).st_size
    again = size > 0
    os.ftruncate(file, FILE_BYTES)
    try:
        os.posix_fallocate(file, 0, FILE_BYTES)
    except OSError:
        # A full disk: by its size it would look whole.
        os.ftruncate(file, size)
        raise
    if again:
        os.pwrite(file, bytes(FILE_BYTES), 0)
    numbers = np.zeros(_ALL_NUMBERS)
    numbers[:NUMBERS] = new_state().numbers
    numbers[_CHANGING] = float(again)
    os.pwrite(file, _MAGIC.ljust(_NUMBERS_AT, b"\0") + numbers.tobytes(), 0)
    os.fsync(file)


def _this_boot() -> float:
    """Return a number for this boot of the machine; 1 where it cannot be told from others."""
    try:
        return 2.0 + zlib.crc32(_BOOT_ID.read_bytes())
    except OSError:
        return 1.0
