"""One leaf of the tree of parts (RFC 2045), and its content decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.message import uuencode
from milter.message.decode import decode_base64, decode_quoted, mostly_base64
from milter.message.detect import charset_of_page
from milter.message.guard import Fault

if TYPE_CHECKING:
    from milter.message.detect import Detector
    from milter.message.guard import Notes

_PAGE: Final = "text/html"
IDENTITY: Final = frozenset(("", "7bit", "8bit", "binary"))
# How many bytes are looked at for one that is wanted. base64 holds 3 bytes in 4, and half as much
# again may be line breaks and junk; quoted-printable writes a byte in three.
_EXPECTED: Final = {"base64": 2, "quoted-printable": 3}


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the tree of parts.

    Attributes:
        content_type: Type and subtype in lower case.
        charset: As declared; empty when it is not.
        encoding: Content-Transfer-Encoding in lower case; empty when there is none.
        disposition: Of Content-Disposition, in lower case; empty when there is none.
        filename: Of Content-Disposition, else the name of Content-Type; decoded.
        source: What the offsets count in: the message, or one inside it that came encoded.
        start: Offset of the content.
        end: Offset behind it.
        depth: How many multiparts and messages lie around it.
        claimed: Other names that it says, which some readers take for the name of the file.
        delsp: Whether it is flowed text, and spaces at the ends of lines are none (RFC 3676 §3.2).
    """

    content_type: str
    charset: str
    encoding: str
    disposition: str
    filename: str
    source: bytes
    start: int
    end: int
    depth: int
    claimed: tuple[str, ...]
    delsp: bool


def decode_part(part: Part, limit: int, notes: Notes) -> bytes:
    """Return the content of `part` decoded, at most `limit` bytes of it."""
    size, cut = part.end - part.start, limit * _EXPECTED.get(part.encoding, 1)
    data = _decoded(part, cut, notes)
    # Line breaks in base64 and soft ones say nothing, be there as many as there may (RFC 2045 §6.7,
    # §6.8): where less came out than was expected, more is looked at, each time twice as much.
    while part.encoding in _EXPECTED and len(data) < limit and cut < size:
        cut *= 2
        data = _decoded(part, cut, notes)
    if cut < size or len(data) > limit:
        notes.limit("decoded", "more decoded bytes than are read")
        data = data[:limit]
    return data


def _decoded(part: Part, most: int, notes: Notes) -> bytes:
    """Return what the first `most` bytes of the content of `part` say."""
    data = part.source[part.start : min(part.end, part.start + most)]
    if part.encoding == "base64":
        if data.isascii() or mostly_base64(data):
            return decode_base64(data)
        # Called base64 and sent as it is; decoding would make noise of what there is to read.
        notes.add(Fault.MIME, "a text that is not in the encoding it names")
    elif part.encoding == "quoted-printable":
        return decode_quoted(data)
    elif part.encoding in uuencode.ENCODINGS:
        return uuencode.decoded(data)
    elif part.encoding not in IDENTITY:
        notes.add(Fault.MIME, "a Content-Transfer-Encoding that is not known")
    return data


def part_text(part: Part, limit: int, notes: Notes, detector: Detector) -> str:
    """Return the text of a text part, line breaks as newlines."""
    data = decode_part(part, limit, notes)
    charset = part.charset or (charset_of_page(data) if part.content_type == _PAGE else "")
    text, fits = detector.decode(data, charset)
    if not fits:
        notes.add(Fault.CHARSET, "a text that does not fit its charset")
    return text.replace("\r\n", "\n") if "\r" in text else text
