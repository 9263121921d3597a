from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.message.lines import with_crlf

_BLOCK = 1 << 20
_PIECES = st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r", b""])).map(b"".join)


# The second part makes the data long enough for the other way of looking.
@given(_PIECES, st.sampled_from([b"", b"x" * 5000, b"x\r\n" * 2000]), _PIECES)
def test_with_crlf_ends_every_line_in_crlf_and_changes_no_character(
    before: bytes, filling: bytes, after: bytes
) -> None:
    data = before + filling + after
    whole = with_crlf(data)
    assert whole.count(b"\n") == whole.count(b"\r\n")
    assert whole.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")
    assert with_crlf(whole) is whole


@pytest.mark.parametrize("at", [0, _BLOCK - 1, _BLOCK, _BLOCK + 1, 2 * _BLOCK - 1, 2 * _BLOCK])
def test_with_crlf_finds_an_lf_wherever_it_stands_in_a_large_message(at: int) -> None:
    data = b"x" * at + b"\n" + b"x" * (2 * _BLOCK - at)
    assert with_crlf(data) == b"x" * at + b"\r\n" + b"x" * (2 * _BLOCK - at)


def test_with_crlf_takes_a_line_end_across_two_blocks_for_one() -> None:
    data = b"x" * (_BLOCK - 1) + b"\r\n" + b"x" * 5000
    assert with_crlf(data) is data
