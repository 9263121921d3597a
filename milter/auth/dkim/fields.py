"""Header fields of a message as DKIM sees them, without splitting its body into lines.

What `dkim.rfc822_parse` refuses is refused, and what it yields is yielded, but for three things:
space before a colon is no mistake (RFC 6376 §3.4.2), a colon is no name, and a mailbox's From line
is passed over at the top only, for elsewhere others take the body to begin there. That function
splits the whole message, and joins a field of many lines in quadratic time.
"""

from __future__ import annotations

import re
from typing import Final

from milter.core.errors import ParseError
from milter.message.lines import with_crlf

Field = tuple[bytes, bytes]

# Real headers stay far below these; without bounds a header alone could cost seconds.
MAX_HEADER: Final = 262_144
MAX_FIELDS: Final = 1_000

_FIELD: Final = re.compile(rb"([!-9;-~]++[ \t]*+):([^\n]*+\n(?:[ \t][^\n]*+\n)*+)")
_CONTINUATION: Final = re.compile(rb"(?:[ \t][^\n]*\n)+")
# What mbox tools leave at the top. With a colon behind From it is a field, however it is spaced.
_FROM_LINE: Final = re.compile(rb">*+From (?![ \t]*+:)[^\n]*+\n")


def split_message(message: bytes) -> tuple[list[Field], int]:
    """Return the header fields, names and values as they stand, and where the body begins.

    Names keep the space that may stand before the colon. Values keep their folding and end with
    CRLF; a bare LF counts as CRLF.

    Raises:
        ParseError: A line is no field, or the header is larger than any real one.
    """
    header_end, body_start = _boundary(message)
    if header_end > MAX_HEADER:
        raise ParseError("the header is too large", MAX_HEADER)
    return _fields(with_crlf(message[:header_end])), body_start


def _boundary(message: bytes) -> tuple[int, int]:
    """Return where the header ends and where the body begins: around the first empty line."""
    for empty in (b"\n", b"\r\n"):
        if message.startswith(empty):
            return 0, len(empty)
    # One octet more than the bound, so that a header at the bound is told from one beyond it.
    limit = MAX_HEADER + 4
    crlf = message.find(b"\n\r\n", 0, limit)
    lf = message.find(b"\n\n", 0, limit if crlf < 0 else crlf + 1)
    if lf >= 0:
        return lf + 1, lf + 2
    if crlf >= 0:
        return crlf + 1, crlf + 3
    return len(message), len(message)


def _fields(header: bytes) -> list[Field]:
    if not header.endswith(b"\n"):
        header += b"\r\n" if header else b""
    fields: list[Field] = []
    position = from_line.end() if (from_line := _FROM_LINE.match(header)) else 0
    while position < len(header):
        if match := _FIELD.match(header, position):
            fields.append((match[1], match[2]))
        elif (match := _CONTINUATION.match(header, position)) and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + match[0])
        else:
            raise ParseError("a line of the header is no field", position)
        position = match.end()
        if len(fields) > MAX_FIELDS:
            raise ParseError("the header has too many fields", position)
    return fields
