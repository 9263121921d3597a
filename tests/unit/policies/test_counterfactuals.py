"""What would have changed a verdict is true when it is tried, and nothing smaller would have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.counterfactuals import tried, ways
from policies.evaluate import evaluate
from policies.findings import Finding
from policies.loader import load_symbols
from policies.verdict import Action
from tests.unit.policies.policy_files import a_policy, found

if TYPE_CHECKING:
    from policies.facts import FactValue

SITE = a_policy(
    """
extends: balanced
rules:
  - {id: FORGED, when: '"SPF_FAIL" in symbols && dmarc.result != "pass"', weight: 4}
  - {id: OURS, when: 'author_domain == "a.example"', action: pass, needs: dmarc.aligned}
  - {id: BOTH, when: '"SPF_SOFTFAIL" in symbols && "IPREV_FAIL" in symbols', action: reject}
"""
)
SYMBOLS = sorted(load_symbols())


def told(*symbols: str, **facts: FactValue) -> list[str]:
    return [way.words for way in ways(SITE, found(*symbols), facts)]


@pytest.mark.parametrize(
    ("symbols", "facts", "expected"),
    [
        (("FROM_MISSING", "HELO_IS_OURS"), {}, "would have passed without FROM_MISSING"),
        (
            ("SPF_FAIL",),
            {"author_domain": "a.example"},
            "would have passed with an aligned DKIM signature",
        ),
        (("SPF_FAIL",), {}, "would have passed without SPF_FAIL"),
        (("SPF_SOFTFAIL", "IPREV_FAIL"), {}, "would have passed without IPREV_FAIL"),
    ],
)
def test_ways_are_told_in_words(
    symbols: tuple[str, ...], facts: dict[str, FactValue], expected: str
) -> None:
    assert expected in told(*symbols, **facts)


def test_ways_of_a_message_that_passes_lead_to_more() -> None:
    (way,) = ways(SITE, [], {})

    assert re.fullmatch(
        rf"would have been tagged with [0-9.]+ points more, such as those of {way.added[0]}",
        way.words,
    )


def test_ways_two_symbols_are_told_only_where_one_makes_no_difference() -> None:
    policy = a_policy("thresholds: {tag: 1}\nweights: {SPF_FAIL: 2, FROM_MISSING: 2}")

    (way,) = ways(policy, found("SPF_FAIL", "FROM_MISSING"), {})

    assert way.without == ("FROM_MISSING", "SPF_FAIL")
    assert way.action is Action.PASS


@given(
    st.lists(st.sampled_from(SYMBOLS).map(Finding), max_size=12),
    st.sampled_from(["", "a.example", "b.example"]),
)
def test_ways_are_true_when_tried_and_minimal(findings: list[Finding], domain: str) -> None:
    facts: dict[str, FactValue] = {"author_domain": domain}
    before = evaluate(SITE, findings, facts).action

    for way in ways(SITE, findings, facts):
        assert tried(SITE, findings, facts, way).action is way.action
        assert way.action is not before
        if len(way.without) == 2 and not way.facts:
            for symbol in {finding.symbol for finding in findings}:
                rest = [finding for finding in findings if finding.symbol != symbol]
                assert evaluate(SITE, rest, facts).action is before


@given(st.lists(st.sampled_from(SYMBOLS).map(Finding), max_size=12))
def test_way_to_more_has_the_lightest_symbol_of_all(findings: list[Finding]) -> None:
    before = evaluate(SITE, findings, {}).action
    present = {finding.symbol for finding in findings}
    leading = [
        (points, symbol)
        for symbol, points in SITE.weights.items()
        if points > 0 and symbol not in present
        if evaluate(SITE, [*findings, Finding(symbol)], {}).action > before
    ]

    every = ways(SITE, findings, {})

    told = [way.added for way in every if way.added and not way.facts]
    # It comes last, and of more than six the last is not told.
    if told or len(every) < 6:
        assert told == ([(min(leading)[1],)] if leading else [])
