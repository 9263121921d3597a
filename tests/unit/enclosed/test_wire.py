"""Answers of a process that may have been taken over by a file."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.enclosed.wire import (
    LENGTH,
    MAX_ADDRESS,
    MAX_ADDRESSES,
    MAX_ANSWER,
    MAX_TEXT,
    format_answer,
    parse_answer,
)


def test_answer_is_read_as_it_was_written() -> None:
    frame = format_answer("words ü", ["https://a.example"], ["code"], "")
    assert LENGTH.unpack(frame[:4]) == (len(frame) - 4,)
    assert parse_answer(frame[4:]) == ("words ü", ["https://a.example"], ["code"], "")


def test_answer_is_cut_on_both_sides() -> None:
    long = "x" * (MAX_TEXT + 1)
    frame = format_answer(long, [long] * 300, [], "")
    assert len(frame) < MAX_ANSWER
    value = {"text": long, "links": [long] * 300, "codes": [], "trouble": long}
    text, links, _, trouble = parse_answer(json.dumps(value).encode())
    assert (len(text), len(links), len(links[0])) == (MAX_TEXT, MAX_ADDRESSES, MAX_ADDRESS)
    assert len(trouble) == 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"text": 1}',
        b'{"text":"","links":[1],"codes":[],"trouble":""}',
        b"\xff",
    ],
)
def test_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_answer(body)


@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps({"text": text}).encode()))
def test_answer_of_any_bytes_raises_nothing_else(body: bytes) -> None:
    with suppress(ValueError):
        parse_answer(body)


def test_halves_of_characters_are_made_whole() -> None:
    value = {"text": "a\ud800b", "links": [], "codes": [], "trouble": ""}
    text, *_ = parse_answer(json.dumps(value).encode())
    assert text.encode() == b"a?b"
