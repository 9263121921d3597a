from __future__ import annotations

import pytest

from milter.auth.spf.macros import parse_explanation, parse_macros, shortened_name
from milter.dns.names import canonical_name

VALUES = {"s": "a.b!c@dom.example", "l": "a.b!c", "d": "dom.example", "h": "h.example"}


@pytest.mark.parametrize("letter", ["s", "S", "l", "d", "D2r", "h"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 60])
@pytest.mark.parametrize("end", ["", ".", ".x", ".x.", "x" * 260, "." + "x" * 63 + "."])
def test_name_is_that_of_all_of_the_text(letter: str, count: int, end: str) -> None:
    text = parse_macros(f".%{{{letter}}}" * count + end)

    names = [canonical_name(shortened_name(text.expand(VALUES, most))) for most in (255, 100_000)]

    assert text.expand(VALUES) == text.expand(VALUES, 255)
    assert names[0] == names[1]


def test_no_more_is_filled_in_than_shows_that_a_text_is_too_long() -> None:
    text = parse_explanation("%{l}" * 16_000)
    assert len(text.expand({"l": "!" * 256}, 480)) == 512
