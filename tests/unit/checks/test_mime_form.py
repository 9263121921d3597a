"""How a message is put together: each fault, and what differs from it in that point alone."""

from __future__ import annotations

import base64

import pytest

from milter.checks.mime_form import MimeFormCheck
from tests.support.checks import looked, symbols_of

V = "MIME-Version: 1.0\r\n"
TEXT = base64.b64encode(b"Words that everybody can read without any decoding.\r\n").decode()
PART = "--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        pytest.param("Subject: x\r\n\r\nx", [], id="no-mime-at-all"),
        pytest.param(f"{V}Content-Type: text/plain\r\n\r\nx", [], id="plain"),
        pytest.param(
            "Content-Type: text/plain\r\n\r\nx", ["MIME_VERSION_MISSING"], id="no-version"
        ),
        pytest.param(
            f"{V}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n"
            f"\r\n{PART}{PART}--b--",
            ["MIME_ENCODING_FORBIDDEN", "MIME_ONLY_HTML"],
            id="multipart-in-base64",
        ),
        pytest.param(
            f"{V}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n"
            f"\r\n{PART}{PART}--b--",
            ["MIME_ONLY_HTML"],
            id="multipart-in-8bit",
        ),
        pytest.param(
            f"{V}Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: base64"
            f"\r\n\r\n{TEXT}",
            ["MIME_ENCODED_NEEDLESSLY"],
            id="ascii-in-base64",
        ),
        pytest.param(
            f"{V}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64"
            f"\r\n\r\n{TEXT}",
            [],
            id="utf-8-in-base64",
        ),
        pytest.param(
            f"{V}Content-Type: text/calendar; name=a.ics\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=a.ics\r\n\r\n{TEXT}",
            [],
            id="attached-text-in-base64",
        ),
        pytest.param(
            f"{V}Content-Type: text/html\r\n\r\n<p>x", ["MIME_ONLY_HTML"], id="html-alone"
        ),
        pytest.param(
            f"{V}Content-Type: multipart/alternative; boundary=b\r\n\r\n{PART}--b--",
            ["MIME_ONLY_HTML", "MIME_ALTERNATIVE_SINGLE"],
            id="alternative-to-nothing",
        ),
        pytest.param(
            f"{V}Content-Type: multipart/alternative; boundary=b\r\n\r\n"
            f"--b\r\n\r\nx\r\n{PART}--b--",
            [],
            id="two-alternatives",
        ),
    ],
)
def test_form_is_told(message: str, found: list[str]) -> None:
    assert symbols_of(looked(MimeFormCheck(), message.encode())) == found
