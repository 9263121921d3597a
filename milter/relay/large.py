"""Work on a whole message: in place where it is small, in a thread where it would hold the loop.

It does not know what the work is for: the digest is defined in `partial`, the dots in `protocol`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from milter.relay.partial import digest_of
from milter.relay.protocol import wire_form

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

# Below this size the work takes a few milliseconds, and a thread would cost more than it saves.
LARGE: Final = 1_048_576
# A thread gives the interpreter back between two slices; within one it cannot.
_SLICE: Final = 262_144


async def digest(message: bytes, *, retraced: bool) -> bytes:
    """Return `digest_of` the message."""
    if len(message) > LARGE:
        return await asyncio.to_thread(digest_of, message, retraced=retraced)
    return digest_of(message, retraced=retraced)


async def wire_forms(
    messages: Mapping[Hashable, Sequence[bytes]], keys: Iterable[Hashable], *, dotted: bool
) -> dict[Hashable, list[bytes]]:
    """Return the `wire_form` of those `messages` that are asked for."""
    wanted = {key: messages[key] for key in keys}
    if dotted and any(sum(map(len, pieces)) > LARGE for pieces in wanted.values()):
        return await asyncio.to_thread(_stuffed, wanted)
    return {key: wire_form(pieces, dotted=dotted) for key, pieces in wanted.items()}


def slices(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return the message made of `pieces` in pieces of a bounded size."""
    for piece in pieces:
        for start in range(0, len(piece), _SLICE):
            yield piece[start : start + _SLICE]


def _stuffed(messages: Mapping[Hashable, Sequence[bytes]]) -> dict[Hashable, list[bytes]]:
    return {key: wire_form(slices(pieces)) for key, pieces in messages.items()}
