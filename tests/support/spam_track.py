"""A small collection in the shape of those of the TREC Spam Track; its mail is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAIL: Final = (
    "From: Ada <a@example.net>\nSubject: {subject}\nMessage-ID: <{number}@example.net>\n\n{text}\n"
)
_WANTED: Final = ("minutes of the meeting", "Please review the draft of the minutes by Monday")
_UNWANTED: Final = ("you have won", "Claim your lottery prize now, winner of the cheap pills")


def a_collection(folder: Path, messages: int = 60) -> Path:
    """Make `data/inmail.N` and `full/index` in `folder`; return the index. Each second is spam."""
    (folder / "data").mkdir(parents=True)
    (folder / "full").mkdir()
    lines = []
    for number in range(1, messages + 1):
        subject, text = _WANTED if number % 2 else _UNWANTED
        message = _MAIL.format(subject=subject, number=number, text=text)
        (folder / "data" / f"inmail.{number}").write_text(message)
        lines.append(f"{'ham' if number % 2 else 'spam'} ../data/inmail.{number}\n")
    index = folder / "full" / "index"
    index.write_text("".join(lines))
    return index
