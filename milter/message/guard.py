"""Bounds that hold before any part of a message is read, and the defects that a reading notes.

A message is written by whoever sends it. Each bound below stops one known way to make a reader work
or remember without end; what lies past a bound is left unread, and a defect says so. Whether that
matters is for the policy to say: nothing here refuses a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """Kinds of defects, each the business of one symbol."""

    HEADER = "header"
    MIME = "mime"
    LIMIT = "limit"
    CHARSET = "charset"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong with a message.

    Attributes:
        fault: Its kind.
        what: What it is, in our words; holds no bytes of the message.
    """

    fault: Fault
    what: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is read of one message.

    Attributes:
        header_bytes: Of one header block. Real ones stay under 64 KB; mail that went through many
            hops with ARC sets has been seen near 100 KB.
        header_fields: Of one header block; each costs an object.
        parts: Of the whole message, multiparts counted too; a digest of a busy
            list has about 100 messages, each of which is a message and the text in it.
        depth: Of multiparts and messages in each other. Forwarded forwards reach 8; thousands are
            an attack on parsers that recurse.
        parameters: Of one field, RFC 2231 segments counted each; thousands of segments are an
            attack on parsers that sort or join them again and again.
        value_bytes: Of one field value that is taken apart by grammar (addresses, parameters).
        decoded_bytes: Of all decoded parts together.
        false_delimiters: Lines that begin like a delimiter of a multipart but are none; each costs
            a look, and a body can consist of them.
        urls: Addresses found in the texts, and in the HTML.
        html_chars: Of one HTML part that is given to a parser, without what `data:` addresses hold
            in base64. Newsletters reach 200,000, long threads of Outlook 400,000; what is longer
            has its tags cut out instead.
        html_parts: That are given to a parser; of more those alone that nest nothing.
        html_depth: Of elements in each other, as far as can be told without a parser, which takes
            quadratic time over them: 11 ms for these. Layouts of tables in tables reach 100.
        html_tags: Of one HTML part.
        html_attributes: Of one tag; the parser compares each with all before it.
        detections: How often the charset of a text is guessed; each takes about 2 ms.
        unpacked_bytes: Of all archives of a message together.
        archive_depth: Of archives in each other.
    """

    header_bytes: int = 262_144
    header_fields: int = 1_000
    parts: int = 500
    depth: int = 20
    parameters: int = 64
    value_bytes: int = 65_536
    decoded_bytes: int = 8_388_608
    false_delimiters: int = 10_000
    urls: int = 1_000
    html_chars: int = 524_288
    html_parts: int = 200
    html_depth: int = 2_500
    html_tags: int = 20_000
    html_attributes: int = 200
    detections: int = 5
    unpacked_bytes: int = 4_194_304
    archive_depth: int = 3


DEFAULT_BOUNDS: Final = Bounds()
_MAX_DEFECTS: Final = 100


class Notes:
    """Collects the defects of one reading: each once, and a bounded number of them."""

    __slots__ = ("_defects", "_truncated")

    def __init__(self) -> None:
        self._defects: dict[Defect, None] = {}
        self._truncated: dict[str, None] = {}

    def add(self, fault: Fault, what: str) -> None:
        """Note a defect."""
        if len(self._defects) < _MAX_DEFECTS:
            self._defects.setdefault(Defect(fault, what))

    def limit(self, bound: str, what: str) -> None:
        """Note that something was left unread because it passes the bound that `bound` names."""
        self._truncated[bound] = None
        self.add(Fault.LIMIT, what)

    @property
    def truncated(self) -> tuple[str, ...]:
        """The names of the bounds that were passed, each once."""
        return tuple(self._truncated)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What was noted so far, in the order of finding."""
        return tuple(self._defects)
