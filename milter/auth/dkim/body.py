"""The hash of a body (RFC 6376 §3.4.3, §3.4.4, §3.7), in chunks, without splitting it into lines.

The canonical forms equal those of `dkim.canonicalization`, octet for octet. That one looks at each
run of blanks with a backtracking pattern, which takes quadratic time on a long run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.message.lines import with_crlf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Between two chunks another thread may run; a chunk ends with a line, so nothing straddles two.
CHUNK_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class BodyHash:
    """What was hashed.

    Attributes:
        digest: SHA-256 of the canonical body, or of its first octets where l= said how many.
        size: Octets of the whole canonical body.
    """

    digest: bytes
    size: int


def hash_body(
    message: bytes, start: int, *, relaxed: bool, lengths: Iterable[int | None]
) -> dict[int | None, BodyHash]:
    """Return the hash of the body that begins at `start`, by where it is cut; None: nowhere.

    All are taken on one way through the body: ten signatures with an l= of their own each must not
    cost ten.
    """
    wanted = frozenset(lengths)
    cuts = sorted((length for length in wanted if length is not None), reverse=True)
    digests: dict[int | None, bytes] = {}
    hasher = hashlib.sha256()
    size = 0
    for piece in canonical_body(message, start, relaxed=relaxed):
        while cuts and cuts[-1] <= size + len(piece):
            length = cuts.pop()
            cut = hasher.copy()
            cut.update(piece[: length - size])
            digests[length] = cut.digest()
        hasher.update(piece)
        size += len(piece)
    whole = hasher.digest()
    return {length: BodyHash(digests.get(length, whole), size) for length in wanted}


def canonical_body(
    message: bytes, start: int, *, relaxed: bool, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Yield the canonical form of the body that begins at `start`, in pieces of whole lines."""
    blank_lines = 0
    anything = False
    for chunk in _chunks(message, start, chunk_bytes):
        text = with_crlf(chunk)
        if relaxed:
            text = _compressed(text)
        end, blanks = _without_blank_end(text)
        if end:
            anything = True
            # The end of the line before counts as the first of the blank lines.
            yield b"\r\n" * blank_lines + text[:end]
            blank_lines = blanks
        else:
            blank_lines += blanks
    # RFC 6376 §3.4.3: an empty body is CRLF in the simple form; §3.4.4: nothing in the relaxed one.
    if anything or not relaxed:
        yield b"\r\n"


def _chunks(message: bytes, start: int, chunk_bytes: int) -> Iterator[bytes]:
    while start < len(message):
        end = message.find(b"\n", start + chunk_bytes) + 1
        yield message[start : end or len(message)]
        start = end or len(message)


def _compressed(text: bytes) -> bytes:
    """Return `text` with runs of blanks made one space, and none before the end of a line."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    # Each round halves the runs.
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text.replace(b" \r\n", b"\r\n")


def _without_blank_end(text: bytes) -> tuple[int, int]:
    """Return where `text` ends but for its closing line ends, and how many those are."""
    tail = text[len(text.rstrip(b"\r\n")) :]
    # A bare CR is text. Pairs made one octet, what is left of CR is bare.
    pairs = tail.replace(b"\r\n", b"\n")
    count = len(pairs) - len(pairs.rstrip(b"\n"))
    return len(text) - 2 * count, count
