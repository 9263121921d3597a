"""Traps in policies: each is told at its place, in words that say what to do."""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import pytest

from policies.lint import Surroundings, lint
from policies.loader import FileSource, read_policy
from tests.unit.policies.policy_files import Files

CHECKS = Surroundings({"headers", "spf", "dkim", "iprev", "dmarc"})
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


def test_lint_of_the_strict_preset_says_what_refuses_alone() -> None:
    remarks = lint(read_policy(FileSource(), "strict"), CHECKS)

    # A test of a policy has no memory, so that none can show whom greylisting keeps waiting.
    assert [remark.code for remark in remarks] == ["rejects-alone", "no-tests"]
    assert remarks[0].what.startswith("SPF_FAIL alone is refused")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "rules: [{id: R1, when: 'subject == \"x\"', weight: 1, describe: d}]",
            "3:1 warning no-tests: no tests: say under `tests` what must come of which message",
            id="no-tests",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'subject == \"x\"', weight: 1}]",
            "4:9 warning no-description: R1 has no `describe`: nobody will know in a year what it is for",
            id="no-description",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'subject == \"x\"', weight: 0, describe: d}]",
            "4:50 warning dead: R1 has no points and no rule reads it: it does nothing",
            id="rule-without-effect",
        ),
        pytest.param(
            TESTS + "patterns: [{id: P1, in: subject, match: x, weight: 0, describe: d}]",
            "4:52 warning dead: P1 has no points and no rule reads it: it does nothing",
            id="pattern-without-effect",
        ),
        pytest.param(
            TESTS
            + "rules:\n  - {id: R1, when: 'subject == \"x\"', action: tag, describe: d}\n  - {id: R2, when: 'subject  ==  \"x\"', action: reject, describe: d}",
            "6:20 warning shadowed: R2 has the condition of R1: only the severer action ever counts",
            id="shadowed-by-an-action",
        ),
        pytest.param(
            TESTS
            + "rules:\n  - {id: R1, when: 'subject == \"x\"', weight: 1, describe: d}\n  - {id: R2, when: 'subject == \"x\"', weight: 2, describe: d}",
            "6:20 warning shadowed: R2 has the condition of R1: both count for one thing",
            id="counted-twice",
        ),
        pytest.param(
            TESTS
            + "patterns:\n  - {id: P1, in: subject, match: won, weight: 1, describe: d}\n  - {id: P2, in: subject, match: won, weight: 1, describe: d}",
            "6:34 warning same-pattern: P2 looks for the same as P1: both count for one thing",
            id="same-pattern",
        ),
        pytest.param(
            TESTS + "patterns: [{id: P1, in: subject, match: '[^z]', weight: 1, describe: d}]",
            "4:41 warning matches-everything: P1 matches nearly every text",
            id="pattern-of-everything",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'dmarc.result != \"pass\"', action: reject, describe: d}]",
            "4:24 warning matches-everything: R1 is true where nothing is known at all, as when a check has failed: it would reject every such message",
            id="refuses-what-nobody-knows",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: '1 < 2', weight: 1, describe: d}]",
            "4:24 warning constant: R1 is true of every message",
            id="always-true",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'false', weight: 1, describe: d}]",
            "4:24 warning constant: R1 is never true",
            id="never-true",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'classifier.probability > 0.9', weight: 1, describe: d}]",
            "4:24 warning empty-fact: nothing in this version finds out `classifier`: it is always empty",
            id="fact-that-nobody-finds",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'subject == \"x\"', action: discard, describe: d}]",
            "4:50 warning discards: R1 throws mail away, and neither sender nor recipient will know",
            id="discard",
        ),
        pytest.param(
            TESTS + "rules: [{id: R1, when: 'subject == \"x\"', action: reject, describe: d}]",
            "4:50 note rejects-alone: R1 alone refuses a message",
            id="rule-that-refuses",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: '\"SPF_TEMPERROR\" in symbols', action: reject, describe: d}]",
            "4:62 warning rejects-uncertain: R1 reads what could not be asked: it defers then and never rejects",
            id="refuses-what-could-not-be-asked",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'under_domain(author_domain, \"a.example\")', action: pass, needs: nothing, describe: d}]",
            "4:89 warning spoofable-allow: R1 allows by author_domain, which anybody can write, without anything that authenticates the sender",
            id="allow-by-from",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'mail_from == \"a@b.example\"', action: pass, needs: dmarc.aligned, describe: d}]",
            "4:75 warning spoofable-allow: dmarc.aligned vouches for author_domain, not for mail_from, which the sender can choose",
            id="allow-by-what-nobody-vouches-for",
        ),
        pytest.param(
            TESTS
            + "rules: [{id: R1, when: 'author_domain == \"b.example\"', action: pass, needs: tls.client, describe: d}]",
            "4:77 warning dead: no listener asks clients for a certificate in this version: this never allows",
            id="allow-that-never-comes",
        ),
        pytest.param(
            TESTS + "thresholds: {tag: 2, reject: 5}\nweights: {HELO_SYNTAX: 6}",
            "5:24 warning rejects-alone: HELO_SYNTAX alone is refused (6 points): a single mistake of it costs a wanted message",
            id="weight-that-refuses-alone",
        ),
        pytest.param(
            TESTS + "actions: {tag: {subject_prefix: '[spam]'}}",
            "4:33 warning breaks-dkim: a changed Subject breaks DKIM signatures for everybody behind this server",
            id="subject-prefix",
        ),
        pytest.param(
            TESTS
            + "thresholds: {tag: 3}\noverrides:\n  - {match: {recipient: 'a@*'}, thresholds: {tag: 3}}",
            "5:1 warning dead: no override changes anything",
            id="override-without-effect",
        ),
        pytest.param(
            TESTS
            + "overrides:\n  - {match: {recipient: 'a@*'}, thresholds: {tag: 3}}\n  - {match: {recipient: 'a@*'}, thresholds: {tag: 4}}",
            "6:13 note same-override: for the same messages as the override on line 5: applied over it",
            id="two-overrides-for-the-same",
        ),
    ],
)
def test_lint_tells_traps_at_their_place(text: str, expected: str) -> None:
    assert expected in told(text)


def test_lint_of_a_careful_policy_has_nothing_to_say() -> None:
    text = """extends: balanced
lists: {partners: {domains: [example.net]}}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 1, describe: d}]
rules:
  - {id: PARTNERS, when: 'in_list(author_domain, "partners")', action: pass, needs: dmarc.aligned, describe: d}
  - {id: BOTH, when: '"LOTTERY" in symbols && "SPF_FAIL" in symbols', weight: 2, describe: d}
"""
    assert told(text + TESTS) == []
