"""Names in RAR archives, of version 4 and before (technote.txt of unrar) and of version 5."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry, entry_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_RECORDS: Final = 20


def rar_entries(data: bytes) -> Iterator[Entry]:
    """Yield the files; one without a name where even the names are encrypted."""
    return _new(data) if data[6:7] == b"\x01" else _old(data)


def _old(data: bytes) -> Iterator[Entry]:
    position = 7
    for _ in range(MAX_ENTRIES):
        if position + 7 > len(data):
            return
        kind, flags, size = struct.unpack_from("<BHH", data, position + 2)
        if size < 7:
            return
        if kind == 0x73 and flags & 0x80:
            # Even the names are encrypted.
            yield Entry("", encrypted=True)
            return
        added = 0
        if kind == 0x74 and position + 32 <= len(data):
            packed, unpacked = struct.unpack_from("<2L", data, position + 7)
            (name_size,) = struct.unpack_from("<H", data, position + 26)
            start = position + (40 if flags & 0x100 else 32)
            name = data[start : start + min(name_size, MAX_NAME)].partition(b"\x00")[0]
            yield Entry(entry_name(name, utf8=False), unpacked, packed, bool(flags & 4))
            added = packed
        elif flags & 0x8000 and position + 11 <= len(data):
            (added,) = struct.unpack_from("<L", data, position + 7)
        position += size + added


def _new(data: bytes) -> Iterator[Entry]:
    position = 8
    for _ in range(MAX_ENTRIES):
        size, begin = _vint(data, position + 4)
        if not size or begin < 0:
            return
        kind, at = _vint(data, begin)
        flags, at = _vint(data, at)
        extra, at = _vint(data, at) if flags & 1 else (0, at)
        content, at = _vint(data, at) if flags & 2 else (0, at)
        if at < 0:
            return
        if kind == 4:
            yield Entry("", encrypted=True)
            return
        if kind == 2 and (
            entry := _new_file(data, at, begin + size - extra, begin + size, content)
        ):
            yield entry
        position = begin + size + content


def _new_file(data: bytes, at: int, extras: int, end: int, packed: int) -> Entry | None:
    flags, at = _vint(data, at)
    unpacked, at = _vint(data, at)
    _, at = _vint(data, at)
    at += (4 if flags & 2 else 0) + (4 if flags & 4 else 0)
    _, at = _vint(data, at)
    _, at = _vint(data, at)
    name_size, at = _vint(data, at)
    if at < 0 or at > end:
        return None
    name = entry_name(data[at : at + min(name_size, MAX_NAME)], utf8=True)
    return Entry(name, unpacked, packed, _has_key(data, extras, end))


def _has_key(data: bytes, at: int, end: int) -> bool:
    """Return whether one of the records behind a file's header is about its encryption."""
    for _ in range(_MOST_RECORDS):
        size, begin = _vint(data, at)
        if not size or begin < 0 or begin >= end:
            return False
        if _vint(data, begin)[0] == 1:
            return True
        at = begin + size
    return False


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length at `at`, and where it ends; -1 where there is none."""
    value, shift = 0, 0
    while 0 <= at < len(data) and shift < 63:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, -1
