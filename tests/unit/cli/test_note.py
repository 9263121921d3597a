"""The note of `scan --explain`: what a message pretends, what betrays it, and where."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PHISHING = """\
From: "PayPal Service" <security@account-notice.example>
To: sam@example.org
Subject: Your account has been limited
Date: Sun, 22 Nov 2026 12:44:31 +0000
Message-ID: <a77@account-notice.example>
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><body><p>Dear customer, please verify your billing information within 24 hours.</p>
<p><a href="http://192.0.3.77/signin/update.php">Log in</a></p></body></html>
"""


def explained(path: Path, message: str) -> list[str]:
    """Return the lines below `in short`."""
    path.write_text(message, "utf-8")
    command = [sys.executable, "-m", "milter", "scan", str(path), "--offline", "--explain"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    _, _, rest = said.partition("  in short\n")
    return [line[4:] for line in rest.partition("  symbols\n")[0].splitlines()]


def test_note_on_phishing_says_what_it_pretends_and_what_betrays_it(tmp_path: Path) -> None:
    lines = explained(tmp_path / "phishing.eml", PHISHING)

    assert lines[0].endswith("It looks like phishing: it wants a password or data")
    assert lines[1] == (
        "It says that it is from PayPal Service <security@account-notice.example>, "
        "about “Your account has been limited”"
    )
    assert lines[2] == "Its links lead to 192.0.3.77"
    says, betrays = lines.index("What it says:"), lines.index("What betrays it:")
    told = lines[says:betrays]
    assert (
        "  - Says that an account is suspended, locked or limited. "
        "In the subject: “your account has been limited”"
    ) in told
    assert (
        "  - Asks to confirm or update account, billing or identity data. "
        "In the text: “verify your billing information”"
    ) in told
    assert (
        "  - a link leads to the address 192.0.3.77 instead of a name "
        "(link: http://192.0.3.77/signin/update.php)"
    ) in lines[betrays:]


def test_note_tells_deceptions_before_how_it_is_made_and_names_files(tmp_path: Path) -> None:
    head, _, page = PHISHING.partition("\n\n")
    kind = "Content-Type: text/html; charset=utf-8\n"
    mixed = head.replace(kind.strip(), "Content-Type: multipart/mixed; boundary=b")
    file = "Content-Disposition: attachment; filename=invoice.pdf.exe\n\nMZ\n"
    lines = explained(tmp_path / "a.eml", f"{mixed}\n\n--b\n{kind}\n{page}\n--b\n{file}--b--\n")

    assert "It brings invoice.pdf.exe" in lines
    betrays = lines[lines.index("What betrays it:") :]
    names = [place for place, line in enumerate(betrays) if "names and domains" in line]
    header = [place for place, line in enumerate(betrays) if line.endswith("(header)")]
    assert names
    assert max(names) < min(header, default=len(betrays))


def test_note_on_wanted_mail_is_not_written(tmp_path: Path) -> None:
    plain = PHISHING.partition("\n\n")[0].replace("html", "plain").replace("PayPal Service", "Kim")

    assert explained(tmp_path / "a.eml", plain.replace("limited", "seen") + "\n\nHi.\n") == []


def test_note_on_mail_that_just_passes_says_so(tmp_path: Path) -> None:
    words = PHISHING.replace("PayPal Service", "Kim").replace("Dear customer, ", "")
    words = words.replace("192.0.3.77/signin/update.php", "account-notice.example/")
    strange = "review the suspicious log-in to your account"
    words = words.replace("verify your billing information", strange)

    lines = explained(tmp_path / "nearly.eml", words)

    assert lines[0].startswith("It passes with 4")
    assert "; a little more would have marked it, most of it like phishing" in lines[0]
