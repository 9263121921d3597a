"""What a document or a picture says, and which files of a message are worth to be opened for it.

Opening them takes libraries that mail is too hostile for, so a process of its own does it
(`milter/enclosed`); here is what comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milter.message.files import kinds
from milter.message.guard import Notes
from milter.message.part import decode_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.message.part import Part

_HEAD: Final = 1_024
PICTURES: Final = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"))


class Enclosed(NamedTuple):
    """What one file says.

    Attributes:
        name: Of the file; its type where it has none.
        text: The words in it.
        links: Addresses that a click in it opens, as written.
        codes: What its QR codes say.
        trouble: Why it was not read; empty when it was.
    """

    name: str
    text: str = ""
    links: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    trouble: str = ""


class Openable(NamedTuple):
    """A file that may be opened.

    Attributes:
        name: As in `Enclosed`.
        media_type: By its first bytes.
        content: Decoded; one byte more than the bound where it is longer.
    """

    name: str
    media_type: str
    content: bytes


def openable(
    parts: Iterable[Part], media_types: frozenset[str], file_bytes: int
) -> Iterator[Openable]:
    """Yield the files among `parts` that are of `media_types` by their bytes."""
    for part in parts:
        if part.content_type.startswith("text/") or part.start == part.end:
            continue
        head = decode_part(part, _HEAD, Notes())
        media_type = kinds.type_by_bytes(head)
        if media_type in media_types:
            content = decode_part(part, file_bytes + 1, Notes())
            yield Openable(part.filename or part.content_type, media_type, content)
