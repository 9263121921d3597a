"""Names inside archives, read from their bytes without unpacking more than is bounded.

Lists zip and tar here, rar, 7z, ISO images and cabinets in the modules beside, and looks through
gzip, bzip2 and xz. Written for archives made to hurt: the number of entries, the unpacked bytes and
the depth are bounded, and what is broken yields what was read before. Nothing is ever written to a
disk.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from typing import TYPE_CHECKING, Final

from milter.message.files.cabinet import cabinet_entries
from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry, entry_name
from milter.message.files.iso import iso_entries
from milter.message.files.kinds import CABINET, DISK, SEVEN_ZIP, ZIP
from milter.message.files.rar import rar_entries
from milter.message.files.sevenzip import seven_zip_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5HL2L2H")
_END_SIZE: Final = 22
_STORED, _DEFLATED = 0, 8
_TAR_BLOCK: Final = 512


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
    read = _READERS.get(media_type)
    return list(read(data)) if read else []


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
        name = entry_name(data[start : start + min(name_size, MAX_NAME)], utf8=bool(flags & 0x800))
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
        name = entry_name(data[start : start + min(name_size, MAX_NAME)], utf8=bool(flags & 0x800))
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
        whole = entry_name((prefix + b"/" + name) if prefix else name, utf8=True)
        yield Entry(whole, size, size, offset=position + _TAR_BLOCK)
        position += _TAR_BLOCK + -(-size // _TAR_BLOCK) * _TAR_BLOCK


_READERS: Final[dict[str, Callable[[bytes], Iterable[Entry]]]] = {
    "application/vnd.rar": rar_entries,
    SEVEN_ZIP: seven_zip_entries,
    CABINET: cabinet_entries,
    DISK: iso_entries,
}
LISTED: Final = frozenset((ZIP, "application/x-tar", *_READERS))
PACKED: Final = frozenset(("application/gzip", "application/x-bzip2", "application/x-xz"))
