"""The work of reading a sender's texts grows with their length, also far below their bounds.

Instructions of Python are counted, which no busy machine changes. What the compiled parts of the
library do for one of them is not seen here: `tests/fuzz/sender_texts.py` takes the time of it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from milter.auth.dkim import check_dkim
from milter.dns.fake import FakeResolver
from tests.support.sender_readers import PIECES, READERS, Reader, read

if TYPE_CHECKING:
    from types import FrameType

# Longer texts take long to count, and what grows faster than its length shows well below.
_LONGEST = 4_096
# From 1/8 to 1/4, and from there to 1/2: linear work grows by twice as much, quadratic by four
# times as much.
_GROWTH = 2.6
# Where a loop ends, the first use of something.
_SLACK = 600


def instructions(reader: Reader, piece: bytes, size: int) -> int:
    """Return how many instructions of Python reading takes."""
    counted = 0

    def count(frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal counted
        counted += 1
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        read(reader, piece, size)
    finally:
        sys.settrace(before)
    return counted


def quadratic(text: bytes) -> int:
    return sum(text[place:].count(b"a") for place in range(0, len(text), 8) for _ in text[place::8])


def grown(reader: Reader, piece: bytes) -> tuple[int, int]:
    """Return by how much the work grows from 1/8 of the bound to 1/4, and from there to 1/2."""
    bound = min(reader.bound, _LONGEST)
    eighth, quarter, half = (instructions(reader, piece, bound // part) for part in (8, 4, 2))
    return quarter - eighth, half - quarter


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_work_grows_with_the_length(reader: Reader) -> None:
    read(reader, b"a", 100)
    for piece in PIECES:
        first, second = grown(reader, piece)
        assert second <= _GROWTH * max(first, 0) + _SLACK, (reader.name, piece, first, second)


def choosing(text: bytes) -> None:
    many = range(len(text) // 16)
    fields = b"".join(b"DKIM-Signature: d=%x.example\r\n" % number for number in many)
    authors = [f"{number:x}.test" for number in many]
    asyncio.run(check_dkim(fields + b"\r\nx\r\n", FakeResolver({}), now=0, authors=authors))


def test_work_of_choosing_signatures_grows_with_their_number() -> None:
    first, second = grown(Reader("signatures-of-many-authors", choosing, _LONGEST), b"a")

    assert second <= _GROWTH * first + _SLACK


def test_what_grows_faster_is_found() -> None:
    first, second = grown(Reader("quadratic", quadratic, _LONGEST), b"a")

    assert second > _GROWTH * first + _SLACK
