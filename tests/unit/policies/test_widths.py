"""The width of a pattern is never less than what it matches."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from policies.widths import widest


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("won", 3),
        ("won|lottery", 7),
        ("(a|bcd)e", 4),
        ("(a|bcd){2,3}e?", 10),
        ("a{4}b{2,3}?", 7),
        (r"\bword\b$", 4),
        ("(?i)(?:ab)(?P<name>c)(?-i:d)", 4),
        ("[a-z{3}]x", 2),
        (r"\x{4e00}\pL\p{Greek}\.", 4),
        ("x.{0,80}y", 82),
        ("(周|末末)", 2),
        ("a*", None),
        ("(ab?)+c", None),
        ("a{2,}", None),
        (r"\Qa{3}\E", None),
        ("(^|$)*x", 1),
    ],
)
def test_width_of_a_pattern_is_that_of_its_widest_match(text: str, width: int | None) -> None:
    assert widest(text) == width


PIECES = st.sampled_from([*"ab.", "(a|bb)", "(b.c|a?)", "[ab]", r"\b", "^"])
TIMES = st.sampled_from(["", "", "?", "{2}", "{0,3}", "{1,2}?", "*", "+"])


@given(
    st.lists(st.tuples(PIECES, TIMES).map("".join), min_size=1, max_size=5).map("".join),
    st.text(alphabet="abc 周", max_size=40),
)
def test_no_match_is_wider(text: str, content: str) -> None:
    width = widest(text)
    found = re2.search(text, content)

    if found is not None and width is not None:
        assert found.end() - found.start() <= width
    assert (width is None) == bool(re.search(r"[*+]", re.sub(r"(\\b|\^)[*+]", "", text)))
