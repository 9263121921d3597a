"""Names in tar archives: those of POSIX (ustar, pax) and of GNU tar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry, entry_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = 512
_RECORD: Final = re.compile(rb"(\d{1,10}) ([^=\n]{1,100})=")
_PATHS: Final = frozenset((b"path", b"GNU.sparse.name"))
# Links, devices and folders: whatever size they say, nothing of them follows.
_EMPTY: Final = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
# Each file may have one for its name and one for the name that it links to.
_MOST_HEADERS: Final = 3 * MAX_ENTRIES
_MOST_RECORDS: Final = 100


def tar_entries(data: bytes) -> Iterator[Entry]:
    """Yield the files; their names and sizes may stand in a header of their own before them."""
    position, count, said = 0, 0, dict[bytes, bytes]()
    for _ in range(_MOST_HEADERS):
        header = data[position : position + _BLOCK]
        size = _number(header[124:136])
        if len(header) < _BLOCK or header[:1] == header[-1:] == b"\x00" == header[124:125]:
            return
        kind, start = header[156:157], position + _BLOCK
        if said.get(b"size", b"").isdigit():
            size = int(said[b"size"])
        if size is None:
            return
        size = 0 if kind in _EMPTY else size
        position = start + -(-size // _BLOCK) * _BLOCK
        if kind == b"L":
            said[b"path"] = data[max(start + size - MAX_NAME, start) : start + size].rstrip(b"\x00")
        elif kind in (b"x", b"X"):
            said.update(_records(data, start, start + size))
        elif kind not in (b"K", b"g"):
            name = said.get(b"path") or _name(header)
            yield Entry(entry_name(name, utf8=True), size, size, offset=start)
            count, said = count + 1, {}
            if count == MAX_ENTRIES:
                return


def _name(header: bytes) -> bytes:
    prefix = header[345:500].partition(b"\x00")[0] if header[257:263] == b"ustar\x00" else b""
    name = header[:100].partition(b"\x00")[0]
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int | None:
    """Return a number in octal digits or, of what takes more room, in bytes; None of neither."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\x00")[0].strip() or b"0"
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None


def _records(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield what an extended header of pax says of the name and the size of the file behind it."""
    for _ in range(_MOST_RECORDS):
        found = _RECORD.match(data, position, end)
        if found is None:
            return
        last = min(position + int(found[1]), end)
        if last <= found.end():
            return
        if found[2] in _PATHS:
            yield b"path", data[max(found.end(), last - 1 - MAX_NAME) : last - 1]
        elif found[2] == b"size":
            yield b"size", data[found.end() : min(last - 1, found.end() + 20)]
        position = last
