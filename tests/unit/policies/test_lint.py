"""Traps in policies: each is told at its place, in words that say what to do."""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import pytest

from policies.lint import Surroundings, lint
from policies.loader import FileSource, read_policy
from tests.unit.policies.policy_files import Files

CHECKS = Surroundings({"headers", "links", "spf", "dkim", "iprev", "dmarc"})
TESTS = "tests: [{name: n, message: m.eml, expect: {action: pass}}]\n"


def told(text: str) -> list[str]:
    """Return what lint says of `text`, notes and what every policy hears left out."""
    files = Files({"site.yaml": f"version: 1\nname: site\n{text}"})
    return [
        f"{remark.line}:{remark.column} {remark.level.value} {remark.code}: {remark.what}"
        for remark in lint(read_policy(files, "site.yaml"), CHECKS)
    ]


@pytest.mark.parametrize("preset", ["monitor", "balanced"])
def test_lint_of_a_preset_has_nothing_to_say(preset: str) -> None:
    assert lint(read_policy(FileSource(), preset), CHECKS) == []


@pytest.mark.parametrize("preset", ["balanced", "strict"])
def test_lint_asks_for_no_tests_of_the_rules_of_a_preset(preset: str) -> None:
    assert not [remark for remark in told(f"extends: {preset}\n") if "no-tests" in remark]


def test_lint_of_the_strict_preset_says_what_refuses_alone() -> None:
    remarks = lint(read_policy(FileSource(), "strict"), CHECKS)

    assert [remark.code for remark in remarks] == ["rejects-alone"]
    assert remarks[0].what.startswith("SPF_FAIL alone is refused")


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        pytest.param("extends:\n", True, id="extends-nothing"),
        pytest.param("thresholds: {tag: 5}\n", True, id="thresholds-alone"),
        pytest.param("extends: balanced\n", False, id="extends"),
        pytest.param("weights: {SPF_FAIL: 1}\n", False, id="weights"),
        pytest.param("default_weights: true\n", False, id="usual-weights"),
        pytest.param(
            "overrides: [{match: {listener: a}, weights: {SPF_FAIL: 1}}]\n", False, id="override"
        ),
    ],
)
def test_lint_of_a_policy_by_which_nothing_counts(text: str, *, warns: bool) -> None:
    assert any(" passes-everything: " in remark for remark in told(text)) is warns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'classifier.probability > 0.9', weight: 1, describe: d}]",
            "4:24 warning empty-fact: nothing in this version finds out `classifier`: it is always empty",
            id="fact-that-nobody-finds",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'subject == \"x\"', action: reject, describe: d}]",
            "4:50 note rejects-alone: R1 alone refuses a message",
            id="rule-that-refuses",
        ),
        pytest.param(
            TESTS
            + "overrides:\n  - {match: {recipient: 'a@*'}, thresholds: {tag: 3}}\n  - {match: {recipient: 'a@*'}, thresholds: {tag: 4}}",
            "6:13 note same-override: for the same messages as the override on line 5: applied over it",
            id="two-overrides-for-the-same",
        ),
    ],
)
def test_lint_tells_what_the_command_does_not_show(text: str, expected: str) -> None:
    assert expected in told(text)


NOT_A_LINE = (
    "anchor: `^` is the beginning of all that is in `headers`, not of a line: "
    "put (?m) before the pattern, or write \\A where that is meant"
)
NEVER = "never: `{}` never stands in `{}`: this finds nothing with it"


@pytest.mark.parametrize(
    ("view", "pattern", "expected"),
    [
        pytest.param("headers", "^Subject:", [NOT_A_LINE], id="anchor"),
        pytest.param("headers", "(?im)^Subject:", [], id="anchor-of-a-line"),
        pytest.param("headers", r"\AReceived: [^$]+\$", [], id="no-anchor"),
        pytest.param("subject", "^Re:", [], id="view-of-one-line"),
        pytest.param("folded", "(?-i)CASH", [NEVER.format("C", "folded")], id="capitals"),
        pytest.param("folded", r"CASH(?-i)\Wx\pL", [], id="capitals-in-either-case"),
        pytest.param("skeleton", "Ümlaut", [NEVER.format("Ü", "skeleton")], id="accent"),
        pytest.param("skeleton", "мой ёж 안녕", [], id="letters-of-other-scripts"),
    ],
)
def test_lint_of_a_pattern_that_cannot_find_what_it_looks_for(
    view: str, pattern: str, expected: list[str]
) -> None:
    entry = f"{{id: AB, in: {view}, match: '{pattern}', weight: 1, describe: d}}"

    assert told(f"{TESTS}patterns: [{entry}]") == [
        f"4:{len(view) + 34} warning {remark}" for remark in expected
    ]


def test_lint_of_a_careful_policy_has_nothing_to_say() -> None:
    text = """extends: balanced
lists: {partners: {domains: [example.net]}}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 1, describe: d}]
rules:
  - {id: PARTNERS, when: 'in_list(author_domain, "partners")', action: pass, needs: dmarc.aligned, describe: d}
  - {id: BOTH, when: '"LOTTERY" in symbols && "SPF_FAIL" in symbols', weight: 2, describe: d}
"""
    assert told(text + TESTS) == []


def test_lint_of_a_rule_that_refuses_everything_blames_no_symbol() -> None:
    rule = "{id: ALL, when: 'true', action: reject, describe: d}"
    remarks = told(f"{TESTS}default_weights: true\nrules: [{rule}]")

    assert [remark.split()[2] for remark in remarks] == ["constant:", "rejects-alone:"]
