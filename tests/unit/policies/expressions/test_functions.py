from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.expressions.functions import edits, in_network, similar, under_domain

WORDS = st.text(alphabet="abcé", max_size=70)


def slow_edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, first in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, second in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (first != second))
    return row[-1]


@given(WORDS, WORDS)
def test_edits_are_those_of_the_table(one: str, other: str) -> None:
    assert edits(one, other) == slow_edits(one, other)


@given(st.text(), st.text())
def test_similar_is_the_same_both_ways_and_between_none_and_all(one: str, other: str) -> None:
    assert similar(one, other) == similar(other, one)
    assert 0 <= similar(one, other) <= 1


def test_similar_compares_so_many_characters() -> None:
    assert similar("a" * 64 + "x" * 1000, "a" * 64 + "y") == 1


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("192.0.2.7", "192.0.2.0/24", True),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "192.0.2.0/24", False),
        ("", "0.0.0.0/0", False),
        ("not an address", "0.0.0.0/0", False),
    ],
)
def test_in_network(address: str, network: str, *, inside: bool) -> None:
    assert in_network(address, network) is inside


@pytest.mark.parametrize(
    ("name", "domain", "under"),
    [
        ("example.org", "example.org", True),
        ("a.b.Example.ORG.", "example.org", True),
        ("badexample.org", "example.org", False),
        ("xn--bcher-kva.example", "bücher.example", True),
        ("", "example.org", False),
        ("example.org", "", False),
    ],
)
def test_under_domain(name: str, domain: str, *, under: bool) -> None:
    assert under_domain(name, domain) is under
