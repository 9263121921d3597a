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
        pytest.param("header A Subject =~ /x/i", [("A", "header:subject", "x")], id="header"),
        pytest.param("header A ALL =~ /^X-Y:/i", [("A", "headers", "(?m)^X-Y:")], id="all"),
        pytest.param(
            "header A ToCc =~ /x/i",
            [("A__1", "header:to", "x"), ("A__2", "header:cc", "x")],
            id="to-and-cc",
        ),
        pytest.param("header A From:addr =~ /x/i", [("A", "header:from:addr", "x")], id="addr"),
        pytest.param("header A From:name =~ /x/i", [("A", "header:from:name", "x")], id="name"),
        pytest.param("header A Subject:raw =~ /x/i", [("A", "header:subject:raw", "x")], id="raw"),
        pytest.param("header A EnvelopeFrom =~ /x/i", [("A", "mail_from", "x")], id="envelope"),
        pytest.param("uri A m{^http://x/}i", [("A", "urls", "^http://x/")], id="uri"),
        pytest.param("full A /x/i", [("A", "raw", "(?m)x")], id="full"),
        pytest.param(
            "body A /x y/i",
            [("A__1", "subject", r"(?ms)x\s+y"), ("A__2", "body", r"(?ms)x\s+y")],
            id="body",
        ),
        pytest.param(
            "rawbody A /<b>/i",
            [("A__1", "text", "(?m)<b>"), ("A__2", "html", "(?m)<b>")],
            id="rawbody",
        ),
    ],
)
def test_test_becomes_a_pattern_for_each_place(rule: str, expected: list[object]) -> None:
    assert patterns(a_pack(rule)) == expected


def test_header_that_must_not_match_becomes_a_rule() -> None:
    assert conditions(a_pack("header A Subject !~ /x/")) == {"A": '!("A__1" in symbols)'}


def test_header_that_is_there_becomes_a_rule() -> None:
    assert conditions(a_pack("header A exists:X-Y")) == {"A": 'count(headers, "x-y") > 0'}


def test_header_that_counts_as_something_where_it_is_absent() -> None:
    with_none = a_pack("header A X-Y =~ /^none$/ [if-unset: none]")
    with_other = a_pack("header A X-Y =~ /^none$/ [if-unset: other]")

    assert conditions(with_none) == {"A": '"A__1" in symbols || count(headers, "x-y") == 0'}
    assert conditions(with_other) == {}


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        pytest.param("A && !B", '"A" in symbols && !("B" in symbols)', id="not"),
        pytest.param(
            "(A + B) >= 2",
            '(("A" in symbols ? 1.0 : 0.0) + ("B" in symbols ? 1.0 : 0.0)) >= 2.0',
            id="sum",
        ),
        pytest.param("A + B", None, id="sum-as-a-truth"),
        pytest.param("A || SPF_FAIL", '"A" in symbols || "SPF_FAIL" in symbols', id="one-of-ours"),
    ],
)
def test_meta_becomes_a_condition(expression: str, condition: str | None) -> None:
    pack = a_pack(f"uri A /a/i\nuri B /b/i\nmeta M {expression}")

    expected = condition or ('(("A" in symbols ? 1.0 : 0.0) + ("B" in symbols ? 1.0 : 0.0) != 0.0)')
    assert conditions(pack)["M"] == expected


def test_parts_are_kept_where_something_asks_for_them_alone() -> None:
    pack = a_pack("uri __A /a/i\nuri __B /b/i\nmeta M __A")

    assert [name for name, _, _ in patterns(pack)] == ["SUB_A"]
    assert pack.unused == ["__B"]


def test_score_is_that_of_the_set_and_0_switches_off() -> None:
    text = "uri A /a/\nuri B /b/\nscore A 1 2 3 4\nscore B 0\nmeta M A && !B"

    pack = a_pack(text, score_set=2)

    assert [each["weight"] for each in pack.patterns] == [3.0]
    assert pack.switched_off == ["B"]
    assert conditions(pack) == {"M": '"A" in symbols && !(false)'}


def test_names_that_a_policy_knows_get_others() -> None:
    assert patterns(a_pack("full GTUBE /x/i")) == [("SA_GTUBE", "raw", "(?m)x")]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        pytest.param("header A eval:check_x('y')", {"A": "the function check_x()"}, id="eval"),
        pytest.param("body A /a(?!b)/", {"A": "look-ahead"}, id="look-ahead"),
        pytest.param(
            "header A From:first =~ /x/", {"A": "`:first`, one of several headers"}, id="first"
        ),
        pytest.param(
            "header A ToCc:addr =~ /x/",
            {"A": "`ToCc:addr`, a part of what is no single header"},
            id="part-of-two",
        ),
        pytest.param(
            "header A ALL-EXTERNAL =~ /x/",
            {"A": "the field ALL-EXTERNAL, which SpamAssassin makes up"},
            id="made-up-field",
        ),
        pytest.param(
            "replace_tag A x\nreplace_rules A\nbody A /<A>b/",
            {"A": "tags of `replace_tag` in its pattern"},
            id="replaced-tags",
        ),
        pytest.param(
            "body __A /a/\ntflags __A multiple\nmeta M __A >= 3",
            {"M": "how often __A hits; here a rule hits once"},
            id="number-of-hits",
        ),
        pytest.param(
            "body A /a(?!b)/\nmeta M A",
            {"A": "look-ahead", "M": "A, which it asks for, is not imported"},
            id="asks-for-one-that-is-refused",
        ),
        pytest.param(
            "meta M NOWHERE", {"M": "NOWHERE, which it asks for, is nowhere defined"}, id="nowhere"
        ),
        pytest.param(
            "meta A B\nmeta B A",
            {"A": "B, which it asks for, is not imported", "B": "a circle of meta rules through A"},
            id="circle",
        ),
        pytest.param("meta A rules_matching(X)", {"A": "the function rules_matching()"}, id="call"),
        pytest.param("uri A /a{1,5000}/", None, id="more-repetition-than-the-engine-takes"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, reasons: dict[str, str] | None) -> None:
    pack = a_pack(text)

    assert pack.imported == []
    assert why(pack) == reasons or (reasons is None and list(why(pack)) == ["A"])


def test_blocks_are_read_as_version_4_with_its_plugins_would() -> None:
    text = (
        "if (version >= 3.004)\nuri A /a/\nelse\nuri B /b/\nendif\n"
        "ifplugin Mail::X\nuri C /c/\nelse\nuri D /d/\nendif\nif can(x)\nuri E /e/\nendif\n"
    )
    assert a_pack(text).imported == ["A", "C", "E"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("(version >= 4.000000) && can(Mail::X)", True),
        ("(version < 4.0)", False),
        ("!plugin(Mail::X)", False),
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
    source.read("a.cf", f"if {condition}\nuri A /a/\nendif\nuri B /b/\n")

    assert list(source.rules) == (["A", "B"] if holds else ["B"])
    assert [what for _, what in source.unread] == (
        ["a condition that is not understood; left out"] if holds is None else []
    )


def test_lines_that_are_not_understood_are_told() -> None:
    source = RuleSource()
    source.read("a.cf", "trusted_networks 10/8 # mine\nscore A many\nheader\n")

    assert [(place.line, what) for place, what in source.unread] == [
        (1, "`trusted_networks` is not imported"),
        (2, "a score of A that is neither one number nor four"),
        (3, "a header rule without a name or without a test"),
    ]


def test_mistakes_in_rules_raise_nothing() -> None:
    whole = (
        b"header A From:addr =~ m{x[\\w y]+?(?:a|b){2,3}}xi [if-unset: z]\n"
        b"body __B /a b\\xc3\\xa9/\nmeta M (A + !__B >= 2) && SPF_FAIL\nscore M 1 2 3 4\n"
        b"if (version > 3)\nuri C /a#b/\nendif\n"
    )
    for number in range(2000):
        text = mutated(whole, (whole,), Random(number))  # noqa: S311 - made again by its number
        a_pack(text.decode("latin-1"))
