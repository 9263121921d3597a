"""Files that a click opens as web page, date or contact, whatever type the sender declares."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from milter.message.files import kinds
from milter.message.guard import Notes
from milter.message.html.reader import read_html
from milter.message.part import decode_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.message.guard import Bounds
    from milter.message.part import Part

_HEAD: Final = 2_048
_NAMES: Final = frozenset(("html", "htm", "shtml", "xhtml", "xht"))
_CARDS: Final = {"ics": "text/calendar", "vcs": "text/calendar", "vcf": "text/vcard"}
_SHOWN: Final = frozenset((kinds.HTML, *_CARDS.values()))
# Read as texts already; or of a kind that no program opens as a page.
_OTHERS: Final = ("text/", "application/xhtml+xml", "multipart/", "message/")
_FIELD: Final = re.compile(rb"<(?:input|textarea|form)\b", re.IGNORECASE)
# A page is read in pieces, and of those behind the first the ones with fields alone.
_PIECE: Final = 262_144
# A tag may lie across two of them.
_OVERLAP: Final = 4_096
_MOST_PIECES: Final = 4


def pages_among(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the files that are pages or cards by name or first bytes, and are not called so."""
    for part in parts:
        if part.content_type.startswith(_OTHERS) or part.start == part.end:
            continue
        if (kind := _shown_as(part)) in _SHOWN:
            yield replace(part, content_type=kind)


def _shown_as(part: Part) -> str:
    extension = kinds.extension_of(part.filename)
    if extension in _NAMES:
        return kinds.HTML
    return _CARDS.get(extension) or kinds.type_by_bytes(decode_part(part, _HEAD, Notes()))


def asks_for_a_secret(page: bytes, notes: Notes, bounds: Bounds) -> bool:
    """Return whether a form in `page` asks for a password or the like, wherever it stands."""
    pieces = list(islice(_pieces(page), _MOST_PIECES + 1))
    if len(pieces) > _MOST_PIECES:
        notes.limit("html", "a page has more forms than are read")
    for piece in pieces[:_MOST_PIECES]:
        html = read_html(piece.decode("utf-8", "replace"), Notes(), bounds)
        if any(form.asks_for_a_secret for form in html.forms):
            return True
    return False


def _pieces(page: bytes) -> Iterator[bytes]:
    yield page[: _PIECE + _OVERLAP]
    for start in range(_PIECE, len(page), _PIECE):
        if _FIELD.search(page, start, start + _PIECE + _OVERLAP):
            yield page[start : start + _PIECE + _OVERLAP]
