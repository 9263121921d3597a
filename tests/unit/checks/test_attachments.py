from __future__ import annotations

import io
import zipfile
from base64 import encodebytes

from milter.checks.attachments import AttachmentsCheck
from tests.support.checks import looked, symbols_of

PROGRAM = (
    b"Content-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="invoice.pdf.exe"\r\n\r\nMZ\x90'
)


def test_attachment_findings_name_the_file() -> None:
    evidence = looked(AttachmentsCheck(), PROGRAM)
    assert symbols_of(evidence) == ["ATTACHMENT_DOUBLE_EXTENSION", "ATTACHMENT_EXECUTABLE"]
    assert evidence.findings[0].details == {"file": "invoice.pdf.exe"}


def test_fact_attachments_has_a_record_for_each_file() -> None:
    evidence = looked(AttachmentsCheck(), PROGRAM)
    assert evidence.facts["attachments"] == [
        {
            "name": "invoice.pdf.exe",
            "extension": "exe",
            "type": "application/pdf",
            "real_type": "application/x-executable",
            "size_bytes": 3,
            "encrypted": False,
            "dangers": ["double_extension", "executable"],
            "names": [],
        }
    ]


def test_attachments_of_a_message_without_files_are_not_spoken_of() -> None:
    assert looked(AttachmentsCheck(), b"\r\nhello\r\n").facts == {}


def test_finding_of_a_name_in_an_archive_names_it() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", b"x")
        archive.writestr("invoice.pdf.exe", b"MZ")
    head = b"Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    evidence = looked(AttachmentsCheck(), head + encodebytes(file.getvalue()))
    assert {finding.symbol: finding.details["file"] for finding in evidence.findings} == {
        "ATTACHMENT_ARCHIVED_DANGER": "a.zip",
        "ATTACHMENT_DOUBLE_EXTENSION": "invoice.pdf.exe",
    }
