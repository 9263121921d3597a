"""Names inside archives, read from their bytes without unpacking more than is bounded.

Lists zip, tar and rar, and looks through gzip, bzip2 and xz. Written for archives made to hurt: the
number of entries, the unpacked bytes and the depth are bounded, and what is broken yields what was
read before. Nothing is ever written to a disk.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.message.files.kinds import ZIP

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ENTRIES: Final = 1_000
_MAX_NAME: Final = 500
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5HL2L2H")
_END_SIZE: Final = 22
_STORED, _DEFLATED = 0, 8
_TAR_BLOCK: Final = 512
# More than this from one byte is what bombs are made of; texts reach 20, spreadsheets 60.
_BOMB_RATIO: Final = 200
_BOMB_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: As stored.
        size: Unpacked, as declared.
        packed: Size in the archive.
        encrypted: Whether a password is needed.
        offset: Where its header lies in the archive.
        method: How it is packed, by the archive's own number.
    """

    name: str
    size: int = 0
    packed: int = 0
    encrypted: bool = False
    offset: int = 0
    method: int = 0

    @property
    def is_bomb(self) -> bool:
        """Whether it says that it unpacks to far more than anything real does."""
        return self.size > _BOMB_BYTES and self.size > _BOMB_RATIO * max(self.packed, 1)


class Budget:
    """How many bytes may still be unpacked for one message."""

    __slots__ = ("exceeded", "left")

    def __init__(self, most: int) -> None:
        self.left = most
        self.exceeded = False

    def take(self, data: bytes, whole: bool) -> bytes:
        """Count `data`; what was not unpacked whole is remembered."""
        self.left -= len(data)
        self.exceeded = self.exceeded or not whole
        return data


def list_entries(data: bytes, media_type: str) -> list[Entry]:
    """Return the files in an archive of type `media_type`, at most `MAX_ENTRIES`."""
    if media_type == ZIP:
        return list(_zip(data)) or list(_zip_without_end(data))
    if media_type == "application/x-tar":
        return list(_tar(data))
    if media_type == "application/vnd.rar":
        return list(_rar5(data) if data[6:7] == b"\x01" else _rar4(data))
    return []


def unpack(data: bytes, media_type: str, budget: Budget) -> bytes:
    """Return what a gzip, bzip2 or xz file holds, within `budget`; as much as can be read."""
    if budget.left <= 0:
        budget.exceeded = True
        return b""
    try:
        if media_type == "application/gzip":
            gzip = zlib.decompressobj(wbits=31)
            return budget.take(gzip.decompress(data, budget.left), not gzip.unconsumed_tail)
        if media_type == "application/x-bzip2":
            bzip = bz2.BZ2Decompressor()
            return budget.take(bzip.decompress(data, budget.left), bzip.eof)
        if media_type == "application/x-xz":
            # A dictionary may be as large as its header says.
            xz = lzma.LZMADecompressor(memlimit=64 * 1024 * 1024)
            return budget.take(xz.decompress(data, budget.left), xz.eof)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
        return b""
    return b""


def read_entry(data: bytes, entry: Entry, budget: Budget) -> bytes:
    """Return the content of an entry of a zip archive, within `budget`; empty if it is not read."""
    if entry.encrypted or budget.left <= 0:
        budget.exceeded = budget.exceeded or budget.left <= 0
        return b""
    header = data[entry.offset : entry.offset + _LOCAL.size]
    if len(header) < _LOCAL.size:
        return b""
    *_, name_size, extra_size = _LOCAL.unpack(header)
    start = entry.offset + _LOCAL.size + name_size + extra_size
    packed = data[start : start + entry.packed] if entry.packed else data[start:]
    if entry.method == _STORED:
        return budget.take(packed[: budget.left], len(packed) <= budget.left)
    if entry.method != _DEFLATED:
        return b""
    inflate = zlib.decompressobj(wbits=-15)
    try:
        return budget.take(inflate.decompress(packed, budget.left), not inflate.unconsumed_tail)
    except zlib.error:
        return b""


def _zip(data: bytes) -> Iterator[Entry]:
    """Yield the entries of the central directory (APPNOTE 4.3.12), found from the end."""
    end = data.rfind(b"PK\x05\x06", max(len(data) - 65_557, 0))
    if end < 0 or end + _END_SIZE > len(data):
        return
    size, offset = struct.unpack_from("<2L", data, end + 12)
    # A program may stand before the archive: what counts is the distance from the end.
    position = offset if data[offset : offset + 4] == b"PK\x01\x02" else end - size
    shift = position - offset
    for _ in range(MAX_ENTRIES):
        if position < 0 or data[position : position + 4] != b"PK\x01\x02":
            return
        if position + _CENTRAL.size > len(data):
            return
        fields = _CENTRAL.unpack_from(data, position)
        flags, method, packed, unpacked = fields[3], fields[4], fields[8], fields[9]
        name_size, extra_size, comment_size, place = (*fields[10:13], fields[16])
        start = position + _CENTRAL.size
        name = _name(data[start : start + min(name_size, _MAX_NAME)], utf8=bool(flags & 0x800))
        yield Entry(name, unpacked, packed, bool(flags & 1), max(place + shift, 0), method)
        position = start + name_size + extra_size + comment_size


def _zip_without_end(data: bytes) -> Iterator[Entry]:
    """Yield the entries by their own headers, as programs that mend archives do."""
    position = data.find(b"PK\x03\x04")
    for _ in range(MAX_ENTRIES):
        if position < 0 or position + _LOCAL.size > len(data):
            return
        fields = _LOCAL.unpack_from(data, position)
        flags, method, packed, unpacked, name_size = (*fields[2:4], *fields[7:10])
        start = position + _LOCAL.size
        name = _name(data[start : start + min(name_size, _MAX_NAME)], utf8=bool(flags & 0x800))
        yield Entry(name, unpacked, packed, bool(flags & 1), position, method)
        position = data.find(b"PK\x03\x04", start + name_size + packed)


def _tar(data: bytes) -> Iterator[Entry]:
    position = 0
    for _ in range(MAX_ENTRIES):
        header = data[position : position + _TAR_BLOCK]
        if len(header) < _TAR_BLOCK or not header[0]:
            return
        digits = header[124:136].strip(b"\x00 ")
        if not digits.isdigit():
            return
        try:
            size = int(digits, 8)
        except ValueError:
            return
        prefix = header[345:500].partition(b"\x00")[0] if header[257:262] == b"ustar" else b""
        name = header[:100].partition(b"\x00")[0]
        yield Entry(_name((prefix + b"/" + name) if prefix else name, utf8=True), size, size)
        position += _TAR_BLOCK + -(-size // _TAR_BLOCK) * _TAR_BLOCK


def _rar4(data: bytes) -> Iterator[Entry]:
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
            name = data[start : start + min(name_size, _MAX_NAME)].partition(b"\x00")[0]
            yield Entry(_name(name, utf8=False), unpacked, packed, bool(flags & 4))
            added = packed
        elif flags & 0x8000 and position + 11 <= len(data):
            (added,) = struct.unpack_from("<L", data, position + 7)
        position += size + added


def _rar5(data: bytes) -> Iterator[Entry]:
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
            entry := _rar5_file(data, at, begin + size - extra, begin + size, content)
        ):
            yield entry
        position = begin + size + content


def _rar5_file(data: bytes, at: int, extras: int, end: int, packed: int) -> Entry | None:
    flags, at = _vint(data, at)
    unpacked, at = _vint(data, at)
    _, at = _vint(data, at)
    at += (4 if flags & 2 else 0) + (4 if flags & 4 else 0)
    _, at = _vint(data, at)
    _, at = _vint(data, at)
    name_size, at = _vint(data, at)
    if at < 0 or at > end:
        return None
    name = _name(data[at : at + min(name_size, _MAX_NAME)], utf8=True)
    # Of the records behind the name, number 1 says that the file is encrypted.
    record, begin = _vint(data, extras) if extras < end else (0, -1)
    kind, _ = _vint(data, begin) if record and begin > 0 else (0, 0)
    return Entry(name, unpacked, packed, kind == 1)


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


def _name(raw: bytes, *, utf8: bool) -> str:
    if not utf8 and not raw.isascii():
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp437")
    return raw.decode("utf-8", "replace")


LISTED: Final = frozenset((ZIP, "application/x-tar", "application/vnd.rar"))
PACKED: Final = frozenset(("application/gzip", "application/x-bzip2", "application/x-xz"))
