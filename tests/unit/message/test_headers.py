from __future__ import annotations

import pytest

from milter.message.guard import DEFAULT_BOUNDS, Bounds, Fault, Notes
from milter.message.headers import HeaderBlock, split_header, unfolded


def block_of(raw: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> tuple[HeaderBlock, set[Fault]]:
    notes = Notes()
    block = split_header(raw, 0, len(raw), notes, bounds)
    return block, {defect.fault for defect in notes.defects}


def test_split_header_offsets_cover_each_field_with_its_folding() -> None:
    raw = b"From: a@example.org\r\nSubject: one\r\n two\r\n\r\nbody\r\n"
    block, faults = block_of(raw)
    assert [raw[f.start : f.end] for f in block.fields] == [
        b"From: a@example.org\r\n",
        b"Subject: one\r\n two\r\n",
    ]
    assert [f.name for f in block.fields] == ["from", "subject"]
    assert raw[block.body_start :] == b"body\r\n"
    assert not faults


def test_unfolded_removes_line_breaks_and_keeps_the_space_after_them() -> None:
    raw = b"Subject: one\r\n\ttwo\n three \r\n\r\n"
    block, _ = block_of(raw)
    assert unfolded(raw, block.fields[0]) == b"one\ttwo three"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        pytest.param(b"A: 1\n\nx", b"x", id="bare-line-feeds"),
        pytest.param(b"\r\nx", b"x", id="no-header-at-all"),
        pytest.param(b"A: 1\r\n", b"", id="no-body"),
        pytest.param(b"A: 1", b"", id="no-line-end"),
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"A: 1\r\n \r\n\r\nx", b"x", id="line-of-space-continues-the-field"),
        pytest.param(b"From x Thu\nA: 1\n\nx", b"x", id="mbox-line-is-skipped"),
    ],
)
def test_split_header_finds_where_the_body_begins(raw: bytes, body: bytes) -> None:
    block, faults = block_of(raw)
    assert raw[block.body_start :] == body
    assert not faults


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"no colon here", id="words"),
        pytest.param(b": no name", id="no-name"),
        pytest.param(b"N\xc3\xa4me: 8 bit", id="8-bit-name"),
        pytest.param(b"two words: x", id="space-in-name"),
    ],
)
def test_split_header_at_a_line_that_is_no_field_begins_the_body(line: bytes) -> None:
    raw = b"A: 1\r\n" + line + b"\r\nB: 2\r\n\r\nbody"
    block, faults = block_of(raw)
    assert raw[block.body_start :].startswith(line)
    assert [f.name for f in block.fields] == ["a"]
    assert faults == {Fault.HEADER}


def test_split_header_space_before_the_colon_is_allowed() -> None:
    raw = b"Subject \t: x\r\n\r\n"
    block, faults = block_of(raw)
    assert (block.fields[0].name, unfolded(raw, block.fields[0])) == ("subject", b"x")
    assert not faults


def test_split_header_from_with_space_before_the_colon_is_no_mailbox_line() -> None:
    raw = b"From : a@example.org\r\n\r\n"
    block, _ = block_of(raw)
    assert [field.name for field in block.fields] == ["from"]


def test_split_header_past_the_field_bound_still_finds_the_body() -> None:
    raw = b"A: 1\r\n" * 5 + b"\r\nbody"
    block, faults = block_of(raw, Bounds(header_fields=3))
    assert len(block.fields) == 3
    assert raw[block.body_start :] == b"body"
    assert faults == {Fault.LIMIT}


def test_split_header_past_the_byte_bound_leaves_the_cut_field_out() -> None:
    raw = b"A: 1\r\nB: " + b"x" * 100 + b"\r\nC: 3\r\n\r\nbody"
    block, faults = block_of(raw, Bounds(header_bytes=40))
    assert [f.name for f in block.fields] == ["a"]
    assert raw[block.body_start :] == b"body"
    assert faults == {Fault.LIMIT}
