"""What is told of a file in an archive, whatever kind of archive it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_ENTRIES: Final = 1_000
MAX_NAME: Final = 500
# More than this from one byte is what bombs are made of; texts reach 20, spreadsheets 60.
_BOMB_RATIO: Final = 200
_BOMB_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: As stored.
        size: Unpacked, as declared.
        packed: Size in the archive.
        encrypted: Whether a password is needed.
        offset: Where its header lies in the archive; in one that has no headers of entries, such
            as tar, where it lies itself.
        method: How it is packed, by the archive's own number.
    """

    name: str
    size: int = 0
    packed: int = 0
    encrypted: bool = False
    offset: int = 0
    method: int = 0

    @property
    def is_bomb(self) -> bool:
        """Whether it says that it unpacks to far more than anything real does."""
        return self.size > _BOMB_BYTES and self.size > _BOMB_RATIO * max(self.packed, 1)


def entry_name(raw: bytes, *, utf8: bool) -> str:
    """Return a stored name; what is not UTF-8 is read as DOS wrote it."""
    if not utf8 and not raw.isascii():
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp437")
    return raw.decode("utf-8", "replace")
