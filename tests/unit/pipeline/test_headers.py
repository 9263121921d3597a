"""Header fields of ours are safe whatever a peer put into their values."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header

from hypothesis import given
from hypothesis import strategies as st

from milter.core.connection import Direction
from milter.message.document import Message
from milter.pipeline.headers import (
    encode_words,
    format_field,
    format_list,
    named_fields,
    own_names,
)


@given(st.text(max_size=3000))
def test_format_field_is_one_field_of_short_lines_whatever_the_value(value: str) -> None:
    field = format_field("X-Gatepost-Reason", value)
    assert field.isascii()
    assert field.endswith(b"\r\n")
    assert re.fullmatch(rb"X-Gatepost-Reason:(?:[ -~]*(?:\r\n[ ][ -~]+)*)\r\n", field)
    assert max(len(line) for line in field.split(b"\r\n")) <= 998
    assert b"=?" not in field


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)))
def test_format_field_unfolded_is_the_value(words: list[str]) -> None:
    value = " ".join(words).replace("=?", "")
    field = format_field("X-Test", value)
    unfolded = field.replace(b"\r\n ", b"").partition(b":")[2].decode().split()
    assert "".join(unfolded) == value.replace(" ", "")


def test_format_field_folds_after_commas_and_spaces() -> None:
    tests = ",".join(f"SYMBOL_NUMBER_{i}" for i in range(10))
    lines = format_field("X-Spam-Status", f"Yes, score=7.3 tests={tests}").split(b"\r\n")
    assert len(lines) > 3
    assert all(len(line) <= 80 for line in lines)
    assert all(line.endswith(b",") for line in lines[:-2])


def test_format_field_a_line_break_in_the_value_makes_no_field() -> None:
    field = format_field("X-Gatepost-Reason", "helo evil\r\nX-Spam-Flag: NO\r\n\r\nbody")
    assert message_from_bytes(field + b"\r\n").keys() == ["X-Gatepost-Reason"]


def test_format_field_without_a_value_is_a_name() -> None:
    assert format_field("X-Spam-Level", "") == b"X-Spam-Level:\r\n"


@given(st.lists(st.text(st.characters(min_codepoint=33, exclude_characters=","), min_size=1)))
def test_format_list_is_short_fields_with_every_value(values: list[str]) -> None:
    written = format_list("X-Test", values * 9)
    fields = message_from_bytes(written + b"\r\n").items()
    assert all(len(value) < 9000 for _, value in fields)
    found = [one for _, value in fields for one in "".join(value.split()).split(",")]
    assert len(found) == max(1, len(values) * 9)


def test_format_list_without_values_is_a_name() -> None:
    assert format_list("X-Test", []) == b"X-Test:\r\n"


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=100))
def test_encode_words_is_read_back(text: str) -> None:
    encoded = encode_words(text)
    if text.isascii():
        assert encoded == text.encode()
        return
    assert all(len(word) <= 75 for word in encoded.split())
    assert str(make_header(decode_header(encoded.decode()))) == text


def test_named_fields_finds_those_past_the_bounds_of_the_reader() -> None:
    names = own_names(Direction.INBOUND)
    raw = b"A: 1\r\n" * 1500 + b"x-spam-FLAG : NO\r\n\tstill\r\nB: 2\r\n\r\nX-Spam-Flag: body\r\n"
    found = [raw[field.start : field.end] for field in named_fields(Message(raw), names)]
    assert found == [b"x-spam-FLAG : NO\r\n\tstill\r\n"]


def test_named_fields_past_the_bounds_are_found_wherever_they_stand() -> None:
    ours = b"X-Spam-Flag: NO\r\n" + b"\tand more\r\n" * 9000
    raw = b"A: 1\r\n" * 1500
    for filler in range(60_000, 130_000, 1999):
        raw += b"B: " + b"x" * (filler % 997) + b"\r\n" + b"C: 3\r\n" * (filler // 100) + ours
    raw += b"\r\n" + ours
    found = named_fields(Message(raw), own_names(Direction.INBOUND))
    assert len(found) == 36
    assert {raw[field.start : field.end] for field in found} == {ours}
    assert {raw[field.value_start :][:3] for field in found} == {b" NO"}


def test_named_fields_finds_those_behind_one_huge_field() -> None:
    raw = b"A: " + b"x" * 300_000 + b"\r\nX-Gatepost-Id: FORGED\r\n\r\nbody\r\n"
    fields = named_fields(Message(raw), own_names(Direction.INBOUND))
    assert [raw[field.value_start : field.end] for field in fields] == [b" FORGED\r\n"]


def test_own_names_outbound_keep_what_says_nothing_there() -> None:
    assert "x-spam-flag" not in own_names(Direction.OUTBOUND)
    assert "x-gatepost-recipients" in own_names(Direction.OUTBOUND)
    assert own_names(Direction.INTERNAL) == own_names(Direction.INBOUND)
