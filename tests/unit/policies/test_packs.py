"""Rule packs below a policy."""

from __future__ import annotations

import pytest

from policies.evaluate import evaluate
from policies.findings import Finding
from policies.loader import PACKS
from tests.unit.policies.policy_files import a_policy, mistakes, policies

PACK = """\
version: 1
language: en
about: For a test
group: tale
cap: 4
content:
  fraud:
    - id: EN_A
      in: body
      match: alpha
      weight: 2
      describe: Alpha
      source: A test of this project
      hit: {body: alpha}
      miss: {alpha: beta}
characteristics:
  botnet:
    - id: EN_B
      when: '"EN_A" in symbols'
      weight: 1
      describe: Beta
      source: A test of this project
      hit: {body: alpha}
      miss: {alpha: beta}
"""


def test_pack_in_a_file_adds_its_patterns_and_rules() -> None:
    policy = a_policy("rules_packs: [mine.yaml]\n", mine_yaml=PACK)

    assert policy.weights == {"EN_A": 2, "EN_B": 1}
    assert (policy.symbols["EN_A"].kind, policy.symbols["EN_A"].group) == ("fraud", "tale")
    assert (policy.symbols["EN_B"].kind, policy.symbols["EN_B"].class_) == (
        "botnet",
        "characteristics",
    )


def test_pattern_of_the_policy_replaces_that_of_the_pack() -> None:
    text = "rules_packs: [mine.yaml]\npatterns:\n  - {id: EN_A, in: subject, match: a1, "
    found = policies(text + "weight: 3, describe: Mine}\n", mine_yaml=PACK)

    assert [(one.id, one.view) for one in found.plan.patterns.patterns] == [("EN_A", "subject")]


def test_packs_of_a_site_stand_in_place_of_those_of_the_preset() -> None:
    with_packs = a_policy("extends: balanced\n").weights
    without = a_policy("extends: balanced\nrules_packs: []\n").weights

    assert "EN_NEXT_OF_KIN" in with_packs
    assert "EN_NEXT_OF_KIN" not in without


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            "match: alpha",
            "match: al(pha",
            "mine.yaml:10:16: a parenthesis is opened and not closed",
        ),
        (
            "      in: body\n",
            "",
            "mine.yaml:8:7: an item of `fraud` needs either `in` and `match`, or `when`",
        ),
        ("weight: 2", "wieght: 2", "mine.yaml:11:7: unknown key `wieght`: did you mean `weight`"),
        ("fraud", "fruad", "mine.yaml:7:3: "),
    ],
)
def test_mistake_in_a_pack_is_shown_at_its_place(old: str, new: str, mistake: str) -> None:
    wrong = PACK.replace(old, new, 1)

    found = mistakes("rules_packs: [mine.yaml]\n", mine_yaml=wrong)
    assert [each for each in found if each.startswith(mistake)], found


def test_pattern_of_a_file_named_like_a_shipped_one_is_tried() -> None:
    # Shipped patterns are compiled when they are needed, for tests have tried them.
    files = {"rules/en.yaml": PACK.replace("match: alpha", "match: al(pha", 1)}

    (found,) = mistakes("rules_packs: [rules/en.yaml]\n", **files)

    assert found.startswith("rules/en.yaml:10:16: a parenthesis is opened and not closed")


def test_pack_that_is_not_shipped_is_a_mistake_with_what_was_meant() -> None:
    assert mistakes("rules_packs: [eng]\n") == [
        "site.yaml:3:15: there is no pack `eng`, and a file ends in .yaml: did you mean `en`?"
    ]


@pytest.mark.parametrize("pack", PACKS)
def test_each_shipped_pack_may_be_chosen_alone(pack: str) -> None:
    policy = a_policy(f"extends: balanced\nrules_packs: [{pack}]")

    verdict = evaluate(policy, [Finding("EN_ACCOUNT_SUSPENDED"), Finding("LINK_SHORTENER")])
    assert ("EN_PHISHING_LINK" in [each.symbol for each in verdict.found]) is (pack == "en")


def test_rule_of_the_site_asks_for_no_pack_that_was_not_chosen() -> None:
    rule = "{id: MINE, when: '\"ANY_FREE_HOSTING\" in symbols', weight: 1}"

    (mistake,) = mistakes(f"extends: balanced\nrules_packs: [en]\nrules: [{rule}]")

    assert "there is no symbol ANY_FREE_HOSTING" in str(mistake)
