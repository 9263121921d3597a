from __future__ import annotations

import bz2
import gzip
import lzma
from base64 import encodebytes

import pytest

from milter.message.document import Message
from milter.message.files.attachment import Danger
from milter.message.files.enclosed import openable
from milter.message.files.kinds import extension_of
from tests.support.archives import (
    a_rar4,
    a_tar,
    a_zip,
    an_encrypted_zip,
)

EXE = b"MZ\x90\x00" + b"\x00" * 60
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_VBA = "_VBA_PROJECT".encode("utf-16-le")


def a_rar5(name: bytes) -> bytes:
    head = bytes((0, 3, 0, 0, 0, len(name))) + name
    file = bytes((2, 2, 3)) + head
    main = bytes((1, 0, 0))
    blocks = b"".join(b"\x00" * 4 + bytes((len(block),)) + block for block in (main, file))
    return b"Rar!\x1a\x07\x01\x00" + blocks + b"abc"


def a_bomb() -> bytes:
    return a_zip(("zeroes.txt", b"\x00" * 20_000_000))


def message(name: str, content: bytes, media_type: str = "application/octet-stream") -> Message:
    return Message(
        (
            f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename*=utf-8''{name}\r\n\r\n"
        ).encode()
        + encodebytes(content)
    )


def dangers(name: str, content: bytes, media_type: str = "application/octet-stream") -> set[Danger]:
    (attachment,) = message(name, content, media_type).attachments
    return set(attachment.dangers)


WORD = ("[Content_Types].xml", b"<Types/>")
RELATION = (
    b'<Relationships><Relationship Id="a" Type="http://schemas/attachedTemplate" '
    b'Target="http://evil.example/t.dotm" TargetMode="External"/></Relationships>'
)
LINK = (
    b'<Relationships><Relationship Id="a" Type="http://schemas/hyperlink" '
    b'Target="http://a.example/" TargetMode="External"/></Relationships>'
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.exe", EXE, {Danger.EXECUTABLE}, id="program"),
        pytest.param("a.txt", EXE, {Danger.EXECUTABLE}, id="program-by-its-bytes"),
        pytest.param("a.js", b"x()", {Danger.SCRIPT}, id="script"),
        pytest.param("a.lnk", b"x", {Danger.SHORTCUT}, id="shortcut"),
        pytest.param("a.pdf.exe", EXE, {Danger.EXECUTABLE, Danger.DOUBLE_EXTENSION}, id="doubled"),
        pytest.param("v1.2.txt", b"x", set(), id="a-version-is-no-extension"),
        pytest.param("a.tar.gz", gzip.compress(b"x"), {Danger.ARCHIVE}, id="tar-gz"),
        pytest.param(
            "a%E2%80%AEgpj.exe", EXE, {Danger.EXECUTABLE, Danger.DISGUISED_NAME}, id="rtlo"
        ),
        pytest.param("%D9%85%E2%80%8F.png", b"", set(), id="mark-that-turns-nothing"),
        pytest.param(
            "a.pdf%20%20%20%20%20%20.exe",
            EXE,
            {Danger.EXECUTABLE, Danger.DISGUISED_NAME, Danger.DOUBLE_EXTENSION},
            id="much-space",
        ),
        pytest.param("a.pdf", b"GIF89a", {Danger.TYPE_MISMATCH}, id="a-picture-called-pdf"),
        pytest.param("a.png", b"\xff\xd8\xff\xe0", set(), id="a-picture-is-a-picture"),
        pytest.param("a.zip", a_zip(("b.txt", b"x")), {Danger.ARCHIVE}, id="zip"),
        pytest.param(
            "a.zip",
            a_zip(("b.exe", EXE)),
            {Danger.ARCHIVE, Danger.ARCHIVED_DANGER},
            id="zip-program",
        ),
        pytest.param(
            "a.zip",
            an_encrypted_zip(),
            {Danger.ARCHIVE, Danger.ENCRYPTED, Danger.ARCHIVED_DANGER},
            id="zip-encrypted",
        ),
        pytest.param(
            "a.zip",
            a_zip(("b.zip", a_zip(("c.js", b"x")))),
            {Danger.ARCHIVE, Danger.ARCHIVED_DANGER},
            id="zip-in-zip",
        ),
        pytest.param("a.zip", a_bomb(), {Danger.ARCHIVE, Danger.BOMB}, id="bomb"),
        pytest.param("a.tar", a_tar("b.scr"), {Danger.ARCHIVE, Danger.ARCHIVED_DANGER}, id="tar"),
        pytest.param(
            "a.tgz",
            gzip.compress(a_tar("b.scr")),
            {Danger.ARCHIVE, Danger.ARCHIVED_DANGER},
            id="tgz",
        ),
        pytest.param(
            "a.bz2",
            bz2.compress(a_tar("b.scr")),
            {Danger.ARCHIVE, Danger.ARCHIVED_DANGER},
            id="bz2",
        ),
        pytest.param(
            "a.xz", lzma.compress(a_tar("b.scr")), {Danger.ARCHIVE, Danger.ARCHIVED_DANGER}, id="xz"
        ),
        pytest.param("a.gz", gzip.compress(EXE), {Danger.ARCHIVE, Danger.ARCHIVED_DANGER}, id="gz"),
        pytest.param(
            "a.rar", a_rar4(b"b.exe"), {Danger.ARCHIVE, Danger.ARCHIVED_DANGER}, id="rar-4"
        ),
        pytest.param(
            "a.rar", a_rar5(b"b.exe"), {Danger.ARCHIVE, Danger.ARCHIVED_DANGER}, id="rar-5"
        ),
        pytest.param("a.docx", a_zip(WORD), set(), id="document"),
        pytest.param("a.jpg", b"\0\0\0\x18ftypheic", set(), id="photo-of-a-phone"),
        pytest.param("a.jpg", b"\0\0\0\x18ftypisom", {Danger.TYPE_MISMATCH}, id="film-as-a-photo"),
        pytest.param("ATT00001.bin", b"\0x", set(), id="without-a-name-at-exchange"),
        pytest.param("a.docx", a_zip(WORD, ("word/_rels/a.rels", LINK)), set(), id="a-link"),
        pytest.param(
            "a.docx",
            a_zip(WORD, ("word/_rels/settings.xml.rels", RELATION)),
            {Danger.EXTERNAL_TEMPLATE},
            id="template-from-elsewhere",
        ),
        pytest.param(
            "a.docm", a_zip(WORD, ("word/vbaProject.bin", b"x")), {Danger.MACROS}, id="macros"
        ),
        pytest.param("a.doc", OLE + "_VBA_PROJECT".encode("utf-16-le"), {Danger.MACROS}, id="vba"),
        pytest.param(
            "a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), {Danger.ENCRYPTED}, id="locked"
        ),
        pytest.param(
            "a.rtf", b"{\\rtf1{\\object\\objdata 01}}", {Danger.EMBEDDED_OBJECT}, id="rtf"
        ),
        pytest.param("a.one", b"x", {Danger.ONENOTE}, id="onenote"),
        pytest.param("a.html", b"<p>hello", {Danger.WEB_PAGE}, id="page"),
        pytest.param(
            "a.htm",
            b"<html><script>x</script><form><input type=password></form>",
            {Danger.WEB_PAGE, Danger.ACTIVE_PAGE, Danger.PASSWORD_FORM},
            id="page-that-asks",
        ),
        pytest.param(
            "a.svg", b"<svg onload='x'></svg>", {Danger.WEB_PAGE, Danger.ACTIVE_PAGE}, id="svg"
        ),
        pytest.param(
            "a.pdf", b"%PDF-1.4 /OpenAction /JS (x)", {Danger.ACTIVE_PDF}, id="active-pdf"
        ),
        pytest.param("a.pdf", b"%PDF-1.4", set(), id="pdf"),
        pytest.param("a.ics", b"BEGIN:VCALENDAR", {Danger.CALENDAR}, id="invitation"),
        pytest.param("a.vcf", b"BEGIN:VCARD", {Danger.CONTACT}, id="contact"),
        pytest.param("", b"", set(), id="nothing"),
    ],
)
def test_attachment_dangers(name: str, content: bytes, expected: set[Danger]) -> None:
    assert dangers(name, content) == expected


@pytest.mark.parametrize(
    "before", [b"<!--" + b"a" * 270_000 + b"-->", b"<p>words</p>" * 100_000, b" " * 262_130]
)
def test_attachment_form_far_down_a_page_is_found(before: bytes) -> None:
    content = b"<html>" + before + b"<form action=x><input type=password></form>"
    mail = message("a.html", content)
    assert Danger.PASSWORD_FORM in mail.attachments[0].dangers
    assert not mail.truncated


def test_attachment_with_more_forms_than_are_read_is_noted() -> None:
    mail = message("a.html", b"<input name=a>".ljust(250_000) * 8)
    assert Danger.PASSWORD_FORM not in mail.attachments[0].dangers
    assert mail.truncated == ("html",)


def test_zip_by_name_alone_is_none() -> None:
    assert Danger.ARCHIVE not in dangers("a.zip", b"no archive at all" * 100)


def test_folded_links_of_invitations_are_whole() -> None:
    calendar = b"BEGIN:VCALENDAR\r\nDESCRIPTION:Pay at https://evil.exam\r\n ple/now\r\n"
    raw = b"Content-Type: text/calendar; charset=utf-8\r\n\r\n" + calendar
    assert Message(raw).urls == ["https://evil.example/now"]


def test_attachment_names_of_archives_in_archives() -> None:
    content = a_zip(("in.zip", a_zip(("c.js", b"x"))), ("d.txt", b"x"))
    (attachment,) = message("a.zip", content).attachments
    assert attachment.names == ("in.zip", "in.zip/c.js", "d.txt")


def test_attachment_archives_past_the_depth_are_noted() -> None:
    content = a_zip(("a.exe", EXE))
    for _ in range(5):
        content = a_zip(("in.zip", content))
    mail = message("a.zip", content)
    assert Danger.ARCHIVED_DANGER not in mail.attachments[0].dangers
    assert mail.truncated == ("archives",)


def test_attachment_that_unpacks_without_end_is_cut_and_noted() -> None:
    mail = message("a.gz", gzip.compress(b"\x00" * 50_000_000))
    assert mail.attachments[0].dangers == {Danger.ARCHIVE}
    assert mail.truncated == ("archives",)


def test_attachment_of_members_that_hold_nothing_is_cut_and_noted() -> None:
    mail = message("a.gz", gzip.compress(b"") * 10_000)
    assert [attachment.real_type for attachment in mail.attachments] == ["application/gzip"]
    assert mail.truncated == ("archives",)


def test_attachment_documents_in_archives_may_be_larger_than_is_read() -> None:
    mail = message("a.zip", a_zip(*[(f"{n}.doc", OLE + bytes(1_000_000)) for n in range(9)]))
    assert mail.attachments
    assert not mail.truncated


def test_attachment_of_broken_archives_is_what_can_be_read() -> None:
    whole = a_zip(("b.exe", EXE), ("c.txt", b"x" * 100))
    for cut in range(0, len(whole), 7):
        dangers("a.zip", whole[:cut])
    assert Danger.ARCHIVED_DANGER in dangers("a.zip", whole[:90])


@pytest.mark.parametrize("magic", [a_rar4(b"x"), a_rar5(b"x"), a_tar("x"), a_zip(("x", b"y"))])
def test_attachment_of_noise_behind_a_real_beginning_raises_nothing(magic: bytes) -> None:
    for start in range(4, len(magic), 3):
        for noise in (b"\xff" * 200, b"\x00" * 200, magic * 3):
            dangers("a", magic[:start] + noise)


def a_part(encoding: str, content: bytes) -> Message:
    return Message(
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
        + content
    )


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        pytest.param("base64", b"\r\n" * 35_000 + encodebytes(EXE), id="blank-lines"),
        pytest.param("base64", b"TV\r\n" + b"\r\n" * 35_000 + encodebytes(EXE)[2:], id="inside"),
        pytest.param("base64", b"\xff" + b"\r\n" * 9_000 + encodebytes(EXE), id="8-bit-byte"),
        pytest.param("quoted-printable", b"=\r\n" * 35_000 + b"MZ=90", id="soft-breaks"),
    ],
)
def test_attachment_behind_breaks_that_say_nothing_is_looked_into(
    encoding: str, content: bytes
) -> None:
    (attachment,) = a_part(encoding, content).attachments
    assert attachment.dangers == {Danger.EXECUTABLE}


def test_files_behind_blank_lines_are_opened() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"x" * 3_000
    mail = a_part("base64", b"\r\n" * 2_000 + encodebytes(picture))
    (file,) = openable(mail.parts, frozenset(("image/png",)), 1_000)
    assert file.content == picture[:1_001]


def test_attachments_leave_shown_texts_out() -> None:
    assert Message(b"Content-Type: text/html\r\n\r\n<p>x").attachments == ()


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.TXT", "txt"), ("a.exe. .", "exe"), ("a", ""), (".profile", ""), ("a.b.c", "c"), ("", "")],
)
def test_extension_is_what_windows_takes_it_for(name: str, extension: str) -> None:
    assert extension_of(name) == extension
