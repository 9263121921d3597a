"""Files in a plain text between `begin 644 name` and `end`, as mail had them before MIME.

Outlook and others take them out and show them as files (POSIX.1-2017, uuencode).
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Names of it in Content-Transfer-Encoding.
ENCODINGS: Final = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
# As many as the bytes have that are read of a message, where each is as long as programs make it.
_MOST_LINES: Final = 200_000
_BEGIN: Final = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_LINE: Final = re.compile(rb"([!-`])([ -`]*+)\r?(?:\n|\Z)")


def may_hold_files(source: bytes, start: int, end: int) -> bool:
    """Return whether a file may begin between `start` and `end` of `source`."""
    return source.find(b"begin ", start, end) >= 0


def decoded(data: bytes) -> bytes:
    """Return the first file in `data`; `data` itself where there is none."""
    return next((content for _, content in files_in(data)), data)


def files_in(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file; one that is cut, as far as it goes."""
    position, left = 0, _MOST_LINES
    while left > 0 and (begin := _BEGIN.search(data, position)):
        pieces, position = _content(data, begin.end(), left)
        left -= 1 + len(pieces)
        if pieces:
            yield begin[1].decode("utf-8", "replace").strip(), b"".join(pieces)


def _content(data: bytes, position: int, most: int) -> tuple[list[bytes], int]:
    """Return what the lines from `position` on say, `most` of them, and where they end."""
    pieces: list[bytes] = []
    while len(pieces) < most and (line := _LINE.match(data, position)):
        # Each line begins with how many bytes it holds, of which four signs stand for three.
        size = (line[1][0] - 0x20) & 0x3F
        signs = (size + 2) // 3 * 4
        # Behind the signs some write a sum; spaces at the end were lost on the way.
        if size == 0 or len(line[2]) > signs + 1:
            break
        # Of the last four those that hold nothing may be any.
        needed = (size * 4 + 2) // 3
        pieces.append(binascii.a2b_uu(line[1] + line[2][:needed].ljust(needed)))
        position = line.end()
    return pieces, position
