"""Archives made by hand or by the standard library."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib


def a_zip(*files: tuple[str, bytes]) -> bytes:
    """Return a zip archive of files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def a_tar(name: str, content: bytes = b"x", form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def a_tar_with_a_size_in_bytes() -> bytes:
    """Return an archive whose first size is no octal number (GNU tar)."""
    head = bytearray(tarfile.TarInfo("a.txt").tobuf(tarfile.GNU_FORMAT))
    head[124:136] = b"\x80" + (2).to_bytes(11, "big")
    return bytes(head) + b"hi".ljust(512, b"\x00") + a_tar("b.exe")


def a_wide_zip() -> bytes:
    """Return an archive whose numbers stand in a record of zip64."""
    data = a_zip(("a.txt", b"x"), ("b.js", b"x"))
    end = data.rfind(b"PK\x05\x06")
    size, offset = struct.unpack_from("<2L", data, end + 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return data[:18] + b"\xff" * 8 + data[26:end] + record + locator + last


def an_encrypted_zip() -> bytes:
    """Return a zip archive whose file says that it needs a password."""
    data = bytearray(a_zip(("secret.exe", b"x")))
    central = data.rfind(b"PK\x01\x02")
    data[central + 8] |= 1
    data[6] |= 1
    return bytes(data)


def a_rar4(name: bytes) -> bytes:
    """Return a rar archive, of version 4, of one file."""
    file = struct.pack("<HBHHLLBLLBBHL", 0, 0x74, 0x8000, 32 + len(name), 3, 3, 0, 0, 0, 20, 48,
                       len(name), 0)  # fmt: skip
    main = struct.pack("<HBHHHL", 0, 0x73, 0, 13, 0, 0)
    return b"Rar!\x1a\x07\x00" + main + file + name + b"abc"


def a_zip_with_a_path(name: str, path: bytes) -> bytes:
    """Return a zip archive that says a name once more, as for one that is not ASCII."""
    file, entry = io.BytesIO(), zipfile.ZipInfo(name)
    extra = bytes([1]) + zlib.crc32(name.encode()).to_bytes(4, "little") + path
    entry.extra = (0x7075).to_bytes(2, "little") + len(extra).to_bytes(2, "little") + extra
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, b"x")
    return file.getvalue()
