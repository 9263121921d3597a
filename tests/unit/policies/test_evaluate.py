from __future__ import annotations

import pytest

from policies.evaluate import decide_early, evaluate
from policies.findings import Finding
from policies.verdict import Action, Refusal, Verdict
from tests.unit.policies.policy_files import a_policy, found

SITE = """
thresholds: {tag: 5, quarantine: 8, reject: 12}
groups: {auth: {cap: 6, floor: -2}}
weights: {SPF_FAIL: 5, SPF_HELO_FAIL: 3, SPF_PASS: -3, DKIM_PASS: -3, IPREV_MISSING: 2,
          HELO_SYNTAX: 1.5, FROM_MISSING: 3, GTUBE: 100, EARLY_TALKER: 3.333}
"""


def verdict_of(*symbols: str, policy: str = SITE, postmaster: bool = False) -> Verdict:
    return evaluate(a_policy(policy), found(*symbols), postmaster=postmaster)


@pytest.mark.parametrize(
    ("symbols", "action", "score"),
    [
        pytest.param((), Action.PASS, 0.0, id="nothing-found"),
        pytest.param(("IPREV_MISSING",), Action.PASS, 2.0, id="below-every-threshold"),
        pytest.param(("SPF_FAIL",), Action.TAG, 5.0, id="exactly-a-threshold"),
        pytest.param(("SPF_FAIL", "FROM_MISSING"), Action.QUARANTINE, 8.0, id="the-next-one"),
        pytest.param(("GTUBE",), Action.REJECT, 100.0, id="far-above"),
        pytest.param(("SPF_FAIL", "SPF_HELO_FAIL"), Action.TAG, 6.0, id="capped-by-its-group"),
        pytest.param(
            ("SPF_PASS", "DKIM_PASS", "IPREV_MISSING"), Action.PASS, 0.0, id="held-by-its-floor"
        ),
        pytest.param(("SPF_FAIL", "SPF_PASS"), Action.PASS, 2.0, id="for-and-against"),
        pytest.param(("SPF_FAIL",) * 9, Action.TAG, 5.0, id="a-symbol-counts-once"),
        pytest.param(("SPF_SOFTFAIL", "MINE"), Action.PASS, 0.0, id="what-is-not-counted"),
        pytest.param(("EARLY_TALKER",), Action.PASS, 3.33, id="rounded-to-two-digits"),
    ],
)
def test_evaluate_adds_weights_up(symbols: tuple[str, ...], action: Action, score: float) -> None:
    verdict = verdict_of(*symbols)

    assert (verdict.action, verdict.score) == (action, score)


def test_evaluate_what_does_not_count_gives_the_verdict_of_nothing_for_each_policy() -> None:
    one, other = a_policy(SITE), a_policy("thresholds: {tag: 4}")
    silent = evaluate(one, [])
    assert evaluate(one, found("SPF_SOFTFAIL", "MINE")) == silent
    assert (silent.required, silent.trace) == (5, ("0 points: stays below tag (5)",))
    assert evaluate(other, []).required == 4


def test_evaluate_contributions_are_heaviest_first_and_share_a_cap() -> None:
    verdict = verdict_of("HELO_SYNTAX", "SPF_HELO_FAIL", "SPF_FAIL", "SPF_PASS", "FROM_MISSING")

    shown = [(c.symbol, c.weight, c.counted) for c in verdict.contributions]
    assert shown == [
        ("SPF_FAIL", 5, 5),
        ("FROM_MISSING", 3, 3),
        ("SPF_HELO_FAIL", 3, 3),
        ("HELO_SYNTAX", 1.5, 1.5),
        ("SPF_PASS", -3, -3),
    ]
    capped = verdict_of("SPF_FAIL", "SPF_HELO_FAIL").contributions
    assert [(c.symbol, c.counted) for c in capped] == [("SPF_FAIL", 3.75), ("SPF_HELO_FAIL", 2.25)]


def test_evaluate_evidence_of_a_symbol_found_twice_is_joined() -> None:
    findings = [
        Finding("SPF_FAIL", "b", {"domain": "b.example", "client_ip": "192.0.2.2"}),
        Finding("SPF_FAIL", "a", {"domain": "a.example", "client_ip": "192.0.2.9"}),
        Finding("SPF_FAIL", "b", {"domain": "b.example", "client_ip": "192.0.2.2"}),
    ]

    (one,) = evaluate(a_policy(SITE), findings).contributions
    (same,) = evaluate(a_policy(SITE), reversed(findings)).contributions

    assert one == same
    assert one.evidence == "a; b"
    assert one.words == "the domain b.example does not authorise 192.0.2.2 (SPF)"


def test_evaluate_evidence_is_bounded() -> None:
    findings = [Finding("SPF_FAIL", f"{number:03}") for number in range(300)]

    (one,) = evaluate(a_policy(SITE), findings).contributions

    assert one.evidence.endswith("008; 009; and 290 more")


def test_evaluate_reason_joins_the_heaviest_sentences() -> None:
    verdict = verdict_of("HELO_SYNTAX", "IPREV_MISSING", "FROM_MISSING", "SPF_FAIL", "SPF_PASS")

    assert verdict.reason == (
        "the domain example.org does not authorise 192.0.2.7 (SPF); "
        "the message has no From header; "
        "the address 192.0.2.7 has no reverse DNS name"
    )


def test_evaluate_reason_fits_a_reply_line() -> None:
    long = {"domain": "d" * 500, "client_ip": "c" * 500, "helo": "h" * 500}
    policy = a_policy("thresholds: {reject: 1}\nweights: {SPF_FAIL: 9, HELO_SYNTAX: 8}")

    verdict = evaluate(policy, [Finding("SPF_FAIL", "", long), Finding("HELO_SYNTAX", "", long)])

    assert verdict.refusal is not None
    assert len(verdict.refusal.text) < 450


@pytest.mark.parametrize(
    ("symbols", "enhanced"),
    [
        pytest.param(("SPF_FAIL", "SPF_PASS"), "5.7.23", id="the-one-symbol-that-decides"),
        pytest.param(("GTUBE", "SPF_FAIL"), "5.7.1", id="another-one-decides"),
        pytest.param(
            ("IPREV_MISSING", "HELO_SYNTAX"), "5.7.25", id="the-heaviest-of-two-that-decide"
        ),
        pytest.param(
            ("SPF_FAIL", "SENDER_NULL_MX", "GTUBE"), "5.7.1", id="enough-without-any-of-them"
        ),
    ],
)
def test_evaluate_refusal_has_the_code_of_the_symbol_that_decides(
    symbols: tuple[str, ...], enhanced: str
) -> None:
    policy = (
        "thresholds: {reject: 3}\nweights: {SPF_FAIL: 9, SPF_PASS: -1, IPREV_MISSING: 2, "
        "HELO_SYNTAX: 1.5, GTUBE: 100, SENDER_NULL_MX: 9}"
    )

    refusal = verdict_of(*symbols, policy=policy).refusal

    assert refusal is not None
    assert refusal.enhanced == enhanced


def test_evaluate_reject_says_why_and_leaves_a_place_for_the_id() -> None:
    verdict = verdict_of("GTUBE")

    assert verdict.refusal == Refusal(
        550,
        "5.7.1",
        "Message refused: the message bears the test string for unsolicited mail (GTUBE)"
        " ({txn_id})",
    )


def test_evaluate_reject_never_has_a_place_of_the_peers_making() -> None:
    finding = Finding("SPF_FAIL", "", {"domain": "{txn_id}{", "client_ip": "}{0}"})

    refusal = evaluate(
        a_policy("thresholds: {reject: 1}\nweights: {SPF_FAIL: 9}"), [finding]
    ).refusal

    assert refusal is not None
    assert refusal.text.count("{") == refusal.text.count("}") == 1


def test_evaluate_defer_answers_as_the_policy_says() -> None:
    policy = (
        "thresholds: {defer: 3, reject: 9}\nweights: {SPF_FAIL: 4}\n"
        "actions: {defer: {reply: '450 4.2.0 Come back later'}}"
    )

    verdict = verdict_of("SPF_FAIL", policy=policy)

    assert verdict.action is Action.DEFER
    assert verdict.refusal == Refusal(450, "4.2.0", "Come back later")


def test_evaluate_what_could_not_be_asked_defers_and_never_rejects() -> None:
    policy = (
        "thresholds: {tag: 3, reject: 9}\nweights: {SPF_TEMPERROR: 100, FROM_MISSING: 4, GTUBE: 9}"
    )

    assert verdict_of("SPF_TEMPERROR", policy=policy).action is Action.DEFER
    assert verdict_of("SPF_TEMPERROR", "FROM_MISSING", policy=policy).action is Action.DEFER
    assert verdict_of("SPF_TEMPERROR", "GTUBE", policy=policy).action is Action.REJECT


def test_evaluate_postmaster_is_never_refused() -> None:
    verdict = verdict_of("GTUBE", postmaster=True)

    assert verdict.action is Action.QUARANTINE
    assert verdict.refusal is None
    assert "the postmaster is never refused: quarantine instead of reject" in verdict.trace


def test_evaluate_trace_tells_points_caps_thresholds_and_what_decided() -> None:
    verdict = verdict_of("SPF_FAIL", "SPF_HELO_FAIL", "IPREV_MISSING")

    assert verdict.trace == (
        "SPF_FAIL +3.75",
        "SPF_HELO_FAIL +2.25",
        "IPREV_MISSING +2",
        "the group auth counts 6 instead of 8",
        "8 points: reaches quarantine (8) and stays below reject (12)",
        "without SPF_FAIL it would be less",
    )


def test_evaluate_actions_are_carried_out_as_the_policy_says() -> None:
    policy = SITE + (
        "actions: {tag: {subject_prefix: '[spam] ', force: true},"
        " quarantine: {as: redirect, to: held@example.org}}\nheaders: none"
    )

    tagged = verdict_of("SPF_FAIL", policy=policy)
    held = verdict_of("SPF_FAIL", "FROM_MISSING", policy=policy)

    assert (tagged.subject_prefix, tagged.force_subject, tagged.redirect_to) == (
        "[spam] ",
        True,
        None,
    )
    assert (held.subject_prefix, held.redirect_to) == (None, "held@example.org")
    assert not held.headers
    # Where it goes should a refusal be no choice.
    assert verdict_of("GTUBE", policy=policy).redirect_to == "held@example.org"


def test_evaluate_kind_is_what_most_points_speak_for() -> None:
    policy = """
    patterns:
      - {id: AA, in: subject, match: a, kind: fraud, describe: d, weight: 2}
      - {id: BB, in: subject, match: b, kind: fraud, describe: d, weight: 2}
      - {id: CC, in: subject, match: c, kind: pharma, describe: d, weight: 3}
      - {id: DD, in: subject, match: d, kind: adult, describe: d, weight: -9}
    """

    assert verdict_of("AA", "BB", "CC", "DD", policy=policy).kind == "fraud"
    assert verdict_of("AA", "CC", policy=policy).kind == "pharma"
    assert verdict_of("DD", policy=policy).kind == ""
    assert verdict_of("CC", policy=policy).reason == (
        "the message looks like an advertisement for medicines"
    )


def test_evaluate_overrides_that_cross_thresholds_take_the_most_severe_action() -> None:
    policy = a_policy(SITE)
    crossed = {Action.REJECT: 4.0, Action.TAG: 7.0}
    object.__setattr__(policy, "thresholds", crossed)

    assert evaluate(policy, found("SPF_FAIL")).action is Action.REJECT


EARLY = """
early: {connect: 4, rcpt: 3}
thresholds: {reject: 50}
weights: {IPREV_MISSING: 2, HELO_SYNTAX: 1, EARLY_TALKER: 2, CHECK_ERROR: 9}
"""


@pytest.mark.parametrize(
    ("symbols", "at_connect", "at_rcpt"),
    [
        pytest.param(("IPREV_MISSING",), False, False, id="too-little"),
        pytest.param(("IPREV_MISSING", "HELO_SYNTAX"), False, True, id="enough-at-rcpt"),
        pytest.param(("IPREV_MISSING", "EARLY_TALKER"), True, True, id="enough-at-connect"),
    ],
)
def test_decide_early_by_its_thresholds(
    symbols: tuple[str, ...], at_connect: bool, at_rcpt: bool
) -> None:
    policy = a_policy(EARLY)

    assert (decide_early(policy, found(*symbols), "connect") is not None) is at_connect
    assert (decide_early(policy, found(*symbols), "rcpt") is not None) is at_rcpt


def test_decide_early_refusal_has_reason_and_trace() -> None:
    verdict = decide_early(a_policy(EARLY), found("IPREV_MISSING", "EARLY_TALKER"), "connect")

    assert verdict is not None
    assert verdict.action is Action.REJECT
    assert verdict.refusal is not None
    assert "has no reverse DNS name" in verdict.refusal.text
    assert "4 reaches the early threshold 4 at connect" in verdict.trace


def test_decide_early_threshold_of_connect_holds_at_rcpt_too() -> None:
    policy = a_policy("early: {connect: 2}\nweights: {IPREV_MISSING: 2}")

    assert decide_early(policy, found("IPREV_MISSING"), "rcpt") is not None


def test_decide_early_threshold_of_rcpt_does_not_hold_before() -> None:
    policy = a_policy("early: {rcpt: 2}\nweights: {IPREV_MISSING: 2}")

    assert decide_early(policy, found("IPREV_MISSING"), "connect") is None


def test_decide_early_without_thresholds_refuses_nothing() -> None:
    assert decide_early(a_policy(SITE), found("GTUBE"), "rcpt") is None


def test_decide_early_what_could_not_be_asked_defers() -> None:
    verdict = decide_early(a_policy(EARLY), found("CHECK_ERROR"), "connect")

    assert verdict is not None
    assert verdict.action is Action.DEFER
