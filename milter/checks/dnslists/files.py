"""The files of a message as lists of hashes hold them: digests of what their parts decode to.

As SpamAssassin and rspamd ask for them, so archives are hashed whole. A part of which more is there
than is read has no digest that anybody could list, and is left out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from milter.checks.dnslists.questions import Subject, digest_of
from milter.message.files.attachment import is_file
from milter.message.guard import Fault, Notes
from milter.message.part import decode_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milter.message.document import Message
    from milter.message.part import Part

# More of a message is not hashed: what is spread by mail in a million copies is far smaller.
_MOST_BYTES: Final = 33_554_432
_MOST_FILES: Final = 100
# About a millisecond of decoding and hashing: above it the event loop is worth a thread.
_THREAD_ABOVE: Final = 262_144
_SHOWN: Final = 16
_SHOWN_NAME: Final = 80


async def hashed_files(message: Message, algorithms: Iterable[str]) -> Sequence[Subject]:
    """Return the files of `message` with their digests by each of `algorithms`, each file once."""
    parts = [part for part in message.parts if is_file(part)][:_MOST_FILES]
    names = sorted(algorithms)
    if sum(part.end - part.start for part in parts) > _THREAD_ABOVE:
        return await asyncio.to_thread(_hashed, parts, names)
    return _hashed(parts, names)


def _hashed(parts: Sequence[Part], algorithms: Sequence[str]) -> Sequence[Subject]:
    left = _MOST_BYTES
    found: dict[Subject, None] = {}
    for part in parts:
        notes = Notes()
        data = decode_part(part, left, notes)
        left -= len(data)
        if data and not any(defect.fault is Fault.LIMIT for defect in notes.defects):
            found.setdefault(_subject(part.filename, data, algorithms))
    return list(found)


def _subject(filename: str, data: bytes, algorithms: Sequence[str]) -> Subject:
    digests = {name: digest_of(data, name) for name in algorithms}
    digest = digests[algorithms[0]].hex()
    shown = f"{filename[:_SHOWN_NAME]} {digest[:_SHOWN]}".strip()
    return Subject(shown, digest, digests=digests)
