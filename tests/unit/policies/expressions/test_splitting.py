"""What symbols decide and what is left of a condition: together they say what the whole says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.expressions.language import Failure, Language, holds
from policies.expressions.values import values

ASKED = ['"AA" in symbols', '"BB" in symbols', '!("AA" in symbols)']
OTHERS = [
    "size_bytes > 3",
    'subject == "é && x"',
    "size_bytes > 3 // why\n",
    "1 / size_bytes > 0",
    'symbols.exists(s, s == "BB" && size_bytes > 0)',
]
LANGUAGE = Language({"AA", "BB"}, {})
CONDITIONS = st.recursive(
    st.sampled_from([*ASKED, *OTHERS]),
    lambda below: (
        st.tuples(below, st.sampled_from(["&&", "||"]), below).map(" ".join)
        | below.map(lambda inner: f"({inner})")
        | below.map(lambda inner: f"!({inner})")
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.sets(st.sampled_from(["AA", "BB"])), st.sampled_from([0, 2, 5]))
def test_parts_say_what_the_whole_says(text: str, symbols: set[str], size: int) -> None:
    condition = LANGUAGE.compile(text)
    known = values({"size_bytes": size, "subject": "é && x"}, ["size_bytes", "subject"])
    message = LANGUAGE.message({**known, "symbols": sorted(symbols)})
    whole = holds(condition.program, message)

    if condition.by_symbols is not None and not condition.by_symbols(symbols):
        assert whole is False
    elif condition.rest is None:
        assert whole is True
    else:
        assert holds(condition.rest, message) == whole


def test_what_two_conditions_share_is_one_program() -> None:
    one, other = (
        LANGUAGE.compile(f'"{symbol}" in symbols && size_bytes > 7') for symbol in ("AA", "BB")
    )

    assert one.rest is other.rest
    assert one.rest is not one.program


def test_condition_that_symbols_decide_leaves_nothing_to_be_asked() -> None:
    condition = LANGUAGE.compile('"AA" in symbols && !("BB" in symbols)')

    assert condition.rest is None
    assert condition.by_symbols is not None
    assert condition.by_symbols({"AA"})
    assert not condition.by_symbols({"AA", "BB"})


def test_condition_that_falls_apart_at_its_parentheses_is_asked_as_a_whole() -> None:
    condition = LANGUAGE.compile('("AA" in symbols && size_bytes > 7) && subject == ""')

    assert condition.rest is condition.program
    assert condition.by_symbols is not None
    assert not condition.by_symbols({"BB"})


def test_number_that_was_given_its_point_keeps_it() -> None:
    condition = LANGUAGE.compile('score > 5 && "AA" in symbols && score < 7')
    message = LANGUAGE.message({"symbols": ["AA"], "score": 6.0})

    assert condition.rest is not condition.program
    assert holds(condition.rest, message) is True


def test_condition_whose_rest_fails_says_so() -> None:
    condition = LANGUAGE.compile('"AA" in symbols && 1 / size_bytes > 0')
    message = LANGUAGE.message({"symbols": ["AA"], "size_bytes": 0})

    assert isinstance(holds(condition.rest, message), Failure)
