from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.message.text.forms import ALONE, UNSEEN, folded

_ALONE = [sign for sign in map(chr, range(0x80, 0x1FB00)) if re.match(f"[{ALONE}]", sign)]
# What is forced to run backwards is turned round, too, which no definition knows.
_SIGNS = [sign for sign in _ALONE if sign != "\u202e"]


def as_defined(text: str) -> str:
    text = re.sub("[\x00-\x08\x0e-\x1f\x7f]", "", text)
    text = unicodedata.normalize("NFKC", UNSEEN.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("V1Agra Credit", "v1agra credit", id="ascii"),
        pytest.param("Ｃredit кpeдит\u200b é", "credit кpeдит é", id="signs-and-scripts-stay"),
        pytest.param("“Größe”\u00a0Nº½ ™", "“grösse” no1\u20442 tm", id="signs-one-by-one"),
        pytest.param("e\u0301 É", "é é", id="marks-that-combine"),
        pytest.param("ﷺ", "صلى الله عليه وسلم", id="words-in-one-sign"),
        pytest.param("V1\x01A\x1cg\x7fra\r\n\t", "v1agra\r\n\t", id="controls"),
        pytest.param("V\x01i\x82a\ufffcg\U0001d173r\x85a", "viagra", id="controls-beyond-ascii"),
    ],
)
def test_folded_is_one_form_for_each_letter(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_heap_of_signs_that_stand_for_sentences_does_not_grow() -> None:
    assert folded("ﷺ " * 1_000).count("صلى") == 1_000
    assert folded("ﷺ" * 700 + "ﷻ" * 700 + "Я") == "я"


def test_signs_that_are_exchanged_by_themselves_combine_with_nothing() -> None:
    forms = {as_defined(sign) for sign in _ALONE} - {""}
    letters = {form[0] for form in forms} | {form[-1] for form in forms}

    assert not [letter for letter in letters if as_defined(letter) != letter]
    assert not any(unicodedata.combining(form[0]) for form in forms)
    # Whatever a letter composes with is in the canonical decomposition of some character.
    seconds = {
        parts[1]
        for parts in (unicodedata.decomposition(chr(code)).split() for code in range(0x110000))
        if len(parts) == 2 and not parts[0].startswith("<")
    }
    assert not [form for form in forms if f"{ord(form[0]):04X}" in seconds]


@given(st.text(st.sampled_from([*_SIGNS, *map(chr, range(0x80)), "\u0301", "я"])))
def test_folded_is_the_same_sign_by_sign_and_as_a_whole(text: str) -> None:
    assert folded(text) == as_defined(text)
