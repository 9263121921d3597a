from __future__ import annotations

import pytest

from policies.evaluate import decide_early
from policies.select import Context, glob_matches
from tests.unit.policies.policy_files import INBOUND, found, policies


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("a@example.org", "A@Example.ORG", True),
        ("a@example.org", "aa@example.org", False),
        ("*@sales.example.org", "bob@sales.example.org", True),
        ("*@sales.example.org", "bob@xsales.example.org", False),
        ("*", "", True),
        ("*", "anything", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a*a", "a", False),
        ("*b*", "abc", True),
        ("[a]", "a", False),
        ("?", "a", False),
    ],
)
def test_glob_matches(glob: str, text: str, expected: bool) -> None:
    assert glob_matches(glob, text) is expected


def test_glob_matches_many_stars_in_linear_time() -> None:
    assert not glob_matches("*a" * 5000 + "b", "a" * 100_000)


def test_select_without_overrides_is_one_policy_for_all() -> None:
    found_ = policies("thresholds: {tag: 3}")

    assert found_.select(INBOUND, "a@b") is found_.select(INBOUND, None)
    assert found_.only is found_.select(INBOUND, "a@b")


def test_only_is_nothing_where_an_override_is() -> None:
    assert policies("overrides: [{match: {recipient: a@b}, thresholds: {tag: 3}}]").only is None


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        pytest.param("thresholds: {reject: 3}", set(), id="no-policy-refuses-early"),
        pytest.param("early: {rcpt: 3}", {"rcpt"}, id="at-rcpt"),
        pytest.param("early: {connect: 3}", {"connect", "rcpt"}, id="both-hold-at-rcpt"),
        pytest.param("early: {connect: null}", set(), id="taken-away"),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, early: {rcpt: 3}}]", {"rcpt"}, id="an-override"
        ),
    ],
)
def test_early_names_the_stages_at_which_some_policy_may_refuse(
    text: str, stages: set[str]
) -> None:
    assert policies(text).early == stages


def override(match: str, tag: int, name: str) -> str:
    return f"  - {{name: {name}, match: {match}, thresholds: {{tag: {tag}}}}}\n"


@pytest.mark.parametrize(
    ("match", "context", "recipient", "applies"),
    [
        ("{recipient: '*@sales.example'}", INBOUND, "a@SALES.example", True),
        ("{recipient: '*@sales.example'}", INBOUND, "a@example", False),
        ("{recipient: '*@sales.example'}", INBOUND, None, False),
        ("{recipient: [a@x.example, b@x.example]}", INBOUND, "b@x.example", True),
        ("{recipient_domain: x.example}", INBOUND, '"@y.example"@x.example', True),
        ("{recipient_domain: '*.x.example'}", INBOUND, "a@x.example", False),
        ("{recipient_domain: '*'}", INBOUND, "postmaster", False),
        ("{account: al*}", Context("s", "outbound", "", "alice"), "a@b", True),
        ("{account: '*'}", INBOUND, "a@b", False),
        ("{sender: '<>'}", Context("i", "inbound", ""), "a@b", True),
        ("{sender: '<>'}", INBOUND, "a@b", False),
        ("{sender: '*@example.net'}", INBOUND, "a@b", True),
        ("{listener: inbound}", INBOUND, "a@b", True),
        ("{direction: outbound}", INBOUND, "a@b", False),
        ("{direction: inbound, sender: '*@other'}", INBOUND, "a@b", False),
        ("{direction: inbound, recipient: a@b}", INBOUND, "a@b", True),
    ],
)
def test_select_match(match: str, context: Context, recipient: str | None, applies: bool) -> None:
    found_ = policies(f"thresholds: {{tag: 1}}\noverrides:\n{override(match, 2, 'o')}")

    assert found_.select(context, recipient).required == (2 if applies else 1)


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("{direction: inbound}", "{listener: inbound}"),
        ("{listener: inbound}", "{sender: '*'}"),
        ("{sender: '*'}", "{account: '*'}"),
        ("{account: '*'}", "{recipient_domain: b}"),
        ("{recipient_domain: b}", "{recipient: a@b}"),
        ("{recipient: a@b}", "{recipient: '*', direction: inbound}"),
        ("{direction: inbound, listener: inbound, account: x}", "{recipient: '*'}"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True], ids=["in-order", "swapped"])
def test_select_precedence(weaker: str, stronger: str, swapped: bool) -> None:
    overrides = [override(weaker, 2, "weak"), override(stronger, 3, "strong")]
    context = Context("inbound", "inbound", "a@example.net", "x")

    found_ = policies("overrides:\n" + "".join(reversed(overrides) if swapped else overrides))

    assert found_.select(context, "a@b").required == 3
    assert found_.select(context, "a@b").name == "site+weak+strong"


def test_select_equal_overrides_later_in_the_file_wins_key_by_key() -> None:
    text = """
    thresholds: {tag: 1, reject: 9}
    weights: {GTUBE: 5}
    overrides:
      - {match: {recipient: a@b}, thresholds: {tag: 2, reject: 8}}
      - {match: {recipient: '*'}, thresholds: {tag: 3}, weights: {GTUBE: 7}}
    """

    policy = policies(text).select(INBOUND, "a@b")

    assert list(policy.thresholds.values()) == [8, 3]
    assert policy.weights == {"GTUBE": 7}
    assert policy.name == "site+1+2"


def test_select_override_can_take_a_weight_and_a_threshold_away() -> None:
    text = """
    thresholds: {tag: 1, reject: 9}
    weights: {GTUBE: 5}
    overrides: [{match: {recipient: a@b}, thresholds: {reject: null}, weights: {GTUBE: 0}}]
    """

    policy = policies(text).select(INBOUND, "a@b")

    assert (dict(policy.weights), policy.required, len(policy.thresholds)) == ({}, 1, 1)


def test_plan_holds_what_any_override_counts() -> None:
    text = """
    weights: {GTUBE: 5, SPF_FAIL: 0}
    patterns:
      - {id: USED, in: subject, match: a, describe: d, weight: 0}
      - {id: UNUSED, in: subject, match: b, describe: d, weight: 0}
    overrides: [{match: {recipient: a@b}, weights: {DKIM_FAIL: 1, USED: 2, GTUBE: 0}}]
    """

    plan = policies(text).plan

    assert plan.symbols == {"GTUBE", "DKIM_FAIL", "USED"}
    assert [pattern.id for pattern in plan.patterns.patterns] == ["USED"]


def test_plan_does_not_ask_a_list_whose_symbols_weigh_nothing() -> None:
    text = "extends: balanced\nweights: {SPAMCOP_LISTED: 0}"

    assert [one.zone for one in policies(text).plan.dns_lists] == ["psbl.surriel.com"]


EARLY = """
early: {connect: 5}
weights: {IPREV_MISSING: 3, HELO_SYNTAX: 3}
"""


def refused_for_all(text: str) -> bool:
    common = policies(EARLY + text).common(INBOUND)
    return all(
        decide_early(policy, found("IPREV_MISSING", "HELO_SYNTAX"), "connect") for policy in common
    )


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param("", True, id="no-overrides"),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, thresholds: {tag: 3}}]", True, id="only-marks"
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, weights: {HELO_SYNTAX: 1}}]",
            False,
            id="a-recipient-with-a-lower-weight",
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, early: {connect: null}}]",
            False,
            id="a-recipient-without-the-threshold",
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, early: {connect: 7}}]",
            False,
            id="a-recipient-with-a-higher-threshold",
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, groups: {client: {cap: 4}}}]",
            False,
            id="a-recipient-with-a-lower-cap",
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b}, weights: {IPREV_MISSING: 9}}]",
            True,
            id="a-recipient-with-a-higher-weight",
        ),
        pytest.param(
            "overrides: [{match: {recipient: a@b, direction: internal}, early: {connect: 9}}]",
            True,
            id="a-recipient-of-another-direction",
        ),
        pytest.param(
            "overrides: [{match: {direction: inbound}, weights: {HELO_SYNTAX: 0}}]",
            False,
            id="all-recipients-let-through",
        ),
    ],
)
def test_common_refuses_only_what_is_refused_for_every_recipient(
    overrides: str, expected: bool
) -> None:
    assert refused_for_all(overrides) is expected


@pytest.mark.parametrize(
    ("mail_from", "expected"),
    [
        pytest.param(None, False, id="not-known-yet"),
        pytest.param("", True, id="the-null-one"),
        pytest.param("a@partner.example", False, id="the-one-let-through"),
        pytest.param("a@example.net", True, id="another-one"),
    ],
)
def test_common_waits_for_a_sender_that_an_override_names(
    mail_from: str | None, expected: bool
) -> None:
    text = "overrides: [{match: {sender: '*@partner.example'}, early: {connect: null}}]"
    common = policies(EARLY + text).common(Context("inbound", "inbound", mail_from))
    seen = found("IPREV_MISSING", "HELO_SYNTAX")

    assert all(decide_early(policy, seen, "connect") for policy in common) is expected


def test_common_before_rcpt_has_the_words_of_the_general_policy() -> None:
    text = "overrides: [{match: {recipient: a@b}, weights: {GTUBE: 3}}]"

    first, second = policies(text).common(INBOUND)

    assert first == policies(text).select(INBOUND, None)
    assert second.weights == {}


@pytest.mark.parametrize(
    ("change", "same_refusal", "same_marks"),
    [
        pytest.param("thresholds: {tag: 4}", True, False, id="a-mark"),
        pytest.param("actions: {tag: {subject_prefix: '[x]'}}", True, False, id="a-prefix"),
        pytest.param("headers: none", True, False, id="no-headers"),
        pytest.param(
            "actions: {quarantine: {as: redirect, to: q@x}}", True, False, id="a-redirect"
        ),
        pytest.param("thresholds: {reject: 11}", False, False, id="a-refusing-threshold"),
        pytest.param("thresholds: {defer: 8}", False, False, id="another-refusal"),
        pytest.param("weights: {GTUBE: 4}", False, False, id="a-weight"),
        pytest.param("groups: {auth: {cap: 2}}", False, False, id="a-cap"),
        pytest.param("early: {rcpt: 9}", False, False, id="an-early-threshold"),
        pytest.param("thresholds: {reject: 9}", True, True, id="the-same-again"),
        pytest.param("groups: {client: {cap: 2}}", True, False, id="a-cap-of-nothing-counted"),
    ],
)
def test_keys_are_equal_exactly_when_what_they_stand_for_is(
    change: str, same_refusal: bool, same_marks: bool
) -> None:
    text = f"""
    thresholds: {{tag: 3, reject: 9}}
    weights: {{GTUBE: 5, SPF_FAIL: 2}}
    overrides: [{{match: {{recipient: a@b}}, {change}}}]
    """
    found_ = policies(text)

    one, other = found_.select(INBOUND, "a@b"), found_.select(INBOUND, "b@b")

    assert (one.refusal_key == other.refusal_key) is same_refusal
    assert (one.marks_key == other.marks_key) is same_marks


def test_refusal_key_where_nothing_refuses_weights_do_not_matter() -> None:
    text = """
    thresholds: {tag: 3}
    weights: {GTUBE: 5}
    overrides: [{match: {recipient: a@b}, weights: {GTUBE: 4}}]
    """
    found_ = policies(text)

    one, other = found_.select(INBOUND, "a@b"), found_.select(INBOUND, "b@b")

    assert one.refusal_key == other.refusal_key
    assert one.marks_key != other.marks_key


def test_explanation_in_the_header_is_for_whom_an_override_says() -> None:
    found = policies(
        "headers: none\noverrides:\n"
        "  - {match: {recipient: admin@example.org}, headers: explained}\n"
        "  - {match: {recipient_domain: example.net}, headers: all}\n"
    )

    chosen = [
        found.select(INBOUND, recipient)
        for recipient in ("a@example.com", "a@example.net", "admin@example.org")
    ]

    assert [(policy.headers, policy.explained) for policy in chosen] == [
        (False, False),
        (True, False),
        (True, True),
    ]
