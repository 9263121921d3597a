from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from base64 import encodebytes

import pytest

from milter.message.document import Message
from milter.message.files.attachment import Danger
from tests.support.archives import (
    a_rar4,
    a_tar,
    a_tar_with_a_size_in_bytes,
    a_wide_zip,
    a_zip,
    a_zip_with_a_path,
)

EXE = b"MZ\x90\x00" + b"\x00" * 60
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_VBA = "_VBA_PROJECT".encode("utf-16-le")
_TEMPLATE = (
    b"<Relationship TargetMode = 'External' Target='http://evil.example/t' "
    b"Type='x/attachedTemplate'/>"
)


def a_document(relations: bytes) -> bytes:
    """Return a document of Word whose settings relate to something."""
    return a_zip(("[Content_Types].xml", b"x"), ("word/_rels/settings.xml.rels", relations))


@pytest.mark.parametrize(
    ("name", "content", "danger"),
    [
        pytest.param(
            "a.tar", a_tar("b.zip", a_zip(("c.exe", EXE))), Danger.ARCHIVED_DANGER, id="tar"
        ),
        pytest.param(
            "a.zip", b"junk" * 20 + a_zip(("c.exe", EXE)), Danger.ARCHIVED_DANGER, id="behind-bytes"
        ),
        pytest.param(
            "a.tar",
            a_tar("a" * 110 + ".exe", form=tarfile.GNU_FORMAT),
            Danger.ARCHIVED_DANGER,
            id="tar-long-name-of-gnu",
        ),
        pytest.param(
            "a.tar", a_tar("a" * 600 + ".exe"), Danger.ARCHIVED_DANGER, id="tar-long-name-of-pax"
        ),
        pytest.param(
            "a.tar", a_tar_with_a_size_in_bytes(), Danger.ARCHIVED_DANGER, id="tar-size-in-bytes"
        ),
        pytest.param(
            "a.tar.gz",
            gzip.compress(b"") + gzip.compress(a_tar("b.exe")),
            Danger.ARCHIVED_DANGER,
            id="gzip-second-member",
        ),
        pytest.param(
            "a.tar.bz2",
            bz2.compress(b"") + bz2.compress(a_tar("b.exe")),
            Danger.ARCHIVED_DANGER,
            id="bzip2-second-member",
        ),
        pytest.param(
            "a.tar.xz",
            lzma.compress(b"") + bytes(4) + lzma.compress(a_tar("b.exe")),
            Danger.ARCHIVED_DANGER,
            id="xz-second-member",
        ),
        pytest.param("a.js.gz", gzip.compress(b"x"), Danger.ARCHIVED_DANGER, id="gzip-script"),
        pytest.param(
            "a.gz",
            b"\x1f\x8b\x08\x08" + bytes(6) + b"a.js\x00" + gzip.compress(b"x")[10:],
            Danger.ARCHIVED_DANGER,
            id="gzip-script-by-stored-name",
        ),
        pytest.param("a.zip", a_wide_zip(), Danger.ARCHIVED_DANGER, id="zip64"),
        pytest.param(
            "a.rar", b"junk" * 99 + a_rar4(b"c.exe"), Danger.ARCHIVED_DANGER, id="rar-behind-bytes"
        ),
        pytest.param(
            "a.zip", a_zip(("a.doc", OLE + _VBA)), Danger.MACROS, id="macros-in-an-archive"
        ),
        pytest.param(
            "a.zip",
            a_zip(("a.docx", a_document(_TEMPLATE))),
            Danger.EXTERNAL_TEMPLATE,
            id="template-in-an-archive",
        ),
        pytest.param(
            "a.tar",
            a_tar("a.html", b"<input type=password>"),
            Danger.PASSWORD_FORM,
            id="form-in-an-archive",
        ),
        pytest.param(
            "a.html.gz",
            gzip.compress(b"<input type=password>"),
            Danger.PASSWORD_FORM,
            id="form-in-gzip",
        ),
        pytest.param("a.docx", a_document(_TEMPLATE), Danger.EXTERNAL_TEMPLATE, id="single-quotes"),
        pytest.param(
            "a.docx",
            a_document(_TEMPLATE.decode().encode("utf-16")),
            Danger.EXTERNAL_TEMPLATE,
            id="template-in-utf-16",
        ),
        pytest.param(
            "a.html", "<script>x</script>".encode("utf-16"), Danger.ACTIVE_PAGE, id="page-in-utf-16"
        ),
        pytest.param(
            "a.html", b"<input placeholder='Your password'>", Danger.PASSWORD_FORM, id="label"
        ),
        pytest.param(
            "a.pdf", b"%PDF-1.7\n</S/J#61va#53cript>>", Danger.ACTIVE_PDF, id="pdf-numbers"
        ),
        pytest.param(
            "a.docx",
            a_document(b" " * 270_000 + _TEMPLATE),
            Danger.EXTERNAL_TEMPLATE,
            id="far-down",
        ),
        pytest.param(
            "a.docx",
            a_zip(
                ("mimetype", b""), *[(f"{n}.rels", b"") for n in range(99)], ("a.rels", _TEMPLATE)
            ),
            Danger.EXTERNAL_TEMPLATE,
            id="template-behind-many",
        ),
        pytest.param(
            "a.doc",
            a_document(b"<Relationship Type='x/relationships/vbaProject' Target='a'/>"),
            Danger.MACROS,
            id="macros-by-another-name",
        ),
        pytest.param(
            "a.xls",
            a_document(b"<Relationship Type='x/relationships/xlM&#97;cr&#x6f;sheet' Target='a'/>"),
            Danger.MACROS,
            id="macros-by-references",
        ),
        pytest.param(
            "a.zip",
            a_zip(("a.txt", b"x")).replace(b"a.txt", b"a.exe", 1),
            Danger.ARCHIVED_DANGER,
            id="zip-name-in-its-own-header",
        ),
        pytest.param(
            "a.zip", a_zip_with_a_path("a.txt", b"b.exe"), Danger.ARCHIVED_DANGER, id="zip-path"
        ),
        pytest.param("a.rdp", b"full address:s:evil.example", Danger.SHORTCUT, id="remote-desktop"),
    ],
)
def test_attachment_danger_that_hides(name: str, content: bytes, danger: Danger) -> None:
    header = (
        f'Content-Type: application/octet-stream; name="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    (attachment,) = Message(header.encode() + encodebytes(content)).attachments
    assert danger in attachment.dangers
