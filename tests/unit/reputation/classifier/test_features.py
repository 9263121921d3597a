from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.classifier.features import MAX_BYTES, SLOTS, WORD_SLOTS, extract, locate, text_of

BASE, MIX = 0x01000193, 2654435761
LETTERS = "".join(chr(code) for code in range(128) if chr(code).isalnum()) + "-_$%"


def plain_words(fields: dict[str, bytes]) -> set[int]:
    """Words as the docstring of the module has them, byte by byte."""
    hashes = []
    for name, value in fields.items():
        folded = "".join(
            char.lower() if char in LETTERS or ord(char) >= 128 else " "
            for char in value.decode("latin-1").translate({c: c for c in range(256)})
        )
        for word in folded.split(" "):
            if word:
                total = sum(
                    ord(c if ord(c) >= 128 else c.lower()) * pow(BASE, place, 2**32)
                    for place, c in enumerate(word)
                )
                hashes.append((total + zlib.crc32(name.encode())) * MIX % 2**32)
    return {value >> 12 for value in hashes}


@given(
    st.dictionaries(
        st.sampled_from(["from", "subject", "(text)"]),
        st.text(st.characters(max_codepoint=127)).map(str.encode),
        min_size=1,
    )
)
def test_words_are_hashed_as_written(fields: dict[str, bytes]) -> None:
    features = extract(fields, [])

    assert set(features.slots.tolist()) == plain_words(fields)
    assert features.words == len(features.slots)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.binary(max_size=100))
def test_any_bytes_give_distinct_slots_in_order(values: list[bytes], disguised: bytes) -> None:
    fields = {str(number): value for number, value in enumerate(values)}

    slots, words = extract(fields, [disguised])

    assert len(np.unique(slots)) == len(slots)
    assert np.all(slots[:words] < WORD_SLOTS)
    assert np.all((slots[words:] >= WORD_SLOTS) & (slots[words:] < SLOTS))


def test_same_word_in_another_field_is_another_feature() -> None:
    subject, text = (extract({name: b"pills"}, []).slots for name in ("subject", "(text)"))

    assert subject != text


def test_case_and_punctuation_make_no_difference() -> None:
    shouted, quiet = extract({"x": b"CHEAP, Pills!"}, []), extract({"x": b"cheap; pills?"}, [])

    assert shouted.slots.tolist() == quiet.slots.tolist()


def test_letters_without_spaces_are_found_in_the_middle_of_a_sentence() -> None:
    offer = extract({"x": "发票".encode()}, []).slots
    sentence = extract({"x": "您好我公司可以代开发票谢谢".encode()}, []).slots

    assert len(np.intersect1d(offer, sentence)) == 1


def test_disguised_words_share_n_grams() -> None:
    plain, disguised = (extract({}, [text]) for text in (b"enlargement", b"enl4rgement"))

    assert len(np.intersect1d(plain.slots, disguised.slots)) == 4


def test_nothing_gives_nothing() -> None:
    assert len(extract({}, []).slots) == 0
    assert len(extract({"x": b""}, [b"", b"ab"]).slots) == 0


def test_no_more_than_the_bound_is_read() -> None:
    bounded = extract({"x": b"a " * MAX_BYTES}, [b"b" * 2 * MAX_BYTES])

    assert len(bounded.slots) == len(extract({"x": b"a a"}, [b"bbbb"]).slots)


@pytest.mark.parametrize("count", [1, 60])
def test_fields_have_salts_whatever_their_number(count: int) -> None:
    fields = {f"x-{number}": b"same" for number in range(count)}

    assert set(extract(fields, []).slots.tolist()) == plain_words(fields)


def test_located_words_are_where_they_say() -> None:
    fields = {"subject": b"You have WON", "(text)": b"a prize"}
    text, located = text_of(fields), locate(fields)

    shown = [text[start:end] for start, end in zip(located.starts, located.ends, strict=True)]

    assert shown == [b"You", b"have", b"WON", b"a", b"prize"]
    assert set(located.slots.tolist()) == set(extract(fields, []).slots.tolist())
