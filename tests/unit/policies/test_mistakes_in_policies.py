"""Mistakes that people make in policies: each is answered at its line and column, in words."""

from __future__ import annotations

from tests.unit.policies.policy_files import a_policy, mistakes

LIST = """
dns_lists:
  - zone: bl.example
    asks: client_ip
    codes:
      "{code}": {{symbol: {symbol}, weight: {weight}, describe: Listed}}
"""


def a_list(code: str = "127.0.0.2", symbol: str = "LISTED", weight: str = "2") -> str:
    return LIST.format(code=code, symbol=symbol, weight=weight)


def a_pattern(match: str, view: str = "subject") -> str:
    return f"patterns:\n  - {{id: MINE, in: {view}, describe: d, weight: 1, match: {match}}}\n"


def test_pattern_with_unknown_view_is_refused_with_the_views() -> None:
    assert mistakes(a_pattern("x", "sujbect")) == [
        (
            "site.yaml:4:20: `in` needs header:NAME, subject, headers, body, text, html, hidden, "
            "folded, skeleton, urls, filenames, raw, mail_from, helo, client_name, not 'sujbect': "
            "did you mean `subject`?"
        )
    ]


def test_pattern_named_like_a_symbol_of_a_check_is_refused() -> None:
    text = a_pattern("x").replace("MINE", "GTUBE")

    assert mistakes(text) == ["site.yaml:4:10: the symbol GTUBE exists already: choose another id"]


def test_policy_without_heading_lacks_version_and_name() -> None:
    text = "extends: base.yaml"

    assert mistakes(text, base_yaml="thresholds: {tag: 5}") == [
        "base.yaml:1:1: `version` is missing (Version of this language: 1)",
        "base.yaml:1:1: `name` is missing (Name in metrics and in logs)",
    ]


def test_policy_of_another_version_is_refused() -> None:
    assert mistakes("extends: base.yaml", base_yaml="version: 2\nname: base") == [
        "base.yaml:1:10: `version` needs 1, not 2"
    ]


def test_policy_every_mistake_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = "tresholds: {}\nheaders: 3\nweights: {SPF_FAIL: much}\noverrides: {}"

    places = [line.split(": ")[0] for line in mistakes(text)]

    assert places == ["site.yaml:3:1", "site.yaml:4:10", "site.yaml:5:21", "site.yaml:6:12"]


def test_policy_mistakes_that_only_the_whole_shows_are_reported_at_once() -> None:
    text = "weights: {NO_SUCH: 1}\ngroups: {nowhere: {cap: 1}}\nthresholds: {tag: 9, reject: 3}"

    assert len(mistakes(text)) == 3


def test_policies_that_extend_one_another_are_refused() -> None:
    expected = "base.yaml:3:10: the files extend one another in a circle"

    assert mistakes(
        "extends: base.yaml", base_yaml="version: 1\nname: base\nextends: ./site.yaml"
    ) == [expected]


def test_mistake_below_is_shown_in_the_file_that_has_it() -> None:
    base = "version: 1\nname: base\nweights: {NO_SUCH: 1}"

    assert mistakes("extends: base.yaml\nthresholds: {tag: 3}", base_yaml=base) == [
        "base.yaml:3:11: there is no symbol NO_SUCH"
    ]


def test_list_that_is_none_leaves_what_stands_below_it() -> None:
    base = a_pattern("x") + "rules: [{id: BOTH, when: '\"MINE\" in symbols', weight: 1}]"

    assert mistakes(
        "extends: base.yaml\npatterns:\n", base_yaml=f"version: 1\nname: base\n{base}"
    ) == ["site.yaml:4:10: `patterns` needs a list, not nothing"]


def test_mapping_that_is_none_leaves_what_stands_below_it() -> None:
    rule = "{id: MINE, when: 'in_list(author_domain, \"friends\")', weight: 1}"
    base = f"lists: {{friends: {{domains: [example.net]}}}}\nrules: [{rule}]"

    assert mistakes(
        "extends: base.yaml\nlists:\n", base_yaml=f"version: 1\nname: base\n{base}"
    ) == ["site.yaml:4:7: `lists` needs a mapping of keys, not nothing"]


def test_key_file_that_holds_no_key_is_refused_without_showing_it() -> None:
    text = a_list().replace("    codes", "    key_file: k.yaml\n    codes")

    (said,) = mistakes(text, k_yaml="two words\n")

    assert said == ("site.yaml:6:15: k.yaml does not hold one key of letters, digits and hyphens")


def test_policy_without_mistakes_is_taken() -> None:
    assert a_policy(a_list()).weights == {"LISTED": 2.0}
