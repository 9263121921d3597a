"""Named fields of a message become slots of the weight table.

Three kinds of features, all of them hashed bytes:

* words, in small letters, salted with the name of their field: what the subject says is not what
  the text says.
* letters of several bytes in groups of two or three: Chinese, Japanese and Thai have no spaces, and
  what is written without them would be one endless word.
* n-grams of four bytes in those fields where senders disguise words.

Nothing is looked at byte by byte in Python. A word is its last eight bytes, read as one number, and
its length: longer words that agree in both are rare, and are the same word to us. After J. Goodman
and W. Yih, "Online Discriminative Spam Filter Training" (CEAS 2006), and K. Weinberger et al.,
"Feature Hashing for Large Scale Multitask Learning" (ICML 2009).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Slots = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.intp]

# Words and grams have ranges of their own, for they are weighed apart.
_WORD_BITS: Final = 20
_GRAM_BITS: Final = 18
WORD_SLOTS: Final = 1 << _WORD_BITS
SLOTS: Final = WORD_SLOTS + (1 << _GRAM_BITS)
# Behind them what single domains learned of words, all domains in one range (see `of_domain`).
_DOMAIN_BITS: Final = 19
TABLE_SLOTS: Final = SLOTS + (1 << _DOMAIN_BITS)

# Of all fields together no more is read; whoever makes the fields cuts each to what it is worth.
MAX_BYTES: Final = 1 << 15

_MAX_DISGUISED: Final = 1 << 12
# More than all features of the bytes that are read.
_MARKS: Final = 1 << 16
_SPACE: Final = 0x20
_WHOLE: Final = 8
TEXT_START: Final = _WHOLE
_LENGTH_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_GRAM_MIX: Final = np.uint32(2654435761)
_WORD_SHIFT: Final = np.uint64(64 - _WORD_BITS)
_DOMAIN_SHIFT: Final = np.uint64(64 - _DOMAIN_BITS)
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


_TABLE: Final = _table()
# Before the text, so that the eight bytes before the end of every word can be read.
_LEAD: Final = b" " * _WHOLE
# How far eight bytes are shifted until those before a word are gone, by its length.
_BEFORE: Final = np.array([8 * (_WHOLE - length) for length in range(_WHOLE + 1)], np.uint64)
_PLACES: Final = np.arange(_MARKS, dtype=np.uint16)


class Features(NamedTuple):
    """The slots that a message has.

    Attributes:
        slots: Each once: first those of words and letters of several bytes, then, from `WORD_SLOTS`
            on, those of n-grams of four bytes.
        words: How many of them are of the first kind.
    """

    slots: Slots
    words: int


class Located(NamedTuple):
    """Slots with their places in the text of all fields, repeated ones too.

    Attributes:
        slots: One for each feature.
        starts: Where it begins.
        ends: Behind its last byte.
    """

    slots: Slots
    starts: Places
    ends: Places


def extract(fields: Mapping[str, bytes], disguised: Mapping[str, bytes]) -> Features:
    """Return the features of a message.

    Args:
        fields: What is looked at, by name; the order counts.
        disguised: The beginnings of those that are read in n-grams of four bytes, too.
    """
    grams = _gram_slots(disguised)
    slots = np.concatenate((*_word_slots(fields), grams))
    # Each writes its place into a table and stays if it finds it there again. Two slots that share
    # an entry lose one of them, always the same one; a larger table or a sort cost more than that.
    places = _PLACES[: len(slots)]
    entries = slots & (_MARKS - 1)
    marks = np.empty(_MARKS, np.uint16)
    marks[entries] = places
    stays = marks.take(entries) == places
    words = int(np.count_nonzero(stays[: len(slots) - len(grams)]))
    return Features(slots.compress(stays), words)


def of_domain(features: Features, domain: int) -> Slots:
    """Return the slots in which `domain` keeps what it learned of the words of a message.

    After J. Attenberg et al., "Collaborative Email-Spam Filtering with the Hashing-Trick" (CEAS
    2009): the domain is a part of what is hashed, so that no domain needs a table.
    """
    hashes = features.slots[: features.words].view(np.uint64) + np.uint64(domain << 20)
    hashes *= _MIX
    hashes >>= _DOMAIN_SHIFT
    hashes += np.uint64(SLOTS)
    return hashes.view(np.int64)


def domain_number(domain: str) -> int:
    """Return the number by which a domain is known in lessons and weights; never 0."""
    return zlib.crc32(domain.encode("utf-8", "surrogateescape")) or 1


def text_of(fields: Mapping[str, bytes]) -> bytes:
    """Return all fields one behind the other: the first at `TEXT_START`, one space behind each."""
    return b" ".join((_LEAD[1:], *fields.values(), b""))


def locate(fields: Mapping[str, bytes]) -> Located:
    """Return the words and groups of letters of `fields`, placed in `text_of(fields)`."""
    folded = _folded(fields)
    edges = _edges(folded)
    words = Located(_salted(folded, edges, fields), edges[::2], edges[1::2])
    if folded.isascii():
        return words
    begins = _letter_places(folded)
    letters = _letters(folded, begins)
    return Located(
        np.concatenate((words.slots, letters)),
        np.concatenate((words.starts, begins)),
        np.concatenate((words.ends, begins + _LETTERS_BYTES)),
    )


def gram_text_of(disguised: Mapping[str, bytes]) -> bytes:
    """Return what is read in n-grams: one beginning behind the other, one space between them."""
    return b" ".join(disguised.values())[:_MAX_DISGUISED]


def locate_grams(disguised: Mapping[str, bytes]) -> Located:
    """Return the n-grams of `disguised` with their places in `gram_text_of(disguised)`."""
    slots = _gram_slots(disguised).astype(np.int64)
    starts = np.arange(len(slots))
    return Located(slots, starts, starts + _GRAM_BYTES)


def _word_slots(fields: Mapping[str, bytes]) -> Iterator[Slots]:
    folded = _folded(fields)
    yield _salted(folded, _edges(folded), fields)
    if not folded.isascii():
        yield _letters(folded, _letter_places(folded))


def _folded(fields: Mapping[str, bytes]) -> bytes:
    # The last byte is a space, so that the last word ends.
    text = text_of(fields)
    if len(text) > MAX_BYTES:
        text = text[: MAX_BYTES - 1] + b" "
    return text.translate(_TABLE)


def _eights(text: bytes) -> Hashes:
    """Return the eight bytes from every place on, as one number each; nothing is copied."""
    return np.ndarray(len(text) - _WHOLE + 1, "<u8", text, strides=(1,))


def _edges(folded: bytes) -> Places:
    """Return in turn where a word begins and where it ends; a space stands at both ends of all."""
    space = np.frombuffer(folded, np.uint8) == _SPACE
    edges: Places = (space[1:] != space[:-1]).nonzero()[0]
    edges += 1
    return edges


def _salted(folded: bytes, edges: Places, fields: Mapping[str, bytes]) -> Slots:
    """Return a slot for each word, another one in each field."""
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    hashes = _eights(folded)[ends - _WHOLE]
    hashes >>= _BEFORE.take(lengths, mode="clip")
    hashes += lengths.view(np.uint64) * _LENGTH_MIX
    # Behind each field comes one space.
    borders = np.array([TEXT_START - 1, *map(len, fields.values())])
    borders += 1
    np.add.accumulate(borders, out=borders)
    places = starts.searchsorted(borders)
    hashes += _salts(tuple(fields)).repeat(places[1:] - places[:-1])
    hashes *= _MIX
    hashes >>= _WORD_SHIFT
    return hashes.view(np.int64)


@lru_cache(maxsize=1024)
def _salts(names: tuple[str, ...]) -> Hashes:
    codes = [zlib.crc32(name.encode("utf-8", "surrogateescape")) for name in names]
    return np.array(codes, np.uint64) << np.uint64(16)


def _letter_places(folded: bytes) -> Places:
    """Return where a letter begins with which a group of letters of several bytes begins."""
    codes = np.frombuffer(folded, np.uint8)
    high = np.zeros(len(codes) + 1, np.int32)
    np.add.accumulate(codes >= 0x80, out=high[1:], dtype=np.int32)
    whole = high[_LETTERS_BYTES:] - high[:-_LETTERS_BYTES] == _LETTERS_BYTES
    return np.flatnonzero(whole & (codes[: len(whole)] >= 0xC0))


def _letters(folded: bytes, places: Places) -> Slots:
    """Return a slot for each group of letters."""
    hashes = _eights(folded)[places - (_WHOLE - _LETTERS_BYTES)]
    hashes >>= _BEFORE[_LETTERS_BYTES]
    hashes *= _MIX
    hashes >>= _WORD_SHIFT
    return hashes.view(np.int64)


def _gram_slots(disguised: Mapping[str, bytes]) -> NDArray[np.uint32]:
    folded = gram_text_of(disguised).lower()
    count = max(len(folded) - _GRAM_BYTES + 1, 0)
    # Four bytes from every place on, as one number each; nothing is copied.
    grams = np.ndarray(count, "<u4", folded, strides=(1,)) * _GRAM_MIX
    grams >>= _GRAM_SHIFT
    grams += np.uint32(WORD_SLOTS)
    return grams
