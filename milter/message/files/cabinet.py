"""Names in Microsoft cabinets ([MS-CAB] 2.1, 2.3)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry, entry_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER: Final = struct.Struct("<4s5L2B5H")
_FILE: Final = struct.Struct("<2L4H")
_UTF8_NAME: Final = 0x80


def cabinet_entries(data: bytes) -> Iterator[Entry]:
    """Yield the files."""
    if len(data) < _HEADER.size:
        return
    fields = _HEADER.unpack_from(data)
    position, count = fields[4], fields[9]
    for _ in range(min(count, MAX_ENTRIES)):
        if position + _FILE.size > len(data):
            return
        size, *_, attributes = _FILE.unpack_from(data, position)
        start = position + _FILE.size
        end = data.find(b"\x00", start, start + MAX_NAME)
        if end < 0:
            return
        yield Entry(entry_name(data[start:end], utf8=bool(attributes & _UTF8_NAME)), size, size)
        position = end + 1
