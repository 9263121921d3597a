"""What documents and pictures say."""

from __future__ import annotations

from pydantic import Field

from milter.settings.section import Section


class EnclosedFiles(Section):
    """Opening documents and pictures, in a process of its own for each worker."""

    pdf: bool = Field(
        default=False,
        description="Read words and links of PDF files; needs the extra `gatepost[pdf]`",
    )
    qr: bool = Field(
        default=False,
        description="Read QR codes in pictures, and in PDF files where these are read; needs "
        "the extra `gatepost[qr]`",
    )
    timeout_s: float = Field(
        default=2, gt=0, le=10, description="Seconds for all files of a message; then it is killed"
    )
    memory_bytes: int = Field(
        default=1_073_741_824,
        ge=268_435_456,
        description="Address space of that process; past it a file stays unread",
    )
    file_bytes: int = Field(
        default=5_242_880, ge=1_024, le=52_428_800, description="Larger files stay unread"
    )
    files: int = Field(default=5, ge=1, le=100, description="Files of a message that are opened")
