"""Names in 7z archives, ISO images, cabinets and RAR 5, made by the programs or by hand."""

from __future__ import annotations

import struct
import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest

from milter.message.files import kinds
from milter.message.files.archives import list_entries
from tests.support.debian import need_program
from tests.support.mutation import mutated

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"notice.pdf.exe": b"MZ" * 50, "sub/übersicht.txt": b"words " * 200, "empty": b""}
RAR = "application/vnd.rar"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files."""
    for name, content in FILES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "in"


def seven_zip(folder: Path, *options: str) -> bytes:
    program = need_program("7zz")
    target = folder.parent / "a.7z"
    command = [str(program.path), "a", "-bd", *options, str(target), "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=program.environment)
    return target.read_bytes()


def image(folder: Path, *options: str) -> bytes:
    program = need_program("genisoimage")
    target = folder.parent / "a.iso"
    command = [str(program.path), "-quiet", *options, "-o", str(target), str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=program.environment)
    return target.read_bytes()


def a_cabinet(*names: bytes) -> bytes:
    files = b"".join(struct.pack("<2L4H", 3, 0, 0, 0, 0, 0) + name + b"\x00" for name in names)
    return struct.pack("<4s5L2B5H", b"MSCF", 0, 0, 0, 36, 0, 3, 1, 1, len(names), 0, 0, 0) + files


def a_seven_zip(*names: str) -> bytes:
    """Return an archive of empty files whose list is not packed."""
    count = len(names)
    words = b"\x00" + "".join(f"{name}\x00" for name in names).encode("utf-16-le")
    empty = bytes([0xFF] * ((count + 7) // 8))
    files = bytes([5, count, 0x0E, len(empty)]) + empty + bytes([0x11, len(words)]) + words
    header = b"\x01" + files + b"\x00\x00"
    return (
        b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(4) + struct.pack("<QQL", 0, len(header), 0) + header
    )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="as-usual"),
        pytest.param(("-mx=0",), id="stored"),
        pytest.param(("-ms=off",), id="each-file-for-itself"),
        pytest.param(("-m0=LZMA",), id="lzma"),
        pytest.param(("-m0=PPMd",), id="ppmd"),
        pytest.param(("-mhc=off",), id="list-not-packed"),
    ],
)
def test_seven_zip_names_and_sizes_are_those_of_the_program(
    folder: Path, options: tuple[str, ...]
) -> None:
    entries = list_entries(seven_zip(folder, *options), kinds.SEVEN_ZIP)

    found = {entry.name: entry.size for entry in entries if entry.name not in (".", "sub")}
    assert found == {name: len(content) for name, content in FILES.items()}
    assert not any(entry.encrypted for entry in entries)


def test_seven_zip_with_a_password_tells_names_and_that_it_is_encrypted(folder: Path) -> None:
    entries = list_entries(seven_zip(folder, "-psecret"), kinds.SEVEN_ZIP)

    assert {entry.name: entry.encrypted for entry in entries}["notice.pdf.exe"] is True


def test_seven_zip_whose_list_is_encrypted_tells_that(folder: Path) -> None:
    (entry,) = list_entries(seven_zip(folder, "-psecret", "-mhe=on"), kinds.SEVEN_ZIP)

    assert (entry.name, entry.encrypted) == ("", True)


def test_seven_zip_that_says_it_unpacks_to_a_lot_is_a_bomb(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "zeroes").write_bytes(bytes(20_000_000))

    entries = list_entries(seven_zip(tmp_path / "in"), kinds.SEVEN_ZIP)

    assert [entry.is_bomb for entry in entries if entry.name == "zeroes"] == [True]


@pytest.mark.parametrize(
    "options", [pytest.param(("-J",), id="joliet"), pytest.param((), id="plain")]
)
def test_image_names_are_told(folder: Path, options: tuple[str, ...]) -> None:
    content = image(folder, "-input-charset", "utf-8", *options)

    assert kinds.type_by_bytes(content[:40_000]) == kinds.DISK
    names = {entry.name for entry in list_entries(content, kinds.DISK)}
    assert names == (set(FILES) if options else {"NOTICE_P.EXE", "SUB/__BERSIC.TXT", "EMPTY."})


def test_image_whose_folder_holds_itself_ends() -> None:
    record = bytearray(34)
    record[0], record[32], record[33], record[25] = 34, 1, ord("A"), 2
    record[2:6], record[10:14] = (20).to_bytes(4, "little"), (2048).to_bytes(4, "little")
    descriptor = b"\x01CD001" + bytes(150) + bytes(record)
    content = bytes(16 * 2048) + descriptor.ljust(2048, b"\x00") + bytes(3 * 2048)
    content += bytes(record) * 50

    assert list_entries(content, kinds.DISK) == []


def test_cabinet_names_are_told() -> None:
    entries = list_entries(a_cabinet(b"a.exe", b"b.txt"), kinds.CABINET)

    assert [entry.name for entry in entries] == ["a.exe", "b.txt"]


def test_seven_zip_made_by_hand_tells_its_names() -> None:
    entries = list_entries(a_seven_zip("a.exe", "b"), kinds.SEVEN_ZIP)

    assert [entry.name for entry in entries] == ["a.exe", "b"]


def test_rar_5_whose_key_stands_behind_another_record_is_encrypted() -> None:
    extras = bytes((3, 3, 0, 0)) + bytes((2, 1, 0))
    head = bytes((0, 3, 0, 0, 0, 1)) + b"a"
    file = bytes((2, 3, len(extras), 3)) + head + extras
    main = bytes((1, 0, 0))
    blocks = b"".join(bytes(4) + bytes((len(block),)) + block for block in (main, file))
    (entry,) = list_entries(b"Rar!\x1a\x07\x01\x00" + blocks + b"abc", RAR)

    assert (entry.name, entry.encrypted) == ("a", True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(a_seven_zip("a.exe", "b", "c" * 30), kinds.SEVEN_ZIP, id="7z"),
        pytest.param(a_cabinet(b"a.exe", b"b"), kinds.CABINET, id="cab"),
        pytest.param(b"Rar!\x1a\x07\x01\x00" + bytes(40), RAR, id="rar"),
    ],
)
def test_mistakes_raise_nothing_and_end(content: bytes, kind: str) -> None:
    for number in range(1500):
        broken = mutated(content, (content,), Random(number))  # noqa: S311 - made again by number
        assert len(list_entries(broken, kind)) <= 1000


def test_seven_zip_mistakes_behind_the_packing_raise_nothing(folder: Path) -> None:
    whole = seven_zip(folder, "-mhc=off")
    end = 32 + int.from_bytes(whole[12:20], "little")
    for number in range(3000):
        header = mutated(whole[end:], (whole[end:],), Random(number))  # noqa: S311 - as above
        size = struct.pack("<Q", len(header))
        list_entries(whole[:20] + size + whole[28:end] + header, kinds.SEVEN_ZIP)
