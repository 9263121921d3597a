"""Texts that are nearly the same: a signature by which they are found.

MinHash (Broder, On the resemblance and containment of documents, 1997) over windows of 5 bytes: of
each of 8 hash functions the least value, cut to 16 bits. Two texts agree in each place about as
often as they share windows, so that 4 places of 8 mean a text that is changed in few places: a
name, a number, a link. Digits, blanks and capitals are no difference at all.

Signatures are found by bands (locality-sensitive hashing): of the 4 pairs of neighbours one must be
equal, as it is for all that agree in 5 places and for three of four that agree in 4.
"""

from __future__ import annotations

from operator import eq
from struct import Struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of a text so much is looked at: what varies from one message of a campaign to the next is mostly a
# small part of it, and each character costs as much as the others.
READ: Final = 512
# Texts shorter than this agree by chance.
_LEAST: Final = 48
_PLACES: Final = 8
SIGNATURE_BYTES: Final = 2 * _PLACES
_AGREE: Final = 4
_DROPPED: Final = b"0123456789 \t\r\n\x0b\x0c"
_WORD: Final = 8
# Odd numbers without a pattern: the digits of pi, e, the golden ratio and roots in binary.
# Moved by three bytes, so that of 8 bytes the first 5 count, which are the low ones of the number.
_MIX: Final = np.uint64(0x9E3779B97F4A7C15 << 24 & 0xFFFFFFFFFFFFFFFF)
_FACTORS: Final = np.array(
    [
        *(0x243F6A89, 0xB7E15163, 0x6A09E667, 0xBB67AE85),
        *(0x3C6EF373, 0xA54FF53B, 0x510E527F, 0x9B05688D),
    ],
    dtype=np.uint32,
)[:, None]
_HALF: Final = np.uint64(32)
_LONG: Final = np.dtype("<u8")
_SHORT: Final = np.dtype("<u2")
_BANDS: Final = Struct("<4I")
_EACH: Final = Struct("<8H")


def signatures(texts: Sequence[str]) -> list[bytes]:
    """Return the signature of each text, of which the beginning is read; empty for a short one.

    Many at once cost each of them less than half of what one alone costs: most of that is what a
    call of numpy takes, however little it is given.
    """
    found = [b""] * len(texts)
    whole: list[bytes] = []
    longs: list[int] = []
    bounds: list[int] = []
    at = 0
    for number, text in enumerate(texts):
        data = text[:READ].lower().encode("utf-8", "replace").translate(None, _DROPPED)
        count = len(data) - _WORD + 1
        if count >= _LEAST:
            whole.append(data)
            longs.append(number)
            # Windows that begin in one text and end in the next one belong to neither.
            bounds += (at, at + count)
            at += len(data)
    if longs:
        # The last one ends with all.
        places = _least(b"".join(whole), bounds[:-1])
        for row, number in enumerate(longs):
            found[number] = places[row * SIGNATURE_BYTES : (row + 1) * SIGNATURE_BYTES]
    return found


def _least(data: bytes, bounds: Sequence[int]) -> bytes:
    """Return the least value of each hash function in every second part between `bounds`."""
    # Each 8 bytes as a number, without a copy: a step of one byte.
    windows: np.ndarray[tuple[int], np.dtype[np.uint64]] = np.ndarray(
        (len(data) - _WORD + 1,), _LONG, data, 0, (1,)
    )
    # Of a product the high bits depend on all of the number; half of them is enough, and is fast.
    mixed = ((windows * _MIX) >> _HALF).astype(np.uint32)
    least = np.minimum.reduceat(mixed * _FACTORS, bounds, axis=1)[:, ::2]
    # The least value begins with zeros; its lower half does not.
    places: bytes = least.T.astype(_SHORT).tobytes()
    return places


def bands(one: bytes) -> tuple[int, int, int, int]:
    """Return what a signature is looked up by, no two of them ever the same."""
    first, second, third, fourth = _BANDS.unpack(one)
    return first << 2, second << 2 | 1, third << 2 | 2, fourth << 2 | 3


def alike(one: bytes, other: bytes) -> bool:
    """Return whether texts with these signatures are nearly the same."""
    return one == other or sum(map(eq, _EACH.unpack(one), _EACH.unpack(other))) >= _AGREE
