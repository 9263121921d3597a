"""Who opens the documents and pictures of messages, as the settings want it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from milter.enclosed.reader import EnclosedReader, Reading

if TYPE_CHECKING:
    from contextlib import ExitStack

    from milter.settings.enclosed import EnclosedFiles


def enclosed_reader(settings: EnclosedFiles, closing: ExitStack) -> EnclosedReader | None:
    """Return who opens files; None where nobody shall, or no library for it is there."""
    reading = Reading(
        pdf=settings.pdf,
        qr=settings.qr,
        timeout_s=settings.timeout_s,
        memory_bytes=settings.memory_bytes,
        file_bytes=settings.file_bytes,
        files=settings.files,
    ).available()
    if not (reading.pdf or reading.qr):
        return None
    reader = EnclosedReader(reading, time.monotonic)
    closing.callback(reader.close)
    return reader
