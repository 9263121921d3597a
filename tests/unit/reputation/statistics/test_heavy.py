"""The most frequent values: never too high, and too low by no more than is said."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.statistics.heavy import Heavy, Summary, merged

_VALUES = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=300)


def counted(values: list[str], kept: int) -> Summary:
    summary = Summary(kept)
    for value in values:
        summary.add(value, 1, 10)
    return summary


def assert_within_error(summary: Summary, values: list[str]) -> None:
    true = Counter(values)
    assert summary.total == len(values)
    assert summary.error * (summary.kept + 1) <= len(values)
    for value in true:
        told = summary.rows.get(value, (0, 0, 0, 0))
        assert true[value] - summary.error <= told[1] <= true[value]
        assert told[2] == told[1]
        assert told[3] == 10 * told[1]


@given(_VALUES, st.integers(1, 8))
def test_count_is_within_the_error(values: list[str], kept: int) -> None:
    assert_within_error(counted(values, kept), values)


@given(st.lists(_VALUES, max_size=5), st.integers(1, 8))
def test_merged_summaries_are_within_the_error_of_all(parts: list[list[str]], kept: int) -> None:
    whole = Summary(kept)
    for part in parts:
        whole.merge(counted(part, kept))

    assert len(whole.rows) <= kept
    assert_within_error(whole, [value for part in parts for value in part])


def test_few_values_are_counted_exactly() -> None:
    values = ["a"] * 5 + ["b"] * 3

    summary = counted(values, 2)

    assert summary.error == 0
    assert summary.top(5) == (Heavy("a", 5, 5, 50), Heavy("b", 3, 3, 30))


def test_memory_is_bounded_whoever_sends() -> None:
    random = Random(9)  # noqa: S311
    values = [f"{random.getrandbits(40):x}" for _ in range(100_000)] + ["frequent"] * 5000

    summary = counted(values, 100)

    assert len(summary.rows) <= 200
    assert summary.error <= 105_000 / 101
    assert summary.top(1)[0].messages >= 5000 - summary.error


def test_reading_throws_nothing_out() -> None:
    parts = [counted(["a", "b"], 2), counted(["c", "d"], 2)]

    assert [one.value for one in merged(2, parts).top(9)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("order", [pytest.param(1, id="forth"), pytest.param(-1, id="back")])
def test_order_of_merging_changes_no_bound(order: int) -> None:
    random = Random(4)  # noqa: S311
    parts = [[f"v{int(random.paretovariate(0.6))}" for _ in range(500)] for _ in range(20)]
    whole = Summary(20)

    for part in parts[::order]:
        whole.merge(counted(part, 20))

    assert_within_error(whole, [value for part in parts for value in part])
