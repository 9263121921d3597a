"""The header block of a message (RFC 5322 §2.2), as offsets into the message.

Fields are found in one pass from the top, folding kept, so that a field can be cut out byte for
byte; the body is never looked at. Values are not decoded here. Lines may end in CRLF or LF.

Where the header ends matters more than where it should: the header stops at the first line that is
neither a field nor a continuation, because Postfix, Exim and Sendmail take the body to begin there
and a reader behind them will see it so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from milter.message.guard import DEFAULT_BOUNDS, Bounds, Fault, Notes

# RFC 5322 §3.6.8 for the name, §4.5 for the space before the colon, §2.2.3 for folding. Possessive,
# so that a line without a colon is given up in one pass.
_FIELD: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:()[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")
_EMPTY_LINE: Final = re.compile(rb"\r?\n")
_HEADER_END: Final = re.compile(rb"\n\r?\n")
# What mbox tools leave above a header; Postfix takes it away from the top of a message likewise.
# With a colon behind From it is a field with space in it, which some readers show (RFC 5322 §4.5).
_FROM_LINE: Final = re.compile(rb">*+From (?![ \t]*+:)[^\n]*+\n")
_REST_OF_FIELD: Final = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")
# Each costs an object, and a message could consist of nothing else.
MAX_BEYOND: Final = 10_000
_PIECE_BYTES: Final = 65_536


class HeaderField(NamedTuple):
    """One field. A tuple and no dataclass: every message makes some thirty of them.

    Attributes:
        name: In lower case.
        start: Offset of the first byte of the name.
        end: Offset behind the line break that ends the field.
        value_start: Offset behind the colon.
    """

    name: str
    start: int
    end: int
    value_start: int


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """The fields of one header, in order, and where the body begins.

    Attributes:
        fields: As far as the bounds let them be read.
        body_start: Offset behind the empty line; of the line that is no field where the empty line
            is missing; the end where there is no body.
    """

    fields: tuple[HeaderField, ...]
    body_start: int

    def first(self, name: str) -> HeaderField | None:
        """Return the topmost field `name`, given in lower case."""
        return next((field for field in self.fields if field.name == name), None)

    def every(self, name: str) -> list[HeaderField]:
        """Return all fields `name`, given in lower case, from the top."""
        return [field for field in self.fields if field.name == name]


def split_header(
    source: bytes, start: int, end: int, notes: Notes, bounds: Bounds = DEFAULT_BOUNDS
) -> HeaderBlock:
    """Return the header block that begins at `start` in `source` and ends before `end`."""
    if from_line := _FROM_LINE.match(source, start, end):
        start = from_line.end()
    limit = min(end, start + bounds.header_bytes)
    fields: list[HeaderField] = []
    position, match_field = start, _FIELD.match
    while match := match_field(source, position, limit):
        (begin, position), _, (value_start, _) = match.regs
        if position == limit < end:
            # Its end is not known, so it is none that could be cut out.
            break
        fields.append(HeaderField(_lowered(match[1]), begin, position, value_start))
        if len(fields) == bounds.header_fields:
            limit = position
    return HeaderBlock(tuple(fields), _body_start(source, position, limit, end, notes))


def fields_beyond(raw: bytes, start: int, end: int, names: frozenset[str]) -> list[HeaderField]:
    """Return the fields called one of `names`, in lower case, between `start` and `end`.

    For what stands past the bounds of `split_header`, where nothing else is read.
    """
    anyone = b"|".join(re.escape(name.encode("ascii")) for name in sorted(names))
    beginning = re.compile(rb"^(" + anyone + rb")[ \t]*+:", re.IGNORECASE | re.MULTILINE)
    found: list[HeaderField] = []
    while start < end and len(found) < MAX_BEYOND:
        # One search holds every thread of the process, so none goes through much more than a piece.
        stop = raw.find(b"\n", start + _PIECE_BYTES, end) + 1 or end
        named = beginning.search(raw, start, stop)
        if named is None:
            start = stop
            continue
        rest = _REST_OF_FIELD.match(raw, named.end(), end)
        start = rest.end() if rest else end
        found.append(HeaderField(_lowered(named[1]), named.start(), start, named.end()))
    return found


def unfolded(source: bytes, field: HeaderField) -> bytes:
    """Return the value of `field` on one line, without space at its ends (RFC 5322 §2.2.3)."""
    value = source[field.value_start : field.end].strip()
    # Within a field each line break is followed by a space or tab: the field would have ended.
    return value.replace(b"\r\n", b"").replace(b"\n", b"") if b"\n" in value else value


@lru_cache(maxsize=1024)
def _lowered(name: bytes) -> str:
    return name.decode("ascii").lower()


def _body_start(source: bytes, position: int, limit: int, end: int, notes: Notes) -> int:
    if empty := _EMPTY_LINE.match(source, position, end):
        return empty.end()
    if position == end:
        return end
    if position != limit:
        notes.add(Fault.HEADER, "a line in the header that is no header field")
        return position
    notes.limit("header", "the header has more fields or bytes than are read")
    past = _HEADER_END.search(source, max(position - 1, 0), end)
    return past.end() if past else end
