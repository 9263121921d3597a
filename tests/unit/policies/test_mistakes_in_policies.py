"""Mistakes that people make in policies: each is answered at its line and column, in words."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "treshold: {tag: 5}",
            "site.yaml:3:1: unknown key `treshold`: did you mean `thresholds`?",
            id="unknown-key",
        ),
        pytest.param(
            "thresholds: {tagg: 5}",
            "site.yaml:3:14: unknown key `tagg`: did you mean `tag`?",
            id="unknown-key-further-in",
        ),
        pytest.param(
            "thresholds: {discard: 50}",
            "site.yaml:3:14: unknown key `discard`: known here: defer, quarantine, reject, tag",
            id="no-threshold-discards",
        ),
        pytest.param(
            "thresholds: {tag: five}",
            "site.yaml:3:19: `tag` needs a number, not 'five'",
            id="a-word-for-a-number",
        ),
        pytest.param(
            'thresholds: {tag: "5"}',
            "site.yaml:3:19: `tag` needs a number, not '5'",
            id="a-quoted-number",
        ),
        pytest.param(
            "thresholds: {tag: 0}",
            "site.yaml:3:19: `tag` needs more than 0, not 0",
            id="a-threshold-that-every-message-reaches",
        ),
        pytest.param(
            "thresholds: 5",
            "site.yaml:3:13: `thresholds` needs a mapping of keys, not 5",
            id="a-number-for-a-mapping",
        ),
        pytest.param(
            "thresholds: {tag: 8, reject: 5}",
            "site.yaml:3:30: `reject` (5) is lower than `tag` (8), which is milder",
            id="thresholds-out-of-order",
        ),
        pytest.param(
            "weights: {GTUBE: 1}\nweights: {SPF_FAIL: 2}",
            "site.yaml:4:1: the key `weights` stands twice: the first is on line 3",
            id="duplicate-key",
        ),
        pytest.param(
            "weights:\n  SPF_FIAL: 3",
            "site.yaml:4:3: there is no symbol SPF_FIAL: did you mean `SPF_FAIL`?",
            id="unknown-symbol",
        ),
        pytest.param(
            "weights: {spf_fail: 3}",
            "site.yaml:3:11: the key `spf_fail` must be a name in capitals, such as SPF_FAIL",
            id="a-symbol-in-small-letters",
        ),
        pytest.param(
            "weights: {SPF_FAIL: 1e9}",
            "site.yaml:3:21: `SPF_FAIL` needs 1000 or less, not 1000000000.0",
            id="a-weight-that-hides-all-others",
        ),
        pytest.param(
            "groups: {auht: {cap: 3}}",
            "site.yaml:3:10: no symbol is in a group `auht`: did you mean `auth`?",
            id="unknown-group",
        ),
        pytest.param(
            "groups: {auth: {floor: 3}}",
            "site.yaml:3:24: `floor` needs 0 or less, not 3",
            id="a-floor-above-zero",
        ),
        pytest.param(
            "extends: balansed",
            "site.yaml:3:10: there is no preset `balansed`: did you mean `balanced`?; "
            "a file ends in .yaml",
            id="unknown-preset",
        ),
        pytest.param(
            "extends: other.yaml",
            "other.yaml: cannot be read: No such file or directory",
            id="missing-file",
        ),
        pytest.param(
            "default_weights: yes",
            "site.yaml:3:18: `default_weights` needs true or false, not 'yes'",
            id="yes-is-no-truth-value",
        ),
        pytest.param(
            "headers: some",
            "site.yaml:3:10: `headers` needs all or none, not 'some'",
            id="a-word-that-is-no-choice",
        ),
        pytest.param(
            "actions: {quarantine: {as: redirect}}",
            "site.yaml:3:23: `as: redirect` needs `to`: the address that messages go to instead",
            id="redirect-to-nowhere",
        ),
        pytest.param(
            "actions: {quarantine: {as: redirect, to: postmaster}}",
            "site.yaml:3:42: `to` needs an address like held@example.org, not 'postmaster'",
            id="redirect-to-no-address",
        ),
        pytest.param(
            "actions: {defer: {reply: 550 5.7.1 Go away}}",
            "site.yaml:3:26: `reply` needs a reply like "
            "'451 4.7.1 Try again later ({txn_id})', not '550 5.7.1 Go away'",
            id="a-deferral-that-refuses-for-good",
        ),
        pytest.param(
            "overrides:\n  - {match: {}, thresholds: {tag: 3}}",
            "site.yaml:4:13: `match` is empty: say whom the override is for, "
            "or move its keys to the top",
            id="an-override-for-everybody",
        ),
        pytest.param(
            "overrides:\n  - {thresholds: {tag: 3}}",
            "site.yaml:4:5: `match` is missing (Whom it is for)",
            id="an-override-for-nobody",
        ),
        pytest.param(
            "overrides:\n  - {match: {recipent: a@b}}",
            "site.yaml:4:14: unknown key `recipent`: did you mean `recipient`?",
            id="unknown-key-of-a-match",
        ),
        pytest.param(
            "thresholds: {reject: 9}\noverrides:\n"
            "  - {match: {direction: inbound}, thresholds: {tag: 12}}",
            "site.yaml:5:53: `reject` (9) is lower than `tag` (12), which is milder",
            id="an-override-that-puts-thresholds-out-of-order",
        ),
        pytest.param(
            "overrides:\n  - {match: {direction: inwards}}",
            "site.yaml:4:25: `direction` needs inbound, outbound or internal, not 'inwards'",
            id="unknown-direction",
        ),
        pytest.param(
            "overrides:\n  - {match: {sender: []}}",
            "site.yaml:4:22: `sender` needs text or at least 1 in the list, not an empty list",
            id="a-match-of-nothing",
        ),
    ],
)
def test_policy_mistake_is_shown_at_its_place_in_words(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "dns_lists: [{zone: bl.example, asks: client_ip}]",
            "site.yaml:3:13: the list bl.example needs either `codes` or `bits`: "
            "which answers are listings must be said",
            id="any-answer",
        ),
        pytest.param(
            a_list("127.255.255.254"),
            "site.yaml:7:7: `127.255.255.254` can never be a listing: "
            "lists answer 127.255.255.x when they refuse a query",
            id="a-refusal-as-listing",
        ),
        pytest.param(
            a_list("127.0.0.1"),
            "site.yaml:7:7: `127.0.0.1` can never be a listing: "
            "lists answer 127.0.0.1 when they refuse a query",
            id="the-blocked-answer-as-listing",
        ),
        pytest.param(
            a_list("127.0.0.250-255"),
            "site.yaml:7:7: `127.0.0.250-255` can never be a listing: "
            "lists answer 127.0.0.255 when they block a resolver",
            id="a-range-that-holds-an-error",
        ),
        pytest.param(
            a_list("192.0.2.1"),
            "site.yaml:7:7: `192.0.2.1` can never be a listing: "
            "an answer outside 127.0.0.0/8 comes from a parked or hijacked list",
            id="a-parked-list",
        ),
        pytest.param(
            a_list("127.0.0"),
            "site.yaml:7:7: `127.0.0`: an answer is written like 127.0.0.2 or 127.0.0.10-11",
            id="no-address",
        ),
        pytest.param(
            a_list("127.0.0.11-10"),
            "site.yaml:7:7: `127.0.0.11-10`: a range is written like 127.0.0.10-11: "
            "from a lower number to a higher, up to 255",
            id="a-range-backwards",
        ),
        pytest.param(
            a_list(weight="-2"),
            "site.yaml:7:45: a list with `effect: block` has positive weights or 0",
            id="a-block-list-that-speaks-for-a-message",
        ),
        pytest.param(
            a_list(symbol="SPF_FAIL"),
            "site.yaml:7:29: the symbol SPF_FAIL is used by a check: choose another name",
            id="a-symbol-that-means-something-else",
        ),
        pytest.param(
            a_list().replace("client_ip", "[client_ip, author_domain]"),
            "site.yaml:5:11: one entry asks about addresses and domains: write one for each",
            id="addresses-and-domains-at-once",
        ),
        pytest.param(
            a_list(weight="-2")
            .replace("asks", "effect: allow\n    asks")
            .replace("client_ip", "helo"),
            "site.yaml:6:11: `helo` is what anybody may write into a message, so no list can allow "
            "because of it: client_ip, dkim_domain, reverse_name can be asked",
            id="a-list-that-allows-what-anybody-may-write",
        ),
        pytest.param(
            a_list().replace("bl.example", "dnsbl.sorbs.net"),
            "site.yaml:4:11: SORBS ended in 2024-06-05 (its zones are empty): take the list out",
            id="a-list-that-ended",
        ),
        pytest.param(
            a_list().replace("bl.example", "zen.spamhuas.org"),
            "site.yaml:4:11: there is no known list zen.spamhuas.org, but one like it: "
            "did you mean zen.spamhaus.org?",
            id="a-slip-of-the-finger-in-a-zone",
        ),
        pytest.param(
            a_list().replace("bl.example", "bl_example"),
            "site.yaml:4:11: `zone` needs a zone such as bl.example.org, not 'bl_example'",
            id="no-zone",
        ),
        pytest.param(
            "dns_lists: [{use: spamhous-zen}]",
            "site.yaml:3:19: the catalogue has no list `spamhous-zen`: "
            "did you mean `spamhaus-zen`?",
            id="no-entry-of-the-catalogue",
        ),
        pytest.param(
            "dns_lists: [{use: spamhaus-zen-dqs}]",
            "site.yaml:3:19: `spamhaus-zen-dqs` needs `key_file`, a file with the key: "
            "Register for the Data Query Service and put the key into a file; "
            "it works through any resolver.",
            id="a-key-is-missing",
        ),
        pytest.param(
            "dns_lists: [{zone: bl.example}]",
            "site.yaml:3:13: a list needs `zone` and `asks`, "
            "or `use` with an entry of the catalogue",
            id="nothing-to-ask",
        ),
        pytest.param(
            a_list().replace("    codes", "    errors: [127.0.0]\n    codes"),
            "site.yaml:6:14: `127.0.0`: an answer is written like 127.0.0.2 or 127.0.0.10-11",
            id="an-error-that-is-no-answer",
        ),
        pytest.param(
            a_list() + '      "127.0.0.1-3": {symbol: B, weight: 1, describe: b}\n',
            "site.yaml:8:31: `symbol` needs a name in capitals, such as SPF_FAIL, not 'B'",
            id="a-symbol-of-one-letter",
        ),
        pytest.param(
            a_list() + '      "127.0.0.2-3": {symbol: BB, weight: 1, describe: b}\n',
            "site.yaml:8:7: `127.0.0.2-3` is covered by `127.0.0.2` already",
            id="an-answer-that-means-two-things",
        ),
        pytest.param(
            a_list() + '      "127.0.0.3": {symbol: LISTED, weight: 9, describe: Listed}\n',
            "site.yaml:8:29: the symbol LISTED means something else above: rename one of them",
            id="a-symbol-with-two-weights",
        ),
        pytest.param(
            a_list() + "  - {zone: bl.example, asks: client_ip, bits: "
            "{2: {symbol: BIT, weight: 1, describe: b}}}\n",
            "site.yaml:8:12: the list bl.example stands twice for client_ip: "
            "put its codes together",
            id="a-list-twice",
        ),
        pytest.param(
            "dns_lists: [{zone: b.example, asks: client_ip, "
            "bits: {1: {symbol: BIT, weight: 1, describe: b}}}]",
            "site.yaml:3:55: bit 1 can never be a listing: it says that we are refused",
            id="the-error-bit",
        ),
        pytest.param(
            "dns_lists: [{zone: b.example, asks: client_ip, "
            "bits: {3: {symbol: BIT, weight: 1, describe: b}}}]",
            "site.yaml:3:55: `3` is no bit: write one of 2, 4, 8, 16, 32, 64, 128",
            id="two-bits-at-once",
        ),
        pytest.param(
            "dns_lists: [{zone: b.example, asks: client_ip, "
            "bits: {two: {symbol: BIT, weight: 1, describe: b}}}]",
            "site.yaml:3:55: the key `two` must be a whole number",
            id="a-bit-in-words",
        ),
        pytest.param(
            a_list().replace("    codes", "    key_file: k\n    codes"),
            "site.yaml:6:15: k cannot be read: No such file or directory",
            id="a-missing-key",
        ),
    ],
)
def test_dns_list_mistake_is_shown_at_its_place_in_words(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param(
            "won (?=lottery)",
            "4:64: look-around (`(?=`) is not linear-time and is refused",
            id="look-ahead",
        ),
        pytest.param(
            "'it''s (?<!not )won'",
            "4:67: look-around (`(?<!`) is not linear-time and is refused",
            id="look-behind-in-quotes",
        ),
        pytest.param(
            r"(a+)b\1",
            r"4:65: a back-reference (`\1`) is not linear-time and is refused",
            id="back-reference",
        ),
        pytest.param(
            "'x{1,1001}'",
            "4:62: `{1,1001}`: at most 1,000 repetitions can be counted",
            id="too-many-repetitions",
        ),
        pytest.param("(won", "4:60: a parenthesis is opened and not closed", id="not-closed"),
        pytest.param("a(b))", "4:64: a parenthesis is closed that was not opened", id="closed"),
        pytest.param(
            "x*",
            "4:60: the pattern matches the empty text, so it would match every message",
            id="matches-the-empty-text",
        ),
        pytest.param(r"foo\y", r"4:63: `\y` means nothing in a pattern", id="unknown-escape"),
        pytest.param("'[z-a]'", "4:62: `z-a` is no range of characters", id="backwards-range"),
    ],
)
def test_pattern_mistake_is_shown_inside_the_pattern(match: str, expected: str) -> None:
    assert mistakes(a_pattern(match)) == [f"site.yaml:{expected}"]


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


def test_key_file_that_holds_no_key_is_refused_without_showing_it() -> None:
    text = a_list().replace("    codes", "    key_file: k.yaml\n    codes")

    (said,) = mistakes(text, k_yaml="two words\n")

    assert said == ("site.yaml:6:15: k.yaml does not hold one key of letters, digits and hyphens")


def test_policy_without_mistakes_is_taken() -> None:
    assert a_policy(a_list()).weights == {"LISTED": 2.0}
