"""Rule files as packs: what each type becomes, what meta rules ask for, and what is refused."""

from __future__ import annotations

from random import Random

import pytest

from policies.spamassassin.source import RuleSource
from policies.spamassassin.translate import Pack, translate
from tests.support.mutation import mutated

TAKEN = frozenset({"SPF_FAIL", "GTUBE"})


def a_pack(text: str, score_set: int = 1) -> Pack:
    source = RuleSource()
    source.read("a.cf", text)
    return translate(source, TAKEN, score_set)


def patterns(pack: Pack) -> list[tuple[object, object, object]]:
    return [(each["id"], each["in"], each["match"]) for each in pack.patterns]


def conditions(pack: Pack) -> dict[object, object]:
    return {each["id"]: each["when"] for each in pack.rules}


def why(pack: Pack) -> dict[str, str]:
    return {each.name: each.why for each in pack.refused}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param("header AA Subject =~ /x/i", [("AA", "header:subject", "x")], id="header"),
        pytest.param("header AA ALL =~ /^X-Y:/i", [("AA", "headers", "(?m)^X-Y:")], id="all"),
        pytest.param(
            "header AA ToCc =~ /x/i",
            [("AA__1", "header:to", "x"), ("AA__2", "header:cc", "x")],
            id="to-and-cc",
        ),
        pytest.param("header AA From:addr =~ /x/i", [("AA", "header:from:addr", "x")], id="addr"),
        pytest.param("header AA From:name =~ /x/i", [("AA", "header:from:name", "x")], id="name"),
        pytest.param(
            "header AA Subject:raw =~ /x/i", [("AA", "header:subject:raw", "x")], id="raw"
        ),
        pytest.param("header AA EnvelopeFrom =~ /x/i", [("AA", "mail_from", "x")], id="envelope"),
        pytest.param("uri AA m{^http://x/}i", [("AA", "urls", "^http://x/")], id="uri"),
        pytest.param("full AA /x/i", [("AA", "raw", "(?m)x")], id="full"),
        pytest.param(
            "body AA /x y/i",
            [("AA__1", "subject", r"(?ms)x\s+y"), ("AA__2", "body", r"(?ms)x\s+y")],
            id="body",
        ),
        pytest.param(
            "rawbody AA /<b>/i",
            [("AA__1", "text", "(?m)<b>"), ("AA__2", "html", "(?m)<b>")],
            id="rawbody",
        ),
    ],
)
def test_test_becomes_a_pattern_for_each_place(rule: str, expected: list[object]) -> None:
    assert patterns(a_pack(rule)) == expected


def test_header_that_must_not_match_becomes_a_rule() -> None:
    assert conditions(a_pack("header AA Subject !~ /x/")) == {"AA": '!("AA__1" in symbols)'}


def test_header_that_is_there_becomes_a_rule() -> None:
    assert conditions(a_pack("header AA exists:X-Y")) == {"AA": 'count(headers, "x-y") > 0'}


def test_header_that_counts_as_something_where_it_is_absent() -> None:
    with_none = a_pack("header AA X-Y =~ /^none$/ [if-unset: none]")
    with_other = a_pack("header AA X-Y =~ /^none$/ [if-unset: other]")

    assert conditions(with_none) == {"AA": '"AA__1" in symbols || count(headers, "x-y") == 0'}
    assert conditions(with_other) == {}


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        pytest.param("AA && !BB", '"AA" in symbols && !("BB" in symbols)', id="not"),
        pytest.param(
            "(AA + BB) >= 2",
            '(("AA" in symbols ? 1.0 : 0.0) + ("BB" in symbols ? 1.0 : 0.0)) >= 2.0',
            id="sum",
        ),
        pytest.param("AA + BB", None, id="sum-as-a-truth"),
        pytest.param(
            "AA || SPF_FAIL", '"AA" in symbols || "SPF_FAIL" in symbols', id="one-of-ours"
        ),
    ],
)
def test_meta_becomes_a_condition(expression: str, condition: str | None) -> None:
    pack = a_pack(f"uri AA /a/i\nuri BB /b/i\nmeta MM {expression}")

    expected = condition or (
        '(("AA" in symbols ? 1.0 : 0.0) + ("BB" in symbols ? 1.0 : 0.0) != 0.0)'
    )
    assert conditions(pack)["MM"] == expected


def test_parts_are_kept_where_something_asks_for_them_alone() -> None:
    pack = a_pack("uri __A /a/i\nuri __B /b/i\nmeta MM __A")

    assert [name for name, _, _ in patterns(pack)] == ["SUB_A"]
    assert pack.unused == ["__B"]


def test_score_is_that_of_the_set_and_0_switches_off() -> None:
    text = "uri AA /a/\nuri BB /b/\nscore AA 1 2 3 4\nscore BB 0\nmeta MM AA && !BB"

    pack = a_pack(text, score_set=2)

    assert [each["weight"] for each in pack.patterns] == [3.0]
    assert pack.switched_off == ["BB"]
    assert conditions(pack) == {"MM": '"AA" in symbols && !(false)'}


def test_names_that_a_policy_knows_get_others() -> None:
    assert patterns(a_pack("full GTUBE /x/i")) == [("SA_GTUBE", "raw", "(?m)x")]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        pytest.param("header AA eval:check_x('y')", {"AA": "the function check_x()"}, id="eval"),
        pytest.param("body AA /a(?!b)/", {"AA": "look-ahead"}, id="look-ahead"),
        pytest.param(
            "header AA From:first =~ /x/", {"AA": "`:first`, one of several headers"}, id="first"
        ),
        pytest.param(
            "header AA ToCc:addr =~ /x/",
            {"AA": "`ToCc:addr`, a part of what is no single header"},
            id="part-of-two",
        ),
        pytest.param(
            "header AA ALL-EXTERNAL =~ /x/",
            {"AA": "the field ALL-EXTERNAL, which SpamAssassin makes up"},
            id="made-up-field",
        ),
        pytest.param(
            "replace_tag AA x\nreplace_rules AA\nbody AA /<AA>b/",
            {"AA": "tags of `replace_tag` in its pattern"},
            id="replaced-tags",
        ),
        pytest.param(
            "body __A /a/\ntflags __A multiple\nmeta MM __A >= 3",
            {"MM": "how often __A hits; here a rule hits once"},
            id="number-of-hits",
        ),
        pytest.param(
            "body AA /a(?!b)/\nmeta MM AA",
            {"AA": "look-ahead", "MM": "AA, which it asks for, is not imported"},
            id="asks-for-one-that-is-refused",
        ),
        pytest.param(
            "meta MM NOWHERE",
            {"MM": "NOWHERE, which it asks for, is nowhere defined"},
            id="nowhere",
        ),
        pytest.param(
            "meta AA BB\nmeta BB AA",
            {
                "AA": "BB, which it asks for, is not imported",
                "BB": "a circle of meta rules through AA",
            },
            id="circle",
        ),
        pytest.param(
            "meta AA rules_matching(X)", {"AA": "the function rules_matching()"}, id="call"
        ),
        pytest.param("uri AA /a{1,5000}/", None, id="more-repetition-than-the-engine-takes"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, reasons: dict[str, str] | None) -> None:
    pack = a_pack(text)

    assert pack.imported == []
    assert why(pack) == reasons or (reasons is None and list(why(pack)) == ["AA"])


def test_blocks_are_read_as_version_4_with_its_plugins_would() -> None:
    text = (
        "if (version >= 3.004)\nuri AA /a/\nelse\nuri BB /b/\nendif\n"
        "ifplugin Mail::XX\nuri CC /c/\nelse\nuri DD /d/\nendif\nif can(x)\nuri EE /e/\nendif\n"
    )
    assert a_pack(text).imported == ["AA", "CC", "EE"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("(version >= 4.000000) && can(Mail::XX)", True),
        ("(version < 4.0)", False),
        ("!plugin(Mail::XX)", False),
        ("!(version > 5) && (can(X) || plugin(Y))", True),
        ("perl_version >= 5.018000", True),
        ("version == 4 or version == 3", True),
        ("local_tests_only", None),
        ("(version >= 3", None),
        ("", None),
    ],
)
def test_conditions_are_answered_or_told(condition: str, holds: bool | None) -> None:
    source = RuleSource()
    source.read("a.cf", f"if {condition}\nuri AA /a/\nendif\nuri BB /b/\n")

    assert list(source.rules) == (["AA", "BB"] if holds else ["BB"])
    assert [what for _, what in source.unread] == (
        ["a condition that is not understood; left out"] if holds is None else []
    )


def test_lines_that_are_not_understood_are_told() -> None:
    source = RuleSource()
    source.read("a.cf", "trusted_networks 10/8 # mine\nscore AA many\nheader\n")

    assert [(place.line, what) for place, what in source.unread] == [
        (1, "`trusted_networks` is not imported"),
        (2, "a score of AA that is neither one number nor four"),
        (3, "a header rule without a name or without a test"),
    ]


def test_mistakes_in_rules_raise_nothing() -> None:
    whole = (
        b"header AA From:addr =~ m{x[\\w y]+?(?:a|b){2,3}}xi [if-unset: z]\n"
        b"body __B /a b\\xc3\\xa9/\nmeta MM (AA + !__B >= 2) && SPF_FAIL\nscore MM 1 2 3 4\n"
        b"if (version > 3)\nuri CC /a#b/\nendif\n"
    )
    for number in range(2000):
        text = mutated(whole, (whole,), Random(number))  # noqa: S311 - made again by its number
        a_pack(text.decode("latin-1"))


def test_rule_gets_a_name_that_a_policy_takes() -> None:
    pack = a_pack("uri A /a/\nbody B /b/\nmeta M A && B")

    assert [each["id"] for each in pack.patterns] == ["SA_A", "SA_B__1", "SA_B__2"]
    assert conditions(pack)["SA_M"] == '"SA_A" in symbols && "SA_B" in symbols'


@pytest.mark.parametrize("text", ["body AA /a/\nuri AA__2 /b/", "uri AA__2 /b/\nbody AA /a/"])
def test_parts_of_a_rule_are_called_like_no_other_rule(text: str) -> None:
    pack = a_pack(text)

    ids = [str(each["id"]) for each in (*pack.patterns, *pack.rules)]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("uri T_AA /a/", 0.01),
        ("uri T_AA /a/\ntflags T_AA nice", -0.01),
        ("uri T_AA /a/\nscore T_AA 2", 2.0),
        ("uri AA /a/", 1.0),
    ],
)
def test_rule_on_trial_weighs_next_to_nothing(text: str, weight: float) -> None:
    assert [each["weight"] for each in a_pack(text).patterns] == [weight]


def test_meta_that_is_too_large_for_a_policy_is_refused() -> None:
    names = [f"RULE_NUMBER_{number}" for number in range(200)]
    uris = "\n".join(f"uri {name} /x{name}/" for name in names)

    pack = a_pack(
        f"{uris}\nmeta MANY {' || '.join(names)}\nmeta DEEP {'(' * 35}AA{')' * 35}\nuri AA /a/"
    )

    assert why(pack) == {
        "MANY": "longer than 4,096 characters",
        "DEEP": "nested too deep: make two rules of it",
    }
    assert not pack.rules
