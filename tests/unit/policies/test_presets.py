"""What the shipped presets promise."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.evaluate import decide_early, evaluate, slowed_s
from policies.loader import PRESETS, load_policies
from policies.verdict import Action
from tests.unit.policies.policy_files import INBOUND, Files, found

if TYPE_CHECKING:
    from policies.compile import Policy
    from policies.facts import FactValue

BOTH_LISTS = ("SPAMCOP_LISTED", "PSBL_LISTED")


def preset(name: str) -> Policy:
    return load_policies(Files({}), name).select(INBOUND, None)


@pytest.mark.parametrize(
    ("name", "symbols", "action"),
    [
        ("balanced", (), Action.PASS),
        ("balanced", ("SPF_PASS", "DKIM_PASS"), Action.PASS),
        ("balanced", ("SPF_SOFTFAIL", "IPREV_MISSING", "MESSAGE_ID_MISSING"), Action.PASS),
        ("balanced", ("SPF_FAIL",), Action.TAG),
        ("balanced", ("SPF_FAIL", "IPREV_MISSING"), Action.TAG),
        ("balanced", BOTH_LISTS[:1], Action.TAG),
        ("balanced", (*BOTH_LISTS[:1], "IPREV_MISSING", "MESSAGE_ID_MISSING"), Action.TAG),
        ("balanced", BOTH_LISTS, Action.QUARANTINE),
        ("balanced", (*BOTH_LISTS, "IPREV_MISSING"), Action.REJECT),
        ("balanced", ("GTUBE",), Action.REJECT),
        ("balanced", ("DNS_LIST_ERROR", "DNS_LIST_UNKNOWN", "CHECK_ERROR"), Action.PASS),
        ("balanced", ("SPF_TEMPERROR", "IPREV_TEMPERROR", "DNS_LIST_TEMPERROR"), Action.PASS),
        ("balanced", ("DMARC_FAIL", "DMARC_TEMPERROR", "DMARC_NONE"), Action.PASS),
        ("balanced", ("DMARC_REJECT",), Action.QUARANTINE),
        ("balanced", ("DMARC_QUARANTINE",), Action.QUARANTINE),
        ("balanced", ("DMARC_REJECT", BOTH_LISTS[0]), Action.REJECT),
        ("strict", (), Action.PASS),
        ("strict", ("DMARC_REJECT",), Action.QUARANTINE),
        ("strict", ("DMARC_REJECT", BOTH_LISTS[0]), Action.REJECT),
        ("strict", ("SPF_FAIL",), Action.REJECT),
        ("strict", BOTH_LISTS[:1], Action.TAG),
        ("strict", BOTH_LISTS, Action.REJECT),
        ("strict", ("SENDER_NULL_MX",), Action.TAG),
        ("monitor", ("GTUBE", "SPF_FAIL", *BOTH_LISTS), Action.PASS),
    ],
)
def test_preset_action(name: str, symbols: tuple[str, ...], action: Action) -> None:
    assert evaluate(preset(name), found(*symbols)).action is action


@pytest.mark.parametrize(
    ("name", "changed", "action"),
    [
        pytest.param("balanced", {}, Action.DEFER, id="balanced"),
        pytest.param("strict", {}, Action.DEFER, id="strict"),
        pytest.param("monitor", {}, Action.PASS, id="monitor"),
        pytest.param("balanced", {"policy": "quarantine"}, Action.DEFER, id="set-apart"),
        pytest.param("balanced", {"policy": "none"}, Action.PASS, id="no-wish"),
        pytest.param("balanced", {"policy": ""}, Action.PASS, id="no-record"),
        pytest.param("balanced", {"aligned": True}, Action.PASS, id="proven"),
        pytest.param("balanced", {"result": "none"}, Action.PASS, id="not-dmarc"),
    ],
)
def test_undecided_dmarc_comes_again_where_a_failure_would_count(
    name: str, changed: dict[str, FactValue], action: Action
) -> None:
    dmarc: FactValue = {
        "result": "temperror",
        "policy": "reject",
        "aligned": False,
        "domain": "example.org",
        **changed,
    }

    verdict = evaluate(preset(name), found("DMARC_TEMPERROR"), {"dmarc": dmarc})

    assert verdict.action is action
    if action is Action.DEFER:
        assert verdict.rule == "DMARC_UNDECIDED"
        assert verdict.refusal is not None
        assert (verdict.refusal.code, verdict.refusal.enhanced) == (451, "4.4.3")


def test_strict_refuses_an_spf_failure_with_its_code() -> None:
    refusal = evaluate(preset("strict"), found("SPF_FAIL")).refusal

    assert refusal is not None
    assert (refusal.code, refusal.enhanced) == (550, "5.7.23")
    assert refusal.text == (
        "Message refused: the domain example.org does not authorise 192.0.2.7 (SPF) ({txn_id})"
    )


def test_balanced_refusal_names_the_lists_and_their_pages() -> None:
    refusal = evaluate(preset("balanced"), found(*BOTH_LISTS, "IPREV_MISSING")).refusal

    assert refusal is not None
    assert "https://www.spamcop.net/bl.shtml?192.0.2.7" in refusal.text
    assert "https://psbl.org/listing?ip=192.0.2.7" in refusal.text
    assert "no reverse DNS name" in refusal.text


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_preset_no_list_alone_reaches_quarantine(name: str) -> None:
    plan = load_policies(Files({}), name).plan

    for one in plan.dns_lists:
        verdict = evaluate(preset(name), found(*one.symbols))
        assert verdict.action < Action.QUARANTINE, one.zone


def test_balanced_no_symbol_alone_is_held_but_the_test_string_and_dmarc() -> None:
    policy = preset("balanced")

    held = {s for s in policy.weights if evaluate(policy, found(s)).action >= Action.QUARANTINE}

    assert held == {"GTUBE", "DMARC_REJECT", "DMARC_QUARANTINE", "DMARC_AUTHORS"}


@pytest.mark.parametrize("name", ["balanced", "strict"])
def test_preset_wish_of_the_author_domain_refuses_with_nothing_but_spf_and_dkim(name: str) -> None:
    # RFC 9989 §8. The domain's own SPF may refuse where the preset lets it do so alone.
    policy = preset(name)
    auth = [s for s in policy.weights if s.startswith(("SPF_", "DKIM_"))]
    softer = [s for s in auth if not evaluate(policy, found(s)).action.refuses]
    # What HELO says in `strict` is evidence about the client, not about the author.
    softer = [s for s in softer if (name, s) != ("strict", "SPF_HELO_FAIL")]

    spf, dkim = ([s for s in softer if s.startswith(method)] for method in ("SPF_", "DKIM_"))
    assert spf
    assert dkim
    for others in product(spf, dkim):
        verdict = evaluate(policy, found("DMARC_REJECT", *others))
        assert verdict.action is Action.QUARANTINE, others


def test_balanced_no_two_symbols_refuse_but_with_one_that_holds_alone() -> None:
    policy = preset("balanced")

    refusing = {
        pair
        for pair in combinations(sorted(policy.weights), 2)
        if evaluate(policy, found(*pair)).action.refuses
    }

    alone = {"GTUBE", "DMARC_REJECT", "DMARC_QUARANTINE", "DMARC_AUTHORS"}
    assert {pair for pair in refusing if not alone & {*pair}} == set()


def test_balanced_refuses_nothing_before_the_end_of_data() -> None:
    assert decide_early(preset("balanced"), found("GTUBE", *BOTH_LISTS), "rcpt") is None


def test_strict_refuses_at_rcpt_and_waits_with_spf_alone() -> None:
    policy = preset("strict")

    assert decide_early(policy, found(*BOTH_LISTS, "IPREV_MISSING"), "rcpt") is not None
    assert decide_early(policy, found("SPF_FAIL"), "rcpt") is None


@given(st.sets(st.sampled_from(sorted(load_policies(Files({}), "monitor").plan.symbols))))
@settings(max_examples=200)
def test_monitor_acts_on_nothing_whatever_is_found(symbols: set[str]) -> None:
    monitor = preset("monitor")
    seen = found(*symbols)
    verdict = evaluate(monitor, seen)

    assert verdict.action is Action.PASS
    assert not verdict.headers
    assert slowed_s(monitor, seen) == 0
    for stage in ("greeting", "connect", "rcpt"):
        assert decide_early(monitor, seen, stage) is None


def test_monitor_acts_on_nothing_where_everything_is_found() -> None:
    monitor = preset("monitor")

    assert evaluate(monitor, found(*monitor.symbols)).action is Action.PASS
    assert monitor.early_rules == frozenset()
    rules = monitor.rules.by_id.values() if monitor.rules else ()
    assert {rule.id for rule in rules if rule.action is not None} <= monitor.off


def test_monitor_scores_like_balanced_and_touches_nothing() -> None:
    seen = found("SPF_FAIL", "IPREV_MISSING")

    verdict = evaluate(preset("monitor"), seen)

    assert verdict.score == evaluate(preset("balanced"), seen).score
    assert (verdict.headers, verdict.required) == (False, 0)
