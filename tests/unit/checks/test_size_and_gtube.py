from __future__ import annotations

import base64

import pytest

from milter.checks.gtube import GTUBE, GtubeCheck
from milter.checks.size import SizeCheck
from tests.support.checks import looked, symbols_of


@pytest.mark.parametrize(
    ("raw", "symbols"),
    [
        (b"A: 1\r\n\r\nx", []),
        (b"A: 1\r\n\r\n", ["EMPTY_MESSAGE"]),
        (b"A: 1\r\n", ["EMPTY_MESSAGE"]),
        (b"A: 1\r\n\r\n \r\n\t\r\n", ["EMPTY_MESSAGE"]),
    ],
)
def test_size_is_counted_and_nothing_but_space_is_empty(raw: bytes, symbols: list[str]) -> None:
    evidence = looked(SizeCheck(), raw)
    assert symbols_of(evidence) == symbols
    assert evidence.facts == {"size_bytes": len(raw)}


def test_gtube_is_the_string_of_68_characters() -> None:
    assert len(GTUBE) == 68
    assert (GTUBE[:4], GTUBE[-5:]) == ("XJS*", "C.34X")


@pytest.mark.parametrize(
    ("raw", "symbols"),
    [
        pytest.param(b"A: 1\r\n\r\n" + GTUBE.encode() + b"\r\n", ["GTUBE"], id="plain"),
        pytest.param(
            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(GTUBE.encode()),
            ["GTUBE"],
            id="in-base64",
        ),
        pytest.param(b"Subject: " + GTUBE.encode() + b"\r\n\r\nx", [], id="in-the-header"),
        pytest.param(b"A: 1\r\n\r\n" + GTUBE[:-1].encode(), [], id="one-character-short"),
    ],
)
def test_gtube_is_found_in_the_body(raw: bytes, symbols: list[str]) -> None:
    assert symbols_of(looked(GtubeCheck(), raw)) == symbols
