"""A pattern with wide gaps finds what it finds by itself, whichever way it is asked."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine import PatternSpec
from policies.gaps import loosened, shortest
from policies.patterns import PatternSet


@pytest.mark.parametrize(
    ("text", "loose"),
    [
        ("a.{0,80}b.{3,70}?c", ("a.{0,}?b.{3,}?c", 70)),
        ("a.{0,59}b", None),
        (r"a\.{0,80}[.{0,80}]b{0,80}", None),
        (r"(a.{0,20}b|c).{0,60}d", (r"(a.{0,20}b|c).{0,}?d", 60)),
        (r"\Qa.{0,80}\E", None),
    ],
)
def test_wide_gaps_lose_their_ends(text: str, loose: tuple[str, int] | None) -> None:
    assert loosened(text) == loose


def test_wide_gaps_are_as_short_as_can_be() -> None:
    assert shortest(r"a.{0,80}b.{0,9}c\.{0,80}") == r"a.{0,80}?b.{0,9}c\.{0,80}"


PARTS = st.sampled_from(["buy", "buy now|buy", r"\bnow\b", "n[ou]w?", "(now|no).{0,3}", "^b"])
GAPS = st.sampled_from([".{0,60}", ".{0,90}", ".{2,61}?", ".{0,9}"])
WORDS = st.sampled_from(["buy", "buy now", "now", " ", "x", "\n", *("-" * n for n in (20, 57, 88))])


@given(st.lists(st.tuples(PARTS, GAPS), min_size=1, max_size=2), PARTS, st.lists(WORDS, max_size=9))
@settings(max_examples=400)
def test_pattern_with_gaps_begins_where_it_begins_alone(
    parts: list[tuple[str, str]], last: str, words: list[str]
) -> None:
    text = "".join(f"({part}){gap}" for part, gap in parts) + f"({last})"
    content = "".join(words)

    found = PatternSet.compile([PatternSpec("P", "body", text)]).match(lambda _: content)

    alone = re2.search(text, content)
    assert [hit.start for hit in found] == ([alone.start()] if alone else [])
    assert all(re2.fullmatch(text, content[hit.start : hit.end]) or "^" in text for hit in found)
