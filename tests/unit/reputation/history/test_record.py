"""Records as bytes: the same again, bounded, and nothing but our own error from other bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.errors import StoreError
from reputation.history.record import MAX_BYTES, Found, Plain, Record, packed, unpacked

TEXT = st.text(st.characters(codec=None), max_size=30)
PLAIN: st.SearchStrategy[Plain] = st.recursive(
    st.one_of(TEXT, st.integers(-(2**63), 2**63), st.booleans(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, PLAIN, max_size=5), TEXT, st.floats(allow_nan=False))
def test_any_record_is_the_same_again(facts: dict[str, Plain], text: str, score: float) -> None:
    record = Record("T", 1.0, facts=facts, subject=text, found=[Found(text, text, {text: text})])

    assert unpacked(packed(record)) == record


@given(st.binary(max_size=200))
def test_other_bytes_are_a_store_error(data: bytes) -> None:
    for some in (data, b"\x01" + data):
        with pytest.raises(StoreError):
            unpacked(some)


@given(st.data())
def test_record_with_bytes_changed_is_a_record_or_a_store_error(data: st.DataObject) -> None:
    urls: list[Plain] = ["a"] * 50
    raw = bytearray(packed(Record("T", 1.0, facts={"urls": urls})))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    with suppress(StoreError):
        assert isinstance(unpacked(bytes(raw)), Record)


def test_record_that_is_too_large_loses_facts_and_says_which() -> None:
    urls: list[Plain] = [f"https://{number}.example/{'x' * 300}" for number in range(1000)]
    record = Record("T", 1.0, facts={"urls": urls, "helo": "mx.example"})

    found = unpacked(packed(record))

    assert found.facts == {"helo": "mx.example"}
    assert found.cut == ["urls"]


def test_record_of_endless_evidence_is_readable_again() -> None:
    found = [Found(f"S{n}", "\ud83d" * 500, {"x": "\ud83d" * 5000}) for n in range(500)]

    small = unpacked(packed(Record("T", 1.0, found=found, action="reject")))

    assert small.action == "reject"
    assert small.cut == ["found"]
    assert len(packed(small)) < MAX_BYTES
