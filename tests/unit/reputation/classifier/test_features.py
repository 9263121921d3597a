from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.classifier.features import (
    MAX_BYTES,
    SLOTS,
    WORD_SLOTS,
    extract,
    gram_text_of,
    locate,
    locate_grams,
    text_of,
)

LENGTH_MIX, MIX = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
LETTERS = "".join(chr(code) for code in range(128) if chr(code).isalnum()) + "-_$%"


def plain_words(fields: dict[str, bytes]) -> set[int]:
    """Words as the docstring of the module has them, byte by byte."""
    hashes = []
    for name, value in fields.items():
        folded = "".join(char.lower() if char in LETTERS else " " for char in value.decode())
        for word in folded.encode().split():
            total = int.from_bytes(word[-8:], "little") + len(word) * LENGTH_MIX
            hashes.append((total + (zlib.crc32(name.encode()) << 16)) * MIX % 2**64)
    return {value >> 44 for value in hashes}


@given(
    st.dictionaries(
        st.sampled_from(["from", "subject", "(text)"]),
        st.text(st.characters(max_codepoint=127)).map(str.encode),
        min_size=1,
    )
)
def test_words_are_hashed_as_written(fields: dict[str, bytes]) -> None:
    features = extract(fields, {})

    assert set(features.slots.tolist()) == plain_words(fields)
    assert features.words == len(features.slots)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.binary(max_size=100))
def test_any_bytes_give_distinct_slots_in_order(values: list[bytes], disguised: bytes) -> None:
    fields = {str(number): value for number, value in enumerate(values)}

    slots, words = extract(fields, {"x": disguised})

    assert len(np.unique(slots)) == len(slots)
    assert np.all(slots[:words] < WORD_SLOTS)
    assert np.all((slots[words:] >= WORD_SLOTS) & (slots[words:] < SLOTS))


def test_same_word_in_another_field_is_another_feature() -> None:
    subject, text = (extract({name: b"pills"}, {}).slots for name in ("subject", "(text)"))

    assert subject != text


def test_case_and_punctuation_make_no_difference() -> None:
    shouted, quiet = extract({"x": b"CHEAP, Pills!"}, {}), extract({"x": b"cheap; pills?"}, {})

    assert shouted.slots.tolist() == quiet.slots.tolist()


def test_letters_without_spaces_are_found_in_the_middle_of_a_sentence() -> None:
    offer = extract({"x": "发票".encode()}, {}).slots
    sentence = extract({"x": "您好我公司可以代开发票谢谢".encode()}, {}).slots

    assert len(np.intersect1d(offer, sentence)) == 1


def test_disguised_words_share_n_grams() -> None:
    plain, disguised = (extract({}, {"x": text}) for text in (b"enlargement", b"enl4rgement"))

    assert len(np.intersect1d(plain.slots, disguised.slots)) == 4


def test_nothing_gives_nothing() -> None:
    assert len(extract({}, {}).slots) == 0
    assert len(extract({"x": b""}, {"x": b"", "y": b"ab"}).slots) == 0


def test_no_more_than_the_bound_is_read() -> None:
    bounded = extract({"x": b"a " * MAX_BYTES}, {"x": b"b" * 2 * MAX_BYTES})

    assert len(bounded.slots) == len(extract({"x": b"a a"}, {"x": b"bbbb"}).slots)


@pytest.mark.parametrize("count", [1, 60])
def test_fields_have_salts_whatever_their_number(count: int) -> None:
    fields = {f"x-{number}": b"same" for number in range(count)}

    assert set(extract(fields, {}).slots.tolist()) == plain_words(fields)


def test_long_words_differ_by_their_end_and_by_their_length() -> None:
    words = [b"unconditionally", b"conditionally", b"conditionalled", b"unconditionalls"]

    assert len({int(extract({"x": word}, {}).slots[0]) for word in words}) == len(words)


def test_located_words_are_where_they_say() -> None:
    fields = {"subject": b"You have WON", "(text)": b"a prize"}
    text, located = text_of(fields), locate(fields)

    shown = [text[start:end] for start, end in zip(located.starts, located.ends, strict=True)]

    assert shown == [b"You", b"have", b"WON", b"a", b"prize"]
    assert set(located.slots.tolist()) == set(extract(fields, {}).slots.tolist())


def test_located_letters_and_n_grams_are_where_they_say() -> None:
    fields = {"subject": "Re: 发票啊".encode()}

    letters, grams = locate(fields), locate_grams(fields)

    shown = [text_of(fields)[a:b] for a, b in zip(letters.starts, letters.ends, strict=True)]
    assert shown == [b"Re", *(one.encode() for one in ("发票啊", "发票", "票啊"))]
    assert [gram_text_of(fields)[a:b] for a, b in zip(grams.starts, grams.ends, strict=True)] == [
        fields["subject"][place : place + 4] for place in range(len(fields["subject"]) - 3)
    ]
    both = {*letters.slots.tolist(), *grams.slots.tolist()}
    assert both == set(extract(fields, fields).slots.tolist())
