"""Mistakes put into bytes: what fuzzing feeds to the readers of what peers publish and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_MOST_CHANGES = 6
_MOST_REPEATS = 400


def mutated(text: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Return `text` with one to six changes, some of them with pieces of `others`."""
    for _ in range(random.randint(1, _MOST_CHANGES)):
        text = random.choice(_CHANGES)(text, others, random)
    return text


def _span(text: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(text))
    return start, min(len(text), start + random.randint(0, 12))


def _cut(text: bytes, _others: Sequence[bytes], random: Random) -> bytes:
    start, end = _span(text, random)
    return text[:start] + text[end:]


def _put(text: bytes, others: Sequence[bytes], random: Random) -> bytes:
    start, end = _span(text, random)
    other = random.choice(others)
    first, last = _span(other, random)
    return text[:start] + other[first:last] + text[end:]


def _noise(text: bytes, _others: Sequence[bytes], random: Random) -> bytes:
    start, end = _span(text, random)
    return text[:start] + random.randbytes(end - start) + text[end:]


def _mark(text: bytes, _others: Sequence[bytes], random: Random) -> bytes:
    start, _ = _span(text, random)
    return text[:start] + random.choice(b'()[]"\\%{};:=/.@ \t\r\n-').to_bytes() + text[start:]


def _repeat(text: bytes, _others: Sequence[bytes], random: Random) -> bytes:
    start, end = _span(text, random)
    return text[:end] + text[start:end] * random.randint(1, _MOST_REPEATS) + text[end:]


_CHANGES = (_cut, _put, _noise, _mark, _mark, _repeat)
