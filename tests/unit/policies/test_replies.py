"""What a rule's own reply says of an SPF fail, and of when to come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.evaluate import decide_early, evaluate
from policies.replies import filled, sentence
from policies.verdict import Refusal
from tests.unit.policies.policy_files import a_policy, found, mistakes, policies

if TYPE_CHECKING:
    from policies.facts import FactValue

SITE = """
extends: balanced
rules:
  - id: NOT_AUTHORISED
    when: '"SPF_FAIL" in symbols'
    action: reject
    reply: '550 5.7.23 SPF: {spf_explanation}, see our page'
    EARLY
"""
FAIL: dict[str, FactValue] = {"result": "fail", "domain": "example.net"}


def reply_to(spf: dict[str, FactValue]) -> str:
    verdict = evaluate(a_policy(SITE.replace("EARLY", "")), found("SPF_FAIL"), {"spf": spf})
    assert verdict.refusal is not None
    assert (verdict.refusal.code, verdict.refusal.enhanced) == (550, "5.7.23")
    return verdict.refusal.text


def test_explanation_is_told_with_whose_it_is() -> None:
    said = reply_to({**FAIL, "explanation": "192.0.2.7 is not ours"})

    expected = "SPF: example.net explains: 192.0.2.7 is not ours, see our page ({txn_id})"
    assert said == expected


def test_without_an_explanation_the_reply_says_so() -> None:
    assert reply_to(FAIL) == "SPF: example.net gives no explanation, see our page ({txn_id})"


def test_without_spf_the_reply_is_whole() -> None:
    assert reply_to({}) == "SPF: the domain gives no explanation, see our page ({txn_id})"


@pytest.mark.parametrize(
    ("explanation", "shown"),
    [
        pytest.param("a\r\n250 ok", "a??250 ok", id="line-break"),
        pytest.param("{txn_id}{spf_explanation}", "?txn_id??spf_explanation?", id="places"),
        pytest.param("caf\u00e9\x1b[0m", "caf??[0m", id="unprintable"),
    ],
)
def test_explanation_is_made_safe(explanation: str, shown: str) -> None:
    assert f"explains: {shown}, see" in reply_to({**FAIL, "explanation": explanation})


def test_long_explanation_leaves_room_for_the_words_of_the_site() -> None:
    said = reply_to({**FAIL, "explanation": "x" * 480})

    assert len(said) == 420
    assert said.endswith("xxx, see our page ({txn_id})")


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [
        pytest.param(0.4, "in 1 second", id="part-of-a-second"),
        pytest.param(90.0, "in 90 seconds", id="a-minute-and-a-half"),
        pytest.param(121.0, "in 3 minutes", id="rounded-up"),
        pytest.param(7200.0, "in 120 minutes", id="two-hours"),
        pytest.param(9000.0, "in 3 hours", id="hours"),
        pytest.param(0.0, "later", id="not-known"),
    ],
)
def test_wait_is_told_in_words(wait_s: float, words: str) -> None:
    told = Refusal(451, "4.7.1", "Too much mail, try again {wait} ({txn_id})")

    facts: dict[str, FactValue] = {"rate": {"wait_s": wait_s}} if wait_s else {}

    assert filled(told, facts).text == f"Too much mail, try again {words} ({{txn_id}})"


def test_rule_whose_reply_tells_the_wait_runs_after_the_rates() -> None:
    site = (
        "rates: [{id: TOO_FAST, by: [client], limit: 5, per: 1m, describe: x}]\n"
        "rules: [{id: NO, when: '\"TOO_FAST\" in symbols', action: defer, "
        "reply: '451 4.7.1 Come again {wait}'}]"
    )

    assert "rate" in policies(site).plan.facts


def test_rule_whose_reply_explains_makes_spf_run() -> None:
    site = "rules: [{id: NO, when: 'helo == \"x\"', action: reject, reply: 'REPLY'}]"
    plain = policies(site.replace("REPLY", "550 5.7.23 No"))
    explaining = policies(site.replace("REPLY", "550 5.7.23 No, {spf_explanation}"))

    assert "spf" not in plain.plan.facts
    assert "spf" in explaining.plan.facts


def test_rule_whose_reply_explains_waits_for_spf() -> None:
    site = (
        "rules: [{id: NO, when: 'helo == \"x\"', action: reject, early: true, "
        "reply: '550 5.7.23 No, {spf_explanation}'}]"
    )
    facts: dict[str, FactValue] = {"helo": "x", "spf": {**FAIL, "explanation": "why"}}
    policy = a_policy(site)

    assert decide_early(policy, (), "connect", facts, known="helo") is None
    verdict = decide_early(policy, (), "connect", facts, known="mail")
    assert verdict is not None
    assert verdict.refusal is not None
    assert verdict.refusal.text == "No, example.net explains: why ({txn_id})"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("550 5.7.1 Not here", "Not here"),
        ("550 5.7.1 Not here ({txn_id})", "Not here"),
        ("550 5.7.1 Not authorised (SPF)", "Not authorised (SPF)"),
        ("550 5.7.23 Not authorised (SPF): {spf_explanation} ({txn_id})", "Not authorised (SPF)"),
    ],
)
def test_sentence_has_neither_codes_nor_places(reply: str, words: str) -> None:
    assert sentence(reply) == words


@pytest.mark.parametrize("text", ["{spf}", "Zugang für Gäste gesperrt", "No {", "No\\n"])
@pytest.mark.parametrize(
    "policy",
    [
        'rules: [{{id: NO, when: \'helo == "x"\', action: reject, reply: "550 5.7.1 {}"}}]',
        'actions: {{defer: {{reply: "451 4.7.1 {}"}}}}',
    ],
    ids=["rule", "defer"],
)
def test_reply_that_cannot_be_said_is_refused(policy: str, text: str) -> None:
    (mistake,) = mistakes(policy.format(text))

    assert ", in ASCII, with no braces but {txn_id}, {wait} and {spf_explanation}" in str(mistake)


def test_id_may_stand_anywhere_in_a_reply() -> None:
    reply = "550 5.7.23 Ask us about {txn_id}: {spf_explanation}"
    policy = a_policy(
        f"rules: [{{id: NO, when: 'helo == \"x\"', action: reject, reply: '{reply}'}}]"
    )
    verdict = evaluate(policy, (), {"helo": "x", "spf": {**FAIL, "explanation": "why"}})

    assert verdict.refusal is not None
    assert verdict.refusal.text == "Ask us about {txn_id}: example.net explains: why"
