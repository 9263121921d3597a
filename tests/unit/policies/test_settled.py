"""When a message is refused for good, whatever else may be found."""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from policies.evaluate import evaluate
from policies.findings import Finding
from policies.settled import is_settled
from policies.verdict import Action
from tests.unit.policies.policy_files import a_policy, found

if TYPE_CHECKING:
    from policies.facts import FactValue

PLAIN = "thresholds: {tag: 5, reject: 12}\nweights: {GTUBE: 100, SPF_FAIL: 5, HELO_IS_OURS: 5, FROM_MISSING: 8, DKIM_PASS: -1, DMARC_PASS: -2}"
GROUPED = f"{PLAIN}\ngroups: {{auth: {{floor: -1}}}}"
HELO = "{id: HELO, when: 'helo == \"x\"', action: reject}"
ALLOW = "{id: FRIEND, when: 'author_domain == \"x.example\"', action: pass, needs: dmarc.aligned}"
DISCARD = "{id: GONE, when: 'subject == \"x\"', action: discard}"
LATE = "{id: LATE, when: 'subject == \"\"', weight: 90, describe: d}"
GOOD = "{id: GOOD, when: 'subject == \"x\"', weight: -100, describe: d}"


def ruled(*rules: str) -> str:
    return f"{PLAIN}\nrules: [{', '.join(rules)}]"


@pytest.mark.parametrize(
    ("policy", "symbols", "known", "settled"),
    [
        pytest.param(PLAIN, ["GTUBE"], None, True, id="far-above"),
        pytest.param(PLAIN, ["HELO_IS_OURS", "FROM_MISSING"], None, False, id="what-speaks-for-it-may-still-come"),
        pytest.param(GROUPED, ["HELO_IS_OURS", "FROM_MISSING"], None, True, id="a-floor-bounds-what-may-come"),
        pytest.param(PLAIN, ["FROM_MISSING"], None, False, id="too-little"),
        pytest.param("weights: {GTUBE: 100}", ["GTUBE"], "data", False, id="a-policy-that-never-refuses"),
        pytest.param(ruled(HELO), [], "data", True, id="a-rule-that-refuses"),
        pytest.param(ruled(HELO), [], None, False, id="a-rule-whose-facts-are-not-known"),
        pytest.param(ruled(HELO), ["SPF_TEMPERROR"], "data", False, id="what-could-not-be-asked-beside-rules"),
        pytest.param(ruled(LATE), [], "data", False, id="a-rule-of-a-later-stage"),
        pytest.param(ruled(GOOD), ["GTUBE"], "data", False, id="a-rule-that-may-speak-for-it"),
        pytest.param(ruled(ALLOW), ["SPF_FAIL", "FROM_MISSING"], "data", False, id="an-allow-may-follow"),
        pytest.param(ruled(ALLOW), ["GTUBE"], "data", True, id="no-allow-lifts-what-is-direct"),
        pytest.param(ruled(ALLOW, HELO), [], "data", True, id="no-allow-lifts-what-a-rule-does"),
        pytest.param(ruled(DISCARD), ["GTUBE"], "data", False, id="it-might-be-discarded"),
    ],
)  # fmt: skip
def test_message_is_settled_where_nothing_can_change_it(
    policy: str, symbols: list[str], known: str | None, *, settled: bool
) -> None:
    facts: dict[str, FactValue] = {"helo": "x"}

    assert is_settled(a_policy(policy), found(*symbols), facts, known) is settled


def test_what_could_not_be_asked_settles_nothing() -> None:
    policy = a_policy("thresholds: {reject: 12}\nweights: {SPF_TEMPERROR: 50}")

    assert not is_settled(policy, found("SPF_TEMPERROR"), {}, None)


def test_what_is_settled_is_rejected_whatever_is_found_beside() -> None:
    policy = a_policy("extends: balanced")
    others = sorted(policy.weights, key=lambda symbol: policy.weights[symbol])
    settled = 0
    for symbols in combinations(["GTUBE", *others[-6:]], 3):
        seen = found(*symbols)
        if not is_settled(policy, seen, {}, None):
            continue
        settled += 1
        lowest = [Finding(symbol) for symbol in others if policy.weights[symbol] < 0]
        for beside in (lowest, lowest[:3], found(*others)):
            assert evaluate(policy, [*seen, *beside]).action is Action.REJECT
    assert settled > 10
