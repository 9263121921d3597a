"""Ids as people copy and type them."""

from __future__ import annotations

import os

import pytest

from milter.core.ids import new_id, read_id


def test_every_id_is_read_as_it_is() -> None:
    for _ in range(100):
        one = new_id(os.urandom)
        assert read_id(one) == one


@pytest.mark.parametrize(
    "text",
    [
        "7ZZ0AAAAAA01",
        "7zz0aaaaaa01",
        "(7ZZ0AAAAAA01)",
        "7ZZOAAAAAAOL",
        "7zzoAAAAAA0i",
        "<7ZZ0AAAAAA01>.",
    ],
)
def test_what_looks_alike_is_one(text: str) -> None:
    assert read_id(text) == "7ZZ0AAAAAA01"


@pytest.mark.parametrize("text", ["", "7ZZ0AAAAAA0", "7ZZ0AAAAAA011", "7ZZ0AAAAAA0U", "mail.eml"])
def test_what_is_none_is_not_read(text: str) -> None:
    assert read_id(text) == ""
