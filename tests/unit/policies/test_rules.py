"""Rules of a policy: when they are true, what follows, and in which order."""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from policies.evaluate import decide_early, evaluate
from policies.findings import Finding
from policies.select import Context
from policies.verdict import Action, Refusal, Verdict
from tests.unit.policies.policy_files import INBOUND, a_policy, found, mistakes, policies

if TYPE_CHECKING:
    from policies.facts import FactValue

SITE = """
extends: balanced
lists: {partners: {domains: [example.net], file: partners.yaml}}
rules:
  - {id: SPOOFED, when: '"SPF_FAIL" in symbols && dmarc.result != "pass"', weight: 4, kind: phishing,
     words: the sender is forged}
  - id: NO_EXECUTABLES
    when: 'attachments.exists(a, a.extension in ["exe", "scr"])'
    action: reject
    reply: '550 5.7.1 Executable attachments are not accepted here'
  - {id: PARTNERS, when: 'in_list(author_domain, "partners")', action: pass, needs: dmarc.aligned}
  - {id: DEEPER, when: '"SPOOFED" in symbols && subject == "x"', weight: 0.5}
  - {id: LATE, when: 'score > 8 && "DEEPER" in symbols', action: quarantine}
  - {id: LATER, when: '"LATE" in symbols && score < 100', action: defer}
"""
ALLOWED: dict[str, FactValue] = {"author_domain": "a.example.net", "dmarc": {"aligned": True}}
EXECUTABLE: dict[str, FactValue] = {"attachments": [{"extension": "exe"}]}


def judged(*symbols: str, **facts: FactValue) -> Verdict:
    return judged_by(SITE, *symbols, **facts)


def judged_by(policy: str, *symbols: str, **facts: FactValue) -> Verdict:
    chosen = a_policy(policy, partners_yaml="example.com")
    return evaluate(chosen, found(*symbols), facts)


def test_rule_with_a_weight_counts_like_any_symbol() -> None:
    verdict = judged("SPF_FAIL")

    assert [(c.symbol, c.counted) for c in verdict.contributions] == [
        ("SPF_FAIL", 5),
        ("SPOOFED", 4),
    ]
    assert verdict.kind == "phishing"
    assert verdict.reason.endswith("; the sender is forged")
    assert [finding.symbol for finding in verdict.found] == ["SPOOFED"]


def test_rule_that_is_false_counts_nothing() -> None:
    assert judged("SPF_FAIL", dmarc={"result": "pass"}).score == 5


def test_rule_with_an_action_decides_by_itself() -> None:
    verdict = judged(**EXECUTABLE)

    assert (verdict.action, verdict.score, verdict.rule) == (Action.REJECT, 0, "NO_EXECUTABLES")
    assert verdict.refusal == Refusal(
        550, "5.7.1", "Executable attachments are not accepted here ({txn_id})"
    )
    assert verdict.trace[-1] == "NO_EXECUTABLES is true: reject"


def test_rule_reads_the_symbols_of_rules_before_it() -> None:
    verdict = judged("SPF_FAIL", subject="x")

    assert verdict.score == 9.5
    assert verdict.action is Action.DEFER
    assert [finding.symbol for finding in verdict.found] == ["SPOOFED", "DEEPER", "LATE", "LATER"]


def test_allow_lowers_the_score_to_just_below_tag() -> None:
    verdict = judged("SPF_FAIL", "FROM_MISSING", **ALLOWED)

    assert (verdict.action, verdict.score) == (Action.PASS, 4.99)
    assert "PARTNERS allows it (by dmarc.aligned): 12 points count as 4.99" in verdict.trace


def test_allow_without_what_it_needs_allows_nothing() -> None:
    verdict = judged("SPF_FAIL", "FROM_MISSING", author_domain="a.example.net")

    assert (verdict.action, verdict.score) == (Action.REJECT, 12)


def test_allow_takes_lists_from_files() -> None:
    facts: dict[str, FactValue] = {**ALLOWED, "author_domain": "www.example.com"}

    assert judged("SPF_FAIL", **facts).action is Action.PASS


def test_allow_lifts_neither_what_counts_directly_nor_what_a_rule_does() -> None:
    assert judged("GTUBE", "SPF_FAIL", **ALLOWED).action is Action.REJECT
    assert judged("SPF_FAIL", **ALLOWED, **EXECUTABLE).rule == "NO_EXECUTABLES"


def test_allow_lifts_no_malware() -> None:
    policy = (
        SITE
        + "patterns:\n  - {id: VIRUS, in: body, match: x, kind: malware, weight: 9, describe: d}"
    )

    verdict = judged_by(policy, "VIRUS", "SPF_FAIL", **ALLOWED)

    assert (verdict.action, verdict.score) == (Action.QUARANTINE, 9)


@pytest.mark.parametrize(
    ("needs", "facts"),
    [
        ("dmarc.aligned", {"dmarc": {"aligned": True}}),
        ("tls.client", {"tls": {"client": "mx.example.net"}}),
        ("account", {"account": "alice"}),
        ("nothing", {}),
    ],
)
def test_allow_needs_what_it_says(needs: str, facts: dict[str, FactValue]) -> None:
    policy = f"extends: balanced\nrules: [{{id: OK, when: 'true', action: pass, needs: {needs}}}]"

    assert judged_by(policy, "SPF_FAIL", **facts).action is Action.PASS
    if needs != "nothing":
        assert judged_by(policy, "SPF_FAIL").action is Action.TAG


def test_discard_is_said_by_a_rule_alone_and_answers_as_if_taken() -> None:
    policy = "rules: [{id: GONE, when: 'subject == \"x\"', action: discard}]"

    verdict = judged_by(policy, subject="x")

    assert verdict.action is Action.DISCARD
    assert verdict.refusal == Refusal(250, "2.0.0", "Ok ({txn_id})")


def test_rule_that_cannot_be_evaluated_is_a_finding() -> None:
    policy = (
        "extends: balanced\nrules: [{id: ODD, when: '1 / size(attachments) > 0', action: reject}]"
    )

    verdict = judged_by(policy)

    assert verdict.action is Action.PASS
    assert verdict.found == (Finding("RULE_ERROR", "ODD: divide by zero", {"rule": "ODD"}),)
    assert "the rule ODD: divide by zero" in verdict.trace
    counted = policy + "\nweights: {RULE_ERROR: 6}"
    assert judged_by(counted).action is Action.TAG


def test_rule_error_of_one_leaves_the_others() -> None:
    policy = """
rules:
  - {id: ODD, when: '1 / size(attachments) > 0', weight: 1}
  - {id: EVEN, when: 'subject == ""', weight: 2}
"""
    assert judged_by(policy).score == 2


def test_rule_facts_of_the_wrong_type_are_an_error_of_each_rule_that_reads_them() -> None:
    verdict = judged("SPF_FAIL", dmarc="not a record")

    errors = [finding.evidence for finding in verdict.found]
    assert any(error.startswith("SPOOFED: ") for error in errors)


def test_rule_that_learned_nothing_never_rejects() -> None:
    policy = "rules: [{id: ODD, when: '\"SPF_TEMPERROR\" in symbols', action: reject}]"

    verdict = judged_by(policy, "SPF_TEMPERROR")

    assert verdict.action is Action.DEFER
    assert verdict.refusal is not None
    assert verdict.refusal.code == 451


TIMED_OUT = Finding("CHECK_ERROR", "spf: it took too long", {"check": "spf"})
NO_SPF = Finding("SPF_TEMPERROR")
NOT_THE_KEY = Finding("DKIM_TEMPERROR")


NO_PASS = 'spf.result != "pass"'


@pytest.mark.parametrize(
    ("rules", "unasked", "action"),
    [
        pytest.param(
            {'spf.result == "temperror"': "reject"}, NO_SPF, Action.DEFER, id="the-fact-says-so"
        ),
        pytest.param({NO_PASS: "reject"}, NO_SPF, Action.DEFER, id="it-is-another"),
        pytest.param({NO_PASS: "reject"}, TIMED_OUT, Action.DEFER, id="the-check-has-failed"),
        pytest.param({NO_PASS: "discard"}, NO_SPF, Action.DEFER, id="not-thrown-away"),
        pytest.param({NO_PASS: 50}, NO_SPF, Action.DEFER, id="by-points"),
        pytest.param(
            {NO_PASS: 1, '"R0" in symbols': "reject"}, NO_SPF, Action.DEFER, id="by-another-rule"
        ),
        pytest.param({NO_PASS: 1, "score >= 1": "reject"}, NO_SPF, Action.DEFER, id="by-the-score"),
        pytest.param({NO_PASS: "reject"}, NOT_THE_KEY, Action.REJECT, id="another-check"),
        pytest.param(
            {NO_PASS: 1, 'subject == "x"': "reject"}, NO_SPF, Action.REJECT, id="another-rule"
        ),
    ],
)
def test_rule_that_reads_what_could_not_be_asked_never_rejects(
    rules: dict[str, str | int], unasked: Finding, action: Action
) -> None:
    entries = [
        {"id": f"R{index}", "when": when, "action" if isinstance(does, str) else "weight": does}
        for index, (when, does) in enumerate(rules.items())
    ]
    policy = a_policy(f"thresholds: {{reject: 40}}\nrules: {json.dumps(entries)}")

    facts: dict[str, FactValue] = {"subject": "x", "spf": {"result": "temperror"}}
    assert evaluate(policy, [unasked], facts).action is action


NOT_ALIGNED = "{id: NOT_ALIGNED, when: '!dmarc.aligned', action: reject}"
NO_RECORD: dict[str, FactValue] = {"dmarc": {"result": "none", "aligned": False}}


@pytest.mark.parametrize("unasked", [NO_SPF, TIMED_OUT, NOT_THE_KEY])
def test_rule_that_reads_what_stands_on_something_unasked_never_rejects(unasked: Finding) -> None:
    policy = a_policy(f"rules: [{NOT_ALIGNED}]")

    assert evaluate(policy, [unasked], NO_RECORD).action is Action.DEFER
    assert evaluate(policy, [Finding("IPREV_TEMPERROR")], NO_RECORD).action is Action.REJECT


@pytest.mark.parametrize(
    ("unasked", "author", "action"),
    [
        pytest.param("DMARC_TEMPERROR", "example.net", Action.DEFER, id="a-partner"),
        pytest.param("SPF_TEMPERROR", "example.net", Action.DEFER, id="its-proof"),
        pytest.param("DMARC_TEMPERROR", "example.org", Action.REJECT, id="a-stranger"),
        pytest.param("IPREV_TEMPERROR", "example.net", Action.REJECT, id="no-proof"),
    ],
)
def test_allow_that_lacks_a_proof_that_could_not_be_asked_for_is_no_refusal(
    unasked: str, author: str, action: Action
) -> None:
    facts: dict[str, FactValue] = {"author_domain": author, "dmarc": {"aligned": False}}

    policy = f"{SITE}  - {{id: MANY, when: 'true', weight: 40}}\n"
    assert judged_by(policy, unasked, **facts).action is action
    # What no allow lifts refuses all the same.
    assert judged_by(policy, "GTUBE", unasked, **facts).action is Action.REJECT


def test_postmaster_is_not_refused_by_a_rule() -> None:
    policy = a_policy(SITE, partners_yaml="")

    assert evaluate(policy, [], EXECUTABLE, postmaster=True).action is Action.QUARANTINE


SWITCHED = (
    SITE
    + """
overrides:
  - {match: {recipient_domain: lab.example}, weights: {NO_EXECUTABLES: 0}}
  - {match: {recipient: 'kim@*'}, thresholds: {tag: 1}}
"""
)


def test_override_switches_a_rule_off_and_that_makes_a_difference_of_refusal() -> None:
    chosen = policies(SWITCHED, partners_yaml="")
    everybody, lab, kim = (
        chosen.select(INBOUND, recipient)
        for recipient in ("a@example.org", "a@lab.example", "kim@example.org")
    )

    assert evaluate(everybody, [], EXECUTABLE).action is Action.REJECT
    assert evaluate(lab, [], EXECUTABLE).action is Action.PASS
    assert everybody.refusal_key != lab.refusal_key
    assert everybody.refusal_key == kim.refusal_key
    assert everybody.marks_key != kim.marks_key


EARLY = """
thresholds: {reject: 50}
rules:
  - {id: BAD_NET, when: 'in_network(connection.ip, "192.0.2.0/24")', action: reject, early: true}
  - {id: BAD_PAIR, when: 'mail_from == "" && size(recipients) > 1', action: defer, early: true}
  - {id: NOT_EARLY, when: 'helo == "x"', action: reject}
  - {id: TOO_LATE, when: 'dmarc.result != "pass"', action: reject}
"""


@pytest.mark.parametrize(
    ("facts", "stage", "known", "action"),
    [
        ({"connection": {"ip": "192.0.2.1"}}, "connect", "helo", Action.REJECT),
        ({"connection": {"ip": "192.0.2.1"}}, "rcpt", "rcpt", Action.REJECT),
        ({"recipients": ["a@b", "c@d"]}, "rcpt", "rcpt", Action.DEFER),
        ({"recipients": ["a@b", "c@d"]}, "connect", "mail", None),
        ({"helo": "x"}, "rcpt", "rcpt", None),
        ({}, "rcpt", "rcpt", None),
    ],
)
def test_early_rules_alone_decide_before_the_end_of_data(
    facts: dict[str, FactValue], stage: str, known: str, action: Action | None
) -> None:
    policy = a_policy(EARLY)

    verdict = decide_early(policy, [], stage, facts, known)  # type: ignore[arg-type]  # both are stages

    assert (verdict.action if verdict else None) == action
    assert policy.early_rules == {"connect", "rcpt"}


def test_early_what_some_recipient_has_switched_off_waits_for_rcpt() -> None:
    switched = policies(EARLY + "overrides: [{match: {recipient: 'a@b'}, weights: {BAD_NET: 0}}]")
    facts: dict[str, FactValue] = {"connection": {"ip": "192.0.2.1"}}

    strict, lenient = switched.common(Context("inbound", "inbound", "x@y"))

    assert decide_early(strict, [], "connect", facts, "mail") is not None
    assert decide_early(lenient, [], "connect", facts, "mail") is None
    assert switched.early == {"connect", "rcpt"}


def test_early_what_some_recipient_is_allowed_waits_for_rcpt() -> None:
    text = """
early: {connect: 3}
weights: {HELO_SYNTAX: 5, FRIEND: 0}
thresholds: {tag: 2}
rules: [{id: FRIEND, when: 'true', action: pass, needs: nothing}]
overrides: [{match: {recipient: 'a@b'}, weights: {FRIEND: 1}}]
"""
    strict, lenient = policies(text).common(Context("inbound", "inbound", "x@y"))

    assert decide_early(strict, found("HELO_SYNTAX"), "connect", {}, "mail") is not None
    assert decide_early(lenient, found("HELO_SYNTAX"), "connect", {}, "mail") is None


def test_plan_names_what_rules_read() -> None:
    plan = policies(
        """
rules:
  - {id: A1, when: '"SPF_FAIL" in symbols && dmarc.result == "fail"', weight: 1}
  - {id: B1, when: 'subject == "x"', weight: 1}
"""
    ).plan

    assert plan.symbols == {"SPF_FAIL", "A1", "B1"}
    assert plan.facts == {"symbols", "dmarc", "subject"}


def test_version_changes_with_the_files_of_lists() -> None:
    one, other, same = (
        policies(SITE, partners_yaml=text).version
        for text in ("a.example", "b.example", "a.example")
    )

    assert one == same != other


def test_extends_a_rule_replaces_the_one_of_its_id_below() -> None:
    below = "version: 1\nname: x\nrules: [{id: R1, when: 'true', weight: 1}, {id: R2, when: 'true', weight: 2}]"

    policy = "extends: below.yaml\nrules: [{id: R1, when: 'true', weight: 7}]"

    assert evaluate(a_policy(policy, below_yaml=below), []).score == 9


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ("{a: {domains: [not a domain]}}", "site.yaml:3:23: `not a domain` is no domain"),
        ("{a: {networks: [192.0.2.1/24]}}", "site.yaml:3:24: `192.0.2.1/24` begins inside"),
        ("{a: {file: none.yaml}}", "site.yaml:3:19: none.yaml cannot be read"),
        (
            "{a: {domain: x.example}}",
            "site.yaml:3:13: unknown key `domain`: did you mean `domains`?",
        ),
        ("{a: {file: bad.yaml}}", "bad.yaml:2:1: `-` is no domain"),
    ],
)
def test_list_mistakes(lists: str, expected: str) -> None:
    (mistake,) = mistakes(f"lists: {lists}", bad_yaml="a.example\n-\n")

    assert mistake.startswith(expected)
