"""Names in 7z archives, after 7zFormat.txt of the 7-Zip sources.

The list of files lies at the end, as a rule packed itself (LZMA): it is unpacked within a bound.
Nothing else is. Where even the list is encrypted there is one entry without a name.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.core.errors import ParseError
from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

_START: Final = 32
_MOST_HEADER: Final = 262_144
_MOST_THINGS: Final = 20_000
_MOST_LAYERS: Final = 4
_AES: Final = b"\x06\xf1\x07\x01"
_COPY, _LZMA, _LZMA2 = b"\x00", b"\x03\x01\x01", b"\x21"
# Property ids.
_END, _HEADER, _ADDITIONAL, _MAIN, _FILES = 0x00, 0x01, 0x03, 0x04, 0x05
_PACKED, _FOLDERS, _SUBSTREAMS, _SIZE, _CRC = 0x06, 0x07, 0x08, 0x09, 0x0A
_FOLDER, _UNPACKED_SIZE, _COUNT, _EMPTY, _NAMES, _ENCODED = 0x0B, 0x0C, 0x0D, 0x0E, 0x11, 0x17


class _Cursor:
    """Reads a header from the front; raises ParseError past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if size < 0 or len(piece) < size:
            raise ParseError("a 7z header that is cut off", self._at)
        self._at += size
        return piece

    def rest(self) -> bytes:
        return self._data[self._at :]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number: as many bytes follow the first one as it has leading ones."""
        first, value = self.byte(), 0
        for place in range(8):
            mask = 0x80 >> place
            if not first & mask:
                return value | (first & (mask - 1)) << 8 * place
            value |= self.byte() << 8 * place
        return value

    def count(self) -> int:
        """Return a number of things, each of which takes a byte of the header at least."""
        value = self.number()
        if value > min(len(self._data) - self._at, _MOST_THINGS):
            raise ParseError("a 7z header that announces more than it holds", self._at)
        return value

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[place // 8] & 0x80 >> place % 8) for place in range(count)]

    def digests(self, count: int) -> list[bool]:
        """Skip check sums, and return of which there is one."""
        there = [True] * count if self.byte() else self.bits(count)
        self.take(4 * sum(there))
        return there


@dataclass(slots=True)
class _Coded:
    """One folder: files that are packed together.

    Attributes:
        coders: Method and properties of each step.
        sizes: What each step yields.
        bound: Steps whose yield goes into another one.
        streams: How many packed streams it takes.
        digest: Whether it has a check sum as a whole.
        files: Sizes of the files in it.
    """

    coders: list[tuple[bytes, bytes]]
    bound: list[int]
    streams: int
    sizes: list[int]
    digest: bool
    files: list[int]

    @property
    def size(self) -> int:
        """What comes out in the end."""
        bound = frozenset(self.bound)
        last = [size for place, size in enumerate(self.sizes) if place not in bound]
        return last[0] if last else 0

    @property
    def encrypted(self) -> bool:
        return any(method == _AES for method, _ in self.coders)


@dataclass(slots=True)
class _Streams:
    start: int
    packed: list[int]
    folders: list[_Coded]


def seven_zip_entries(data: bytes) -> Iterator[Entry]:
    """Yield the files."""
    try:
        yield from _entries(data)
    except ParseError:
        return


def _entries(data: bytes) -> Iterator[Entry]:
    offset = int.from_bytes(data[12:20], "little")
    size = min(int.from_bytes(data[20:28], "little"), _MOST_HEADER)
    header = data[_START + offset : _START + offset + size]
    for _ in range(_MOST_LAYERS):
        cursor = _Cursor(header)
        kind = cursor.byte()
        if kind == _HEADER:
            yield from _files(cursor)
            return
        if kind != _ENCODED:
            return
        streams = _streams(cursor)
        if not streams.folders or not streams.packed:
            return
        if streams.folders[0].encrypted:
            yield Entry("", encrypted=True)
            return
        header = _unpacked(data, streams)


def _unpacked(data: bytes, streams: _Streams) -> bytes:
    """Return the list of files unpacked, as far as the bound goes."""
    folder, start = streams.folders[0], _START + streams.start
    packed = data[start : start + min(streams.packed[0], _MOST_HEADER)]
    method, properties = folder.coders[0]
    most = min(folder.size, _MOST_HEADER)
    if method == _COPY:
        return packed[:most]
    # No distance reaches further back than all there is, whatever the header asks memory for.
    chain: dict[str, int] = {"dict_size": max(most, 4096)}
    if method == _LZMA and properties and properties[0] < 225:
        rest, lc = divmod(properties[0], 9)
        chain |= {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": rest % 5, "pb": rest // 5}
    elif method == _LZMA2:
        chain |= {"id": lzma.FILTER_LZMA2}
    else:
        raise ParseError("a 7z header that is packed in another way")
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain]).decompress(packed, most)
    except (lzma.LZMAError, ValueError, EOFError) as err:
        raise ParseError("a 7z header that cannot be unpacked") from err


def _files(cursor: _Cursor) -> Iterator[Entry]:
    streams = _Streams(0, [], [])
    while (kind := cursor.byte()) != _FILES:
        if kind == _END:
            return
        if kind in (_MAIN, _ADDITIONAL):
            streams = _streams(cursor)
        else:
            _skip_properties(cursor)
    count = cursor.count()
    empty, names = [False] * count, b""
    while (kind := cursor.byte()) != _END:
        field = _Cursor(cursor.take(cursor.number()))
        if kind == _EMPTY:
            empty = field.bits(count)
        elif kind == _NAMES and field.byte() == 0:
            names = field.rest()
    yield from _paired(streams, empty, names)


def _paired(streams: _Streams, empty: list[bool], names: bytes) -> Iterator[Entry]:
    """Yield each file with its size: those that are not empty lie in the folders one by one."""
    sizes = (
        (size, packed, folder.encrypted)
        for folder, packed in zip(streams.folders, _packed(streams), strict=False)
        for size in folder.files
    )
    position = 0
    for is_empty, _ in zip(empty, range(MAX_ENTRIES), strict=False):
        end = position
        while end < len(names) and names[end : end + 2] != b"\x00\x00":
            end += 2
        name = names[position : min(end, position + 2 * MAX_NAME)].decode("utf-16-le", "replace")
        size, packed, encrypted = (0, 0, False) if is_empty else next(sizes, (0, 0, False))
        if position < len(names):
            yield Entry(name, size, packed, encrypted)
        position = end + 2


def _packed(streams: _Streams) -> Iterator[int]:
    """Yield how many bytes each folder takes."""
    place = 0
    for folder in streams.folders:
        yield sum(streams.packed[place : place + folder.streams])
        place += folder.streams


def _skip_properties(cursor: _Cursor) -> None:
    while cursor.byte() != _END:
        cursor.take(cursor.number())


def _streams(cursor: _Cursor) -> _Streams:
    streams, seen = _Streams(0, [], []), set[int]()
    while (kind := cursor.byte()) != _END:
        if kind in seen:
            # Two bytes would be enough to have all folders gone through once more.
            raise ParseError("a 7z header that says something twice")
        seen.add(kind)
        if kind == _PACKED:
            streams.start = cursor.number()
            streams.packed = _pack_sizes(cursor)
        elif kind == _FOLDERS:
            streams.folders = _folders(cursor)
        elif kind == _SUBSTREAMS:
            _substreams(cursor, streams.folders)
        else:
            raise ParseError("a 7z header with a part that is not known")
    return streams


def _pack_sizes(cursor: _Cursor) -> list[int]:
    count, sizes = cursor.count(), []
    while (kind := cursor.byte()) != _END:
        if kind == _SIZE:
            sizes = [cursor.number() for _ in range(count)]
        elif kind == _CRC:
            cursor.digests(count)
        else:
            raise ParseError("a 7z header with a part that is not known")
    return sizes


def _folders(cursor: _Cursor) -> list[_Coded]:
    folders: list[_Coded] = []
    while (kind := cursor.byte()) != _END:
        if kind == _FOLDER:
            count = cursor.count()
            if cursor.byte():
                raise ParseError("a 7z header whose folders lie elsewhere")
            folders = [_folder(cursor) for _ in range(count)]
        elif kind == _UNPACKED_SIZE:
            for folder in folders:
                folder.sizes = [cursor.number() for _ in folder.sizes]
                folder.files = [folder.size]
        elif kind == _CRC:
            for folder, there in zip(folders, cursor.digests(len(folders)), strict=True):
                folder.digest = there
        else:
            raise ParseError("a 7z header with a part that is not known")
    return folders


def _folder(cursor: _Cursor) -> _Coded:
    coders, taken, yielded = [], 0, 0
    for _ in range(cursor.count()):
        flags = cursor.byte()
        method = cursor.take(flags & 0x0F)
        into, out = (cursor.count(), cursor.count()) if flags & 0x10 else (1, 1)
        coders.append((method, cursor.take(cursor.count()) if flags & 0x20 else b""))
        taken, yielded = taken + into, yielded + out
    pairs = [(cursor.number(), cursor.number()) for _ in range(yielded - 1)]
    streams = taken - len(pairs)
    if streams > 1:
        for _ in range(streams):
            cursor.number()
    if not coders or yielded < 1:
        raise ParseError("a 7z folder without a method")
    return _Coded(coders, [out for _, out in pairs], streams, [0] * yielded, False, [])


def _substreams(cursor: _Cursor, folders: list[_Coded]) -> None:
    counts = [1] * len(folders)
    kind = cursor.byte()
    if kind == _COUNT:
        counts = [cursor.count() for _ in folders]
        if sum(counts) > _MOST_THINGS:
            raise ParseError("a 7z header that announces more files than are read")
        kind = cursor.byte()
    for folder, count in zip(folders, counts, strict=True):
        sizes = [cursor.number() for _ in range(count - 1)] if kind == _SIZE else [0] * (count - 1)
        folder.files = [*sizes, max(folder.size - sum(sizes), 0)] if count else []
    if kind == _SIZE:
        kind = cursor.byte()
    if kind == _CRC:
        # One for each file, but for folders of one file that have theirs.
        known = (
            len(folder.files)
            for folder in folders
            if not (len(folder.files) == 1 and folder.digest)
        )
        cursor.digests(sum(known))
        kind = cursor.byte()
    if kind != _END:
        raise ParseError("a 7z header with a part that is not known")
