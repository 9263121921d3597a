"""Splitting and canonicalizing, next to dkimpy's own."""

import hashlib
import importlib.util
import re
import tracemalloc
from itertools import pairwise
from typing import Any

import dkim
import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from milter.auth.dkim.body import canonical_body, hash_body
from milter.auth.dkim.fields import MAX_FIELDS, MAX_HEADER, split_message
from milter.auth.dkim.header import SIGNATURE_VALUE
from milter.auth.dkim.key import read_key
from milter.auth.dkim.result import Refusal
from milter.core.errors import ParseError
from milter.dns.resolver import Answer, Outcome

# Everything that the rules look at, often beside each other.
LINES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"\n", b"\r", b"a", b"bc", b"\r\n\r\n", b"  \t"]),
    max_size=40,
).map(b"".join)
HEADERS = st.lists(
    st.sampled_from(
        [
            b"From: a",
            b"Subject",
            b":",
            b" ",
            b"\t",
            b"\r\n",
            b"\n",
            b"\r",
            b"From me",
            b"::",
            b"x\xff",
        ]
    ),
    max_size=25,
).map(b"".join)


@given(LINES, st.integers(1, 9))
def test_canonical_body_equals_that_of_dkimpy(body: bytes, chunk_bytes: int) -> None:
    _, normal = dkim.rfc822_parse(b"A: b\r\n\r\n" + body)
    for relaxed, theirs in ((False, Simple), (True, Relaxed)):
        ours = canonical_body(body, 0, relaxed=relaxed, chunk_bytes=chunk_bytes)
        assert b"".join(ours) == theirs.canonicalize_body(normal)


@given(LINES, st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=4))
def test_hash_body_is_that_of_the_first_octets(body: bytes, lengths: list[int | None]) -> None:
    canonical = b"".join(canonical_body(body, 0, relaxed=True))
    outcomes = hash_body(body, 0, relaxed=True, lengths=lengths)
    assert outcomes.keys() == {*lengths}
    for length, outcome in outcomes.items():
        assert outcome.digest == hashlib.sha256(canonical[:length]).digest()
        assert outcome.size == len(canonical)


@pytest.mark.parametrize("length", [262_143, 262_144, 600_000, 899_999, 900_000, 900_001])
def test_hash_body_is_cut_at_any_octet_of_a_large_body(length: int) -> None:
    body = b"some octets\r\n" * 69_230 + b"12345678\r\n"
    canonical = b"".join(canonical_body(body, 0, relaxed=False))
    assert len(canonical) == 900_000
    outcomes = hash_body(body, 0, relaxed=False, lengths=[length, None, 1])
    assert outcomes[length].digest == hashlib.sha256(canonical[:length]).digest()
    assert outcomes[None].digest == hashlib.sha256(canonical).digest()
    assert outcomes[1].digest == hashlib.sha256(b"s").digest()


def test_canonical_body_pieces_are_bounded() -> None:
    body = b"some words of text\r\n" * 100_000
    pieces = [*canonical_body(body, 0, relaxed=True)]
    assert max(map(len, pieces)) < 300_000


@pytest.mark.parametrize(
    "body",
    [
        b" " * 2_000_000,
        b" \r\n" * 500_000,
        b"\t\r" * 500_000,
        b"\r\n" * 1_000_000,
        b"x \t" * 500_000,
    ],
    ids=["blanks", "blank-lines", "bare-cr", "empty-lines", "words"],
)
def test_hash_body_bomb_is_hashed_in_linear_time(body: bytes) -> None:
    # dkimpy's pattern would run into the time limit of the suite on the first of these.
    assert hash_body(body, 0, relaxed=True, lengths=[None])[None].size <= len(body) + 2


@given(HEADERS, LINES)
def test_split_message_equals_that_of_dkimpy(header: bytes, body: bytes) -> None:
    message = header + b"\r\n\r\n" + body
    # In these we differ on purpose: see the head of `fields`, and the tests of check_dkim.
    assume(re.search(rb"[\w:][ \t]+:|^From me|^:", header, re.MULTILINE) is None)
    try:
        fields, text = dkim.rfc822_parse(message)
    except (dkim.MessageFormatError, IndexError):
        with pytest.raises(ParseError):
            split_message(message)
        return
    ours, start = split_message(message)
    assert ours == [tuple(field) for field in fields]
    assert b"".join(canonical_body(message, start, relaxed=False)) == Simple.canonicalize_body(text)


@pytest.mark.parametrize(
    "message",
    [b"", b"\r\n", b"\n", b"A: b", b"A: b\r\n", b"A: b\n\nc", b"\r\nbody", b"A: b\r\n c\r\n"],
)
def test_split_message_at_its_ends_equals_that_of_dkimpy(message: bytes) -> None:
    fields, text = dkim.rfc822_parse(message)
    ours, start = split_message(message)
    assert ours == [tuple(field) for field in fields]
    assert message[start:] == text


def test_split_message_header_of_the_largest_size_is_read() -> None:
    line = b"A: " + b"x" * 995 + b"\r\n"
    header = (line * 263)[: MAX_HEADER - 2] + b"\r\n"
    assert len(split_message(header + b"\r\nbody")[0]) == 263
    with pytest.raises(ParseError, match="too large"):
        split_message(b"B: c\r\n" + header + b"\r\nbody")


def test_split_message_more_fields_than_any_real_header_are_refused() -> None:
    with pytest.raises(ParseError, match="too many"):
        split_message(b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n")


def test_split_message_field_of_many_lines_is_joined() -> None:
    fields, _ = split_message(b"A: b\r\n" + b" c\r\n" * 50_000 + b"\r\n")
    assert len(fields) == 1
    lines = fields[0][1].split(b"\r\n")
    assert all(one == two for one, two in pairwise(lines[1:-1]))


TAGS = st.lists(
    st.sampled_from(
        [b"b", b"=", b";", b" ", b"\t", b"\r\n", b"\n", b"\r", b"aZ9+/", b"bh", b"\xff"]
    ),
    max_size=40,
).map(b"".join)


@pytest.fixture(scope="module")
def plain_dkimpy() -> Any:
    """Return dkimpy as it comes, whatever was put into the one that is used."""
    spec = importlib.util.find_spec("dkim")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=500)
@given(TAGS)
def test_signature_value_matches_what_dkimpy_leaves_out(plain_dkimpy: Any, field: bytes) -> None:
    assert plain_dkimpy.RE_BTAG is not SIGNATURE_VALUE
    # Its pattern misses a value at the very beginning.
    field = b" " + field
    expected = plain_dkimpy.RE_BTAG.sub(b"\\1", field)
    assert SIGNATURE_VALUE.sub(b"\\1", field) == expected


@pytest.mark.parametrize(
    "field",
    [b" b= " + b" b=\t" * 200_000 + b"!", b";b" + b" " * 800_000, b" b" * 400_000],
    ids=["tags", "blanks", "names"],
)
def test_signature_value_of_a_bomb_is_left_out_in_linear_time(field: bytes) -> None:
    assert len(SIGNATURE_VALUE.sub(b"\\1", field)) <= len(field)


def test_long_key_records_take_no_memory_when_they_are_refused() -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            record = (b"v=DKIM1; n=%d; p=" % number, *[b"A" * 255] * 200)
            said = read_key(Answer(Outcome.ANSWER, (record,)), "rsa-sha256")
            assert said == Refusal("the key record is too long")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One of them has 50 KB.
    assert kept < 500_000
