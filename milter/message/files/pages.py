"""Files that are web pages, whatever type the sender declares: a click opens them as such."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milter.message.files import kinds
from milter.message.guard import Notes
from milter.message.mime import decode_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.message.mime import Part

_HEAD: Final = 2_048
_NAMES: Final = frozenset(("html", "htm", "shtml", "xhtml", "xht"))
# Read as texts already; or of a kind that no program opens as a page.
_OTHERS: Final = ("text/", "application/xhtml+xml", "multipart/", "message/")


def pages_among(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the files that are HTML by their name or their first bytes, and are not called so."""
    for part in parts:
        if part.content_type.startswith(_OTHERS) or part.start == part.end:
            continue
        if kinds.extension_of(part.filename) in _NAMES or _begins_as_page(part):
            yield replace(part, content_type=kinds.HTML)


def _begins_as_page(part: Part) -> bool:
    return kinds.type_by_bytes(decode_part(part, _HEAD, Notes())) == kinds.HTML
