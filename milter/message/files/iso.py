"""Names in ISO 9660 images (ECMA-119 8 and 9), the long ones of Joliet where they are there.

Rock Ridge names and pure UDF are not read: Windows, for which such attachments are made, goes by
Joliet.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTOR: Final = 2048
_FIRST_DESCRIPTOR: Final = 16
_MOST_DESCRIPTORS: Final = 16
_PRIMARY, _SUPPLEMENTARY, _LAST = 1, 2, 255
# Escape sequences of Joliet, levels 1 to 3: names are in UCS-2.
_JOLIET: Final = (b"%/@", b"%/C", b"%/E")
_ROOT: Final = 156
_SMALLEST: Final = 34
_FOLDER: Final = 2
_MOST_FOLDERS: Final = 200
_MOST_BYTES: Final = 1_048_576


def iso_entries(data: bytes) -> Iterator[Entry]:
    """Yield the files of all folders, with their paths."""
    place, encoding = _tree(data)
    if place is None:
        return
    waiting, seen, left = deque([("", *place)]), {place[0]}, _MOST_BYTES
    found = 0
    while waiting and len(seen) <= _MOST_FOLDERS:
        path, start, size = waiting.popleft()
        for name, extent, length, is_folder in _folder(data, start, min(size, left), encoding):
            if not is_folder:
                yield Entry(path + name, length, length)
                found += 1
            elif extent not in seen:
                seen.add(extent)
                waiting.append((f"{path}{name}/"[:MAX_NAME], extent, length))
            if found >= MAX_ENTRIES:
                return
        left -= min(size, left)


def _tree(data: bytes) -> tuple[tuple[int, int] | None, str]:
    """Return where the root folder lies, and in what its names are written."""
    root, encoding = None, "ascii"
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
        descriptor = data[number * _SECTOR : (number + 1) * _SECTOR]
        if len(descriptor) < _SECTOR or descriptor[1:6] != b"CD001" or descriptor[0] == _LAST:
            break
        record = descriptor[_ROOT : _ROOT + _SMALLEST]
        if descriptor[0] == _PRIMARY and root is None:
            root = _extent(record)
        elif descriptor[0] == _SUPPLEMENTARY and descriptor[88:91] in _JOLIET:
            return _extent(record), "utf-16-be"
    return root, encoding


def _extent(record: bytes) -> tuple[int, int]:
    return int.from_bytes(record[2:6], "little"), int.from_bytes(record[10:14], "little")


def _folder(
    data: bytes, sector: int, size: int, encoding: str
) -> Iterator[tuple[str, int, int, bool]]:
    """Yield name, first sector, size and whether it is a folder, of each record of a folder."""
    position = sector * _SECTOR
    end = min(position + size, len(data))
    while position < end:
        length = data[position]
        if length < _SMALLEST:
            # Records do not cross sectors; the rest of this one is empty.
            position = (position // _SECTOR + 1) * _SECTOR
            continue
        record = data[position : position + length]
        position += length
        name = record[33 : 33 + record[32]] if len(record) >= _SMALLEST else b""
        # The folder itself and the one above it are called 0 and 1.
        if name and name not in (b"\x00", b"\x01"):
            shown = name.decode(encoding, "replace").partition(";")[0]
            yield shown, *_extent(record), bool(record[25] & _FOLDER)
