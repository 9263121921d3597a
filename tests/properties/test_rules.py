"""What holds for all rules and all evidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.evaluate import evaluate
from policies.findings import Finding
from policies.loader import load_policies
from policies.select import Context
from policies.verdict import Action

if TYPE_CHECKING:
    from random import Random

    from policies.facts import FactValue
    from policies.select import PolicySet

SYMBOLS = ["SPF_FAIL", "SPF_PASS", "IPREV_FAIL", "HELO_SYNTAX", "GTUBE", "SPF_TEMPERROR"]
CONDITIONS = [
    '"SPF_FAIL" in symbols',
    '!("SPF_PASS" in symbols)',
    'subject == "x"',
    '"R0" in symbols && size_bytes > 10',
    "score > 4",
    "score < 4",
    "1 / size_bytes > 0",
]


def has_points(points: int) -> dict[str, object]:
    return {"weight": points}


def acts(action: str) -> dict[str, object]:
    return {"action": action}


EFFECTS = st.one_of(
    st.integers(-6, 6).map(has_points),
    st.sampled_from(["tag", "quarantine", "defer", "reject"]).map(acts),
)
ALLOW: dict[str, object] = {"id": "ALLOW", "when": "true", "action": "pass", "needs": "nothing"}
FINDINGS = st.lists(st.sampled_from(SYMBOLS).map(Finding), max_size=5)
FACTS: st.SearchStrategy[dict[str, FactValue]] = st.fixed_dictionaries(
    {"subject": st.sampled_from(["", "x"]), "size_bytes": st.integers(0, 30)}
)


class Text:
    def __init__(self, value: object) -> None:
        self._data = json.dumps(value).encode()

    def read(self, path: str) -> bytes:
        return self._data


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, object]]:
    """Return rules that load: those over the score have actions, and R0 reads no other."""
    made: list[dict[str, object]] = []
    for number in range(draw(st.integers(0, 4))):
        effect = draw(EFFECTS)
        known = CONDITIONS[:3] if number == 0 else CONDITIONS
        if "weight" in effect:
            known = [condition for condition in known if "score" not in condition]
        made.append({"id": f"R{number}", "when": draw(st.sampled_from(known)), **effect})
    return made


def loaded(rules_: list[dict[str, object]], **others: object) -> PolicySet:
    file = {
        "version": 1,
        "name": "x",
        "thresholds": {"tag": 3, "quarantine": 5, "reject": 8},
        "weights": {"SPF_FAIL": 4, "IPREV_FAIL": 2, "HELO_SYNTAX": 2, "SPF_TEMPERROR": 5},
        "groups": {"client": {"cap": 3}},
        "rules": rules_,
        **others,
    }
    return load_policies(Text(file), "f.yaml")


CONTEXT = Context("inbound", "inbound", "a@example.net")


@given(rules(), FINDINGS, FACTS)
@settings(max_examples=60)
def test_adding_an_allow_never_makes_a_verdict_severer(
    rules_: list[dict[str, object]], findings: list[Finding], facts: dict[str, FactValue]
) -> None:
    before = evaluate(loaded(rules_).select(CONTEXT, None), findings, facts)
    after = evaluate(loaded([*rules_, ALLOW]).select(CONTEXT, None), findings, facts)

    assert after.action <= before.action
    assert after.score <= before.score


@given(rules(), FINDINGS, FACTS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_verdict_does_not_depend_on_the_order_of_findings_nor_on_what_was_judged_before(
    rules_: list[dict[str, object]],
    findings: list[Finding],
    facts: dict[str, FactValue],
    random: Random,
) -> None:
    policy = loaded(rules_).select(CONTEXT, None)
    first = evaluate(policy, findings, facts)
    shuffled = list(findings)
    random.shuffle(shuffled)
    evaluate(policy, [Finding("GTUBE")], {"subject": "other"})

    assert evaluate(policy, shuffled, dict(reversed(facts.items()))) == first
    again = loaded(rules_).select(CONTEXT, None)
    assert evaluate(again, findings, facts) == first


@given(rules(), FINDINGS, FACTS)
@settings(max_examples=60)
def test_verdict_what_learned_nothing_never_rejects_by_rules(
    rules_: list[dict[str, object]], findings: list[Finding], facts: dict[str, FactValue]
) -> None:
    policy = loaded(rules_).select(CONTEXT, None)
    certain = [finding for finding in findings if finding.symbol != "SPF_TEMPERROR"]

    if evaluate(policy, findings, facts).action is Action.REJECT:
        assert evaluate(policy, certain, facts).action is Action.REJECT


KEYS = ["recipient", "recipient_domain", "account", "sender", "listener", "direction"]
FITTING = {
    "recipient": "b@example.org",
    "recipient_domain": "example.org",
    "account": "ada",
    "sender": "a@example.net",
    "listener": "inbound",
    "direction": "inbound",
}


@given(st.lists(st.sets(st.sampled_from(KEYS), min_size=1, max_size=3), min_size=1, max_size=4))
@settings(max_examples=60)
def test_overrides_obey_their_order(matches: list[set[str]]) -> None:
    overrides = [
        {"match": {key: FITTING[key] for key in keys}, "thresholds": {"tag": number + 1}}
        for number, keys in enumerate(matches)
    ]
    policies = loaded([], thresholds={"tag": 100}, overrides=overrides)
    context = Context("inbound", "inbound", "a@example.net", "ada")

    policy = policies.select(context, "b@example.org")

    strongest = max(
        range(len(matches)),
        key=lambda i: (-min(map(KEYS.index, matches[i])), len(matches[i]), i),
    )
    assert policy.thresholds[Action.TAG] == strongest + 1
