"""Names inside archives, read from their bytes without unpacking more than is bounded.

Lists zip here, tar, rar, 7z, ISO images and cabinets in the modules beside, and looks through gzip,
bzip2 and xz. Written for archives made to hurt: the number of entries, the unpacked bytes and
the depth are bounded, and what is broken yields what was read before. Nothing is ever written to a
disk.
"""

from __future__ import annotations

import bz2
import lzma
import re
import struct
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from milter.message.files.cabinet import cabinet_entries
from milter.message.files.entries import MAX_ENTRIES, MAX_NAME, Entry, entry_name
from milter.message.files.iso import iso_entries
from milter.message.files.kinds import CABINET, DISK, SEVEN_ZIP, ZIP
from milter.message.files.rar import rar_entries
from milter.message.files.sevenzip import seven_zip_entries
from milter.message.files.tar import tar_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5HL2L2H")
_END_SIZE: Final = 22
_STORED, _DEFLATED = 0, 8
# In place of a number for which four bytes are too few (APPNOTE 4.5.3).
_WIDE: Final = 0xFFFFFFFF
_WIDE_ID: Final = 1
# What says the name once more, in UTF-8 (APPNOTE 4.6.9): programs show that one and store it.
_UNICODE_PATH: Final = 0x7075
_BEFORE_PATH: Final = 5
_MOST_WIDE_END: Final = 4_096
_PADDING: Final = re.compile(rb"\x00*+")
# Of a compressed file at once: what of it is behind the end of a member is copied for each member.
_PIECE: Final = 16_384
# What a member that holds nothing takes of the budget, for there may be any number of them.
_MEMBER: Final = 1_024
_SIGNATURES: Final = re.compile(rb"Rar!\x1a\x07[\x00\x01]|7z\xbc\xaf\x27\x1c")
_MOST_BEFORE: Final = 1_048_576


class _Unpacker(Protocol):
    """What takes one member of a compressed file apart."""

    @property
    def eof(self) -> bool:
        """Whether its end was seen."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What stands behind that."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return what comes of `data`, at most `max_length` bytes."""
        ...


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
    read = _READERS.get(media_type)
    return list(read(data)) if read else []


def late_start(data: bytes) -> int:
    """Return where a rar or 7z archive behind other bytes begins, as their programs find it."""
    found = _SIGNATURES.search(data, 0, _MOST_BEFORE)
    return found.start() if found else 0


def unpack(data: bytes, media_type: str, budget: Budget) -> bytes:
    """Return what a gzip, bzip2 or xz file holds, within `budget`; as much as can be read.

    Such a file is one or more members, which programs unpack one behind the other (RFC 1952 §2.2).
    """
    pieces: list[bytes] = []
    unpacker, position = _unpacker(media_type), 0
    while position < len(data) and budget.left > 0:
        piece = data[position : position + _PIECE]
        try:
            pieces.append(budget.take(unpacker.decompress(piece, budget.left), whole=True))
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            break
        position += len(piece)
        if unpacker.eof:
            position = _padded(data, position - len(unpacker.unused_data))
            budget.left -= _MEMBER
            unpacker = _unpacker(media_type)
    budget.exceeded = budget.exceeded or budget.left <= 0
    return b"".join(pieces)


def stored_name(data: bytes) -> str:
    """Return the name that a gzip file says its content has (RFC 1952 §2.3); empty for none."""
    if data[:2] != b"\x1f\x8b" or len(data) < 12 or not data[3] & 8:
        return ""
    start = 10 + (2 + int.from_bytes(data[10:12], "little") if data[3] & 4 else 0)
    return entry_name(data[start : start + MAX_NAME].partition(b"\x00")[0], utf8=False)


def _padded(data: bytes, position: int) -> int:
    match = _PADDING.match(data, position)
    return match.end() if match else position


def _unpacker(media_type: str) -> _Unpacker:
    if media_type == "application/x-bzip2":
        return bz2.BZ2Decompressor()
    if media_type == "application/x-xz":
        # A dictionary may be as large as its header says.
        return lzma.LZMADecompressor(memlimit=64 * 1024 * 1024)
    return zlib.decompressobj(wbits=31)


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
    """Yield the entries of the central directory (APPNOTE 4.3.12), found from the end.

    One that claims several names comes under each of them: programs differ in which they take.
    """
    end = data.rfind(b"PK\x05\x06", max(len(data) - 65_557, 0))
    if end < 0 or end + _END_SIZE > len(data):
        return
    size, offset = _directory(data, end)
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
        extra = start + name_size
        fields_behind = dict(_extra_fields(data[extra : extra + extra_size]))
        name = _zip_name(data, start, name_size, flags)
        if _WIDE in (unpacked, packed, place):
            wide = _wide(fields_behind.get(_WIDE_ID, b""))
            unpacked, packed, place = (
                next(wide, 0) if said == _WIDE else said for said in (unpacked, packed, place)
            )
        place = max(place + shift, 0)
        path = fields_behind.get(_UNICODE_PATH, b"")[_BEFORE_PATH:][-MAX_NAME:]
        also = (path.decode("utf-8", "replace"), _local_name(data, place))
        for each in dict.fromkeys((name, *filter(None, also))):
            yield Entry(each, unpacked, packed, bool(flags & 1), place, method)
        position = extra + extra_size + comment_size


def _directory(data: bytes, end: int) -> tuple[int, int]:
    """Return size and offset of the directory, of a large archive from its own record (4.3.14)."""
    size, offset = struct.unpack_from("<2L", data, end + 12)
    if _WIDE in (size, offset):
        record = data.rfind(b"PK\x06\x06", max(end - _MOST_WIDE_END, 0), end)
        if record >= 0 and record + 56 <= len(data):
            size, offset = struct.unpack_from("<2Q", data, record + 40)
    return size, offset


def _wide(numbers: bytes) -> Iterator[int]:
    """Yield the numbers of eight bytes in the extra field for them, in their order."""
    for place in range(0, len(numbers) - 7, 8):
        yield int.from_bytes(numbers[place : place + 8], "little")


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of what stands behind the name of an entry (APPNOTE 4.5)."""
    position = 0
    while position + 4 <= len(extra):
        number, size = struct.unpack_from("<2H", extra, position)
        position += 4
        yield number, extra[position : position + size]
        position += size


def _local_name(data: bytes, place: int) -> str:
    """Return the name in the own header of an entry; empty where there is none."""
    if data[place : place + 4] != b"PK\x03\x04" or place + _LOCAL.size > len(data):
        return ""
    fields = _LOCAL.unpack_from(data, place)
    return _zip_name(data, place + _LOCAL.size, fields[9], fields[2])


def _zip_name(data: bytes, start: int, size: int, flags: int) -> str:
    """Return a stored name; of a long one the end, where its extension is."""
    name = data[start + max(size - MAX_NAME, 0) : start + size]
    return entry_name(name, utf8=bool(flags & 0x800))


def _zip_without_end(data: bytes) -> Iterator[Entry]:
    """Yield the entries by their own headers, as programs that mend archives do."""
    position = data.find(b"PK\x03\x04")
    for _ in range(MAX_ENTRIES):
        if position < 0 or position + _LOCAL.size > len(data):
            return
        fields = _LOCAL.unpack_from(data, position)
        flags, method, packed, unpacked, name_size = (*fields[2:4], *fields[7:10])
        start = position + _LOCAL.size
        packed = 0 if packed == _WIDE else packed
        name = _zip_name(data, start, name_size, flags)
        yield Entry(name, unpacked, packed, bool(flags & 1), position, method)
        position = data.find(b"PK\x03\x04", start + name_size + packed)


_READERS: Final[dict[str, Callable[[bytes], Iterable[Entry]]]] = {
    "application/vnd.rar": rar_entries,
    "application/x-tar": tar_entries,
    SEVEN_ZIP: seven_zip_entries,
    CABINET: cabinet_entries,
    DISK: iso_entries,
}
LISTED: Final = frozenset((ZIP, *_READERS))
PACKED: Final = frozenset(("application/gzip", "application/x-bzip2", "application/x-xz"))
