"""Compressed bodies, in pieces of any size, right and wrong."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from milter.core.errors import ParseError
from milter.doors.compression import decoder_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = b"Subject: x\r\n\r\n" + b"hello " * 50_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
PACKED = {name: pack(BODY) for name, pack in PACKERS.items()}


def _plain(name: str, data: bytes, step: int) -> bytes:
    decoder = decoder_of(name)
    pieces = [
        piece for i in range(0, len(data), step) for piece in decoder.feed(data[i : i + step])
    ]
    decoder.end()
    assert max(map(len, pieces)) <= 65_536
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1, 7, 1000, 10**9])
@pytest.mark.parametrize("name", PACKED)
def test_compressed_body_is_made_plain_however_it_comes(name: str, step: int) -> None:
    assert _plain(name, PACKED[name], step) == BODY


def test_name_of_the_coding_is_read_in_any_case() -> None:
    assert _plain(" GZip ", PACKED["gzip"], 10**9) == BODY


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda data: data[:-5], "ends too early", id="cut"),
        pytest.param(lambda data: data + b"x", "something follows", id="more"),
        pytest.param(lambda data: b"Subject: x\r\n" + data, "is no", id="not-compressed"),
    ],
)
def test_compressed_body_that_is_wrong_is_told_so(
    name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    with pytest.raises(ParseError, match=words):
        _plain(name, change(PACKED[name]), 1000)


def test_unknown_coding_is_told_so() -> None:
    with pytest.raises(ParseError, match="'br' is not understood"):
        decoder_of("br")


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_comes_in_pieces(name: str) -> None:
    pieces = decoder_of(name).feed(PACKERS[name](bytes(50_000_000)))
    assert [len(next(pieces)) <= 65_536 for _ in range(3)] == [True] * 3
