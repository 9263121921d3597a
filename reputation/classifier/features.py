"""Named fields of a message become slots of the weight table.

Three kinds of features, all of them hashed bytes:

* words, in small letters, salted with the name of their field: what the subject says is not what
  the text says.
* letters of several bytes in groups of two or three: Chinese, Japanese and Thai have no spaces, and
  what is written without them would be one endless word.
* n-grams of four bytes in those fields where senders disguise words.

Nothing is looked at byte by byte in Python. A word is hashed as the difference of two prefix sums
of `byte[i] * BASE**i` modulo 2**32, brought back to position zero with the inverse of `BASE`, which
exists because `BASE` is odd: one pass hashes all words, however long. After J. Goodman and W. Yih,
"Online Discriminative Spam Filter Training" (CEAS 2006), and K. Weinberger et al., "Feature Hashing
for Large Scale Multitask Learning" (ICML 2009).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint32]
    Places = NDArray[np.intp]

# Words and grams have ranges of their own, for they are weighed apart.
_WORD_BITS: Final = 20
_GRAM_BITS: Final = 18
WORD_SLOTS: Final = 1 << _WORD_BITS
SLOTS: Final = WORD_SLOTS + (1 << _GRAM_BITS)

# Of all fields together no more is read; whoever makes the fields cuts each to what it is worth.
MAX_BYTES: Final = 1 << 15

_MAX_DISGUISED: Final = 1 << 12
# More than all features of the bytes that are read.
_MARKS: Final = 1 << 16
_MARKS_MASK: Final = np.uint32(_MARKS - 1)
_SPACE: Final = 0x20
_BASE: Final = 0x01000193
_MIX: Final = np.uint32(2654435761)
_WORD_SHIFT: Final = np.uint32(32 - _WORD_BITS)
_GRAM_SHIFT: Final = np.uint32(32 - _GRAM_BITS)
# Two letters of three bytes, three letters of two.
_LETTERS_BYTES: Final = 6
_GRAM_BYTES: Final = 4


def _table() -> bytes:
    """Return what makes small letters of capitals, and a space of all that parts words."""
    table = bytearray(range(256))
    for code in range(0x80):
        letter = chr(code)
        table[code] = ord(letter.lower()) if letter.isalnum() or letter in "-_$%" else _SPACE
    return bytes(table)


def _powers(base: int) -> Hashes:
    """Return the powers of `base` modulo 2**32, from the zeroth on."""
    powers = accumulate([1] + [base] * (MAX_BYTES - 1), lambda left, right: left * right % 2**32)
    return np.fromiter(powers, np.uint32, MAX_BYTES)


_TABLE: Final = _table()
_POWERS: Final = _powers(_BASE)
_INVERSES: Final = _powers(pow(_BASE, -1, 2**32))


class Features(NamedTuple):
    """The slots that a message has.

    Attributes:
        slots: Each once: first those of words and letters of several bytes, then, from `WORD_SLOTS`
            on, those of n-grams of four bytes.
        words: How many of them are of the first kind.
    """

    slots: NDArray[np.uint32]
    words: int


class Located(NamedTuple):
    """Slots with their places in the text of all fields, repeated ones too.

    Attributes:
        slots: One for each feature.
        starts: Where it begins.
        ends: Behind its last byte.
    """

    slots: NDArray[np.uint32]
    starts: Places
    ends: Places


def extract(fields: Mapping[str, bytes], disguised: Sequence[bytes]) -> Features:
    """Return the features of a message.

    Args:
        fields: What is looked at, by name; the order counts.
        disguised: What is read in n-grams of four bytes, too.
    """
    pieces = (*_word_slots(fields), _gram_slots(disguised))
    slots = np.concatenate(pieces)
    # Each writes its place into a table and stays if it finds it there again. Two slots that share
    # an entry lose one of them, always the same one; a larger table or a sort cost more than that.
    places = np.arange(len(slots), dtype=np.uint16)
    entries = (slots & _MARKS_MASK).astype(np.intp)
    marks = np.empty(_MARKS, np.uint16)
    marks[entries] = places
    stays = marks[entries] == places
    words = int(np.count_nonzero(stays[: len(slots) - len(pieces[-1])]))
    return Features(slots[stays], words)


def text_of(fields: Mapping[str, bytes]) -> bytes:
    """Return all fields one behind the other, a space before, between and behind them."""
    return b" %b " % b" ".join(fields.values())


def locate(fields: Mapping[str, bytes]) -> Located:
    """Return the words of `fields` with their places in `text_of(fields)`."""
    folded = _folded(fields)
    edges = _edges(folded)
    slots = _salted(_prefix_sums(folded), edges, fields) >> _WORD_SHIFT
    return Located(slots, edges[::2], edges[1::2])


def _word_slots(fields: Mapping[str, bytes]) -> Iterator[Hashes]:
    folded = _folded(fields)
    sums = _prefix_sums(folded)
    yield _salted(sums, _edges(folded), fields) >> _WORD_SHIFT
    if not folded.isascii():
        yield _letters(folded, sums) >> _WORD_SHIFT


def _folded(fields: Mapping[str, bytes]) -> bytes:
    # The last byte is a space, so that the last word ends.
    return text_of(fields)[: MAX_BYTES - 1].translate(_TABLE) + b" "


def _prefix_sums(text: bytes) -> Hashes:
    sums = np.empty(len(text) + 1, np.uint32)
    sums[0] = 0
    products = np.multiply(np.frombuffer(text, np.uint8), _POWERS[: len(text)], dtype=np.uint32)
    np.add.accumulate(products, out=sums[1:])
    return sums


def _edges(folded: bytes) -> Places:
    """Return in turn where a word begins and where it ends; a space stands at both ends of all."""
    space = np.frombuffer(folded, np.uint8) == _SPACE
    edges: Places = (space[1:] != space[:-1]).nonzero()[0]
    edges += 1
    return edges


def _salted(sums: Hashes, edges: Places, fields: Mapping[str, bytes]) -> Hashes:
    """Return a hash for each word, another one in each field."""
    starts = edges[::2]
    sums = sums[edges]
    hashes = sums[1::2] - sums[::2]
    hashes *= _INVERSES[starts]
    # Behind each field comes one space.
    borders = [*accumulate([len(value) + 1 for value in fields.values()], initial=0)]
    places = starts.searchsorted(borders)
    hashes += _salts(tuple(fields)).repeat(places[1:] - places[:-1])
    hashes *= _MIX
    return hashes


@lru_cache(maxsize=1024)
def _salts(names: tuple[str, ...]) -> Hashes:
    codes = [zlib.crc32(name.encode("utf-8", "surrogateescape")) for name in names]
    return np.array(codes, np.uint32)


def _letters(folded: bytes, sums: Hashes) -> Hashes:
    """Return the groups of letters that take several bytes, from wherever a letter begins."""
    codes = np.frombuffer(folded, np.uint8)
    high = np.zeros(len(codes) + 1, np.int32)
    np.add.accumulate(codes >= 0x80, out=high[1:], dtype=np.int32)
    whole = high[_LETTERS_BYTES:] - high[:-_LETTERS_BYTES] == _LETTERS_BYTES
    places = np.flatnonzero(whole & (codes[: len(whole)] >= 0xC0))
    hashes = sums.take(places + _LETTERS_BYTES)
    hashes -= sums.take(places)
    hashes *= _INVERSES.take(places)
    hashes *= _MIX
    return hashes


def _gram_slots(texts: Sequence[bytes]) -> Hashes:
    folded = b" ".join(texts)[:_MAX_DISGUISED].lower()
    count = max(len(folded) - _GRAM_BYTES + 1, 0)
    # Four bytes from every place on, as one number each; nothing is copied.
    grams = np.ndarray(count, "<u4", folded, strides=(1,)) * _MIX
    grams >>= _GRAM_SHIFT
    grams += np.uint32(WORD_SLOTS)
    return grams
