from __future__ import annotations

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
