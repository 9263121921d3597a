"""Expressions: what is true of a message, and every mistake at its character, in words."""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.message.files.attachment import Danger
from milter.message.urls.link import Trait
from policies.expressions.language import Condition, Failure, Language, all_hold, holds
from policies.expressions.reading import ExpressionError
from policies.expressions.values import values
from policies.lists import read_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.facts import FactValue

PARTNERS = read_list(b"example.net\nkim@example.com\n192.0.2.0/24\n", "partners.txt")
LANGUAGE = Language({"SPF_FAIL", "SPF_PASS", "DKIM_PASS"}, {"partners": PARTNERS})
FACTS: Mapping[str, FactValue] = {
    "connection": {"ip": "::ffff:192.0.2.7", "port": 25},
    "subject": "You won",
    "author_domain": "mail.EXAMPLE.net",
    "symbols": ["SPF_FAIL", "DKIM_PASS"],
    "attachments": [{"extension": "pdf"}, {"extension": "exe", "size_bytes": 9}],
    "headers": {"from": 2, "list-id": 1},
    "dmarc": {"result": "pass", "aligned": True},
    "languages": [{"language": "en", "confidence": 0.75}],
    "score": 7.5,
    "mail_from": "kim@example.com",
}


def is_true(text: str, facts: Mapping[str, FactValue] = FACTS) -> bool | Failure:
    condition = LANGUAGE.compile(text)
    return holds(
        condition.program, LANGUAGE.message(values(facts, sorted(condition.reading.facts)))
    )


@pytest.mark.parametrize(
    "text",
    [
        'dmarc.result == "pass" && dmarc.aligned',
        'attachments.exists(a, a.extension in ["exe", "scr", "js"])',
        'attachments.filter(a, a.extension == "exe").all(a, a.size_bytes < 10)',
        '"SPF_FAIL" in symbols && !("SPF_PASS" in symbols)',
        'symbols.exists(s, s.startsWith("DKIM_"))',
        "score > 7 && score < 8 && score != 7",
        "score + 1 > 8 && -score < -7 && score in [7.5, 1]",
        "languages.exists(l, l.confidence >= 0.75 && l.confidence < 1)",
        'count(headers, "From") == 2 && count(headers, "sender") == 0',
        '"list-id" in headers',
        'subject.matches("^You (have )?won")',
        '!subject.matches("=[^&]{1,800};")',
        '!urls.exists(u, u.url.matches("=[^&]{1,50};") || u.text.matches("\\\\p{Cyrillic}+"))',
        'subject.contains("won") ? size(subject) == 7 : false',
        'in_network(connection.ip, "192.0.2.0/24")',
        'in_list(connection.ip, "partners")',
        'in_list(author_domain, "partners") && in_list(mail_from, "partners")',
        'under_domain(author_domain, "example.net")',
        '!under_domain(author_domain, "ample.net") && !under_domain("", "example.net")',
        'similar(author_domain, "mail.exanple.net") > 0.9',
        'similar("", "") == 0 && similar("PayPal", "paypal") == 1',
        'spf.result == "" && dkim.all(d, d.result == "pass")',
        "connection.port == 25",
    ],
)
def test_expression_that_is_true(text: str) -> None:
    assert is_true(text) is True
    assert is_true(f"!({text})") is False


def test_expression_with_no_facts_meets_empty_values() -> None:
    assert is_true('dmarc.result == "" && size(attachments) == 0 && score == 0', {}) is True


def test_expression_that_fails_says_so_and_is_not_false() -> None:
    result = is_true("1 / size(attachments) > 0", {})

    assert result == Failure("divide by zero")


def test_expression_over_long_lists_stays_within_its_steps() -> None:
    many: dict[str, FactValue] = {"attachments": [{"extension": "x"} for _ in range(5000)]}

    assert is_true('attachments.exists(a, a.extension == "exe")', many) is False
    assert is_true("size(attachments) == 1000", many) is True


def compiled(*texts: str) -> list[Condition]:
    return [LANGUAGE.compile(text) for text in texts]


def test_together_gives_what_each_gives() -> None:
    conditions = compiled('subject == "x"', "score > 5", '"SPF_FAIL" in symbols', 'helo == ""')
    message = LANGUAGE.message(values(FACTS, ["subject", "score", "symbols", "helo"]))

    together = all_hold(LANGUAGE.together(conditions), message)

    assert together == [False, True, True, True]
    assert together == [holds(condition.program, message) for condition in conditions]


def test_together_one_that_fails_leaves_each_to_itself() -> None:
    conditions = compiled("score > 5", "1 / connection.port > 0")
    message = LANGUAGE.message(values({}, ["score", "connection"]))

    assert all_hold(LANGUAGE.together(conditions), message) is None


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ('dmarc.reslt == "x"', "reslt", "`dmarc` has no field `reslt`: did you mean `result`?"),
        (
            'attachments.exists(a, a.extnsion == "exe")',
            "extnsion",
            "`attachments` has no field `extnsion`: did you mean `extension`?",
        ),
        ('subjct == "a"', "subjct", "there is no fact `subjct`: did you mean `subject`?"),
        (
            "score > 5 ||\n  scor > 12345",
            "scor >",
            "there is no fact `scor`: did you mean `score`?",
        ),
        (
            'attachments.exist(a, a.extension == "exe")',
            "exist(",
            "there is no function `exist`: did you mean `exists`?",
        ),
        (
            'subject.contains("é😀") && foobar',
            "foobar",
            "there is no fact `foobar`: a text stands in quotes",
        ),
        ("dmarc.result == pass", "pass", "there is no fact `pass`: a text stands in quotes"),
        ("SPF_FAIL", "SPF_FAIL", 'a symbol is asked for in quotes: "SPF_FAIL" in symbols'),
        (
            '"SPF_FIAL" in symbols',
            "SPF_FIAL",
            "there is no symbol SPF_FIAL: did you mean `SPF_FAIL`?",
        ),
        (
            'simlar(subject, "x") > 1',
            "simlar",
            "there is no function `simlar`: did you mean `similar`?",
        ),
        (
            'subject.startswith("x")',
            "startswith",
            "there is no function `startswith`: did you mean `startsWith`?",
        ),
        (
            "similar(subject) > 1",
            "similar",
            '`similar` is written similar(author_domain, "example.org") > 0.8',
        ),
        (
            'subject.startsWith("a", 1)',
            "startsWith",
            "`startsWith` cannot be used in this way here",
        ),
        ("subject > 5", "> 5", "`>` does not go with a text and a whole number"),
        ("!subject", "!subject", "`!` does not go with a text"),
        (
            'classifier == "pass"',
            "==",
            (
                "`==` does not go with the record classifier and a text: name one of its fields: "
                "probability, confidence, unsure"
            ),
        ),
        (
            "size(symbols) > score",
            "> score",
            (
                "`>` does not go with a whole number and a number: "
                "write double(...) around the whole number"
            ),
        ),
        ("subject", "subject", "this is neither true nor false: compare it with something"),
        ('subject = "x"', "= ", "to compare, write =="),
        ('subject == "x" and true', "and", "write && for and, || for or, ! for not"),
        ('subject == "x', '"x', "a quote is not closed, or stands too much"),
        ("true &&", "", "the expression breaks off here"),
        ("true false", "false", "`false` is not expected here"),
        (
            "subject.length > 3",
            ".length",
            "a text has no fields, so nothing can stand behind this dot",
        ),
        (
            'in_network(connection.ip, "192.0.2.1/24")',
            "192.0.2.1/24",
            "`192.0.2.1/24` is no network such as 192.0.2.0/24: the bits behind its prefix are not zero",
        ),
        (
            "in_network(connection.ip, subject)",
            "subject",
            (
                "`in_network` needs its text written out here, "
                'as in in_network(connection.ip, "192.0.2.0/24")'
            ),
        ),
        (
            'in_list(author_domain, "partner")',
            "partner",
            "there is no list `partner`: did you mean `partners`?",
        ),
        (
            'under_domain(author_domain, "*.example.org")',
            "*.",
            '`*.example.org` is no domain: write "example.org", which stands for all below it too',
        ),
        (
            'under_domain(author_domain, "@")',
            "@",
            '`@` is no domain: write "example.org", which stands for all below it too',
        ),
        (
            '"Ann@Example.org" in recipients',
            "Ann",
            '`recipients` has mailboxes in their plain spelling: write "Ann@example.org"',
        ),
        (
            'mail_from in ["a@example.org", "a@bücher.example"]',
            "a@b",
            '`mail_from` has mailboxes in their plain spelling: write "a@xn--bcher-kva.example"',
        ),
        ('mail_from == "<>"', "<>", '`mail_from` is empty for the null reverse path: write ""'),
        ('"X-Mailer" in headers', "X-", '`headers` is in small letters: write "x-mailer"'),
        (
            'attachments.exists(a, "macro" in a.dangers)',
            "macro",
            '`dangers` is never "macro": did you mean `macros`?',
        ),
        (
            'urls.exists(u, "shortner" in u.traits)',
            "shortner",
            '`traits` is never "shortner": did you mean `shortener`?',
        ),
        ('subject.matches("(")', '(")', "not a pattern: missing ): ("),
        (
            'headers["from"] > 1',
            '["from"]',
            (
                "what stands at one place of a list or behind one name may not be there: write "
                'dkim.exists(d, d.result == "pass") or count(headers, "from")'
            ),
        ),
        (
            "symbols.exists(s, symbols.exists(t, t == s))",
            "(t, t",
            "a look through a list inside another one can take a million steps: ask once",
        ),
        (f"{'(' * 60}true{')' * 60}", "(", "nested too deep: make two rules of it"),
        (f"{'!(' * 200}true{')' * 200}", "!", "nested too deep: make two rules of it"),
    ],
)
def test_expression_mistakes_stand_under_the_wrong_word(text: str, at: str, what: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        LANGUAGE.compile(text)

    assert (raised.value.what, raised.value.offset) == (
        what,
        text.rindex(at) if at in {"(t, t", "subject"} else text.index(at) if at else len(text),
    )


@pytest.mark.parametrize("word", [*Danger, *Trait])
def test_expression_may_ask_for_whatever_is_found(word: str) -> None:
    field = "traits" if word in set(Trait) else "dangers"
    records = "urls" if field == "traits" else "attachments"

    condition = LANGUAGE.compile(f'{records}.exists(r, "{word}" in r.{field})')

    assert condition.reading.facts == {records}


@pytest.mark.parametrize(
    ("pattern", "states"), [("=[^&]{1,800};", "7,205"), (r"\\pL{1,50}9", "59,854")]
)
def test_expression_matches_no_large_pattern_for_each_item(pattern: str, states: str) -> None:
    with pytest.raises(ExpressionError, match=f"^{states} states are too many") as raised:
        LANGUAGE.compile(f'urls.exists(u, u.url.matches("{pattern}"))')

    assert raised.value.offset == len('urls.exists(u, u.url.matches("')


def test_expression_too_long_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"longer than 4,096 characters"):
        LANGUAGE.compile(f'subject == "{"x" * 5000}"')


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ('"SPF_FAIL" in symbols', {"SPF_FAIL"}),
        ('subject == "x" && "SPF_FAIL" in symbols', {"SPF_FAIL"}),
        ('"SPF_FAIL" in symbols || "SPF_PASS" in symbols', {"SPF_FAIL", "SPF_PASS"}),
        ('"SPF_FAIL" in symbols || subject == "x"', None),
        ('!("SPF_FAIL" in symbols)', None),
        (
            '("SPF_FAIL" in symbols || "SPF_PASS" in symbols) && "DKIM_PASS" in symbols',
            {"DKIM_PASS"},
        ),
        ('symbols.exists(s, s == "SPF_FAIL")', {"SPF_FAIL"}),
        ('symbols.exists(s, s != "SPF_FAIL")', None),
        ('symbols.all(s, s == "SPF_FAIL")', None),
        ('symbols.exists(s, s in ["SPF_FAIL", "SPF_PASS"])', {"SPF_FAIL", "SPF_PASS"}),
        ('symbols.filter(s, s in ["SPF_FAIL", "SPF_PASS"]).size() > 1', {"SPF_FAIL", "SPF_PASS"}),
        ('symbols.filter(s, s in ["SPF_FAIL", "SPF_PASS"]).size() >= 0', None),
        ('symbols.filter(s, s in ["SPF_FAIL", "SPF_PASS"]).size() < 2', None),
        ('symbols.map(s, s == "SPF_FAIL", "x").size() >= 1', None),
    ],
)
def test_expression_tells_the_symbols_without_which_it_cannot_be_true(
    text: str, needed: set[str] | None
) -> None:
    assert LANGUAGE.compile(text).reading.required == needed


def test_expression_tells_what_it_reads() -> None:
    reading = LANGUAGE.compile(
        'dmarc.result == "" && "SPF_FAIL" in symbols && attachments.exists(subject, subject.name == "")'
    ).reading

    assert reading.facts == {"dmarc", "symbols", "attachments"}
    assert reading.symbols == {"SPF_FAIL"}
    assert not reading.every_symbol
    assert LANGUAGE.compile("size(symbols) > 3").reading.every_symbol


@pytest.mark.parametrize(
    ("text", "every_symbol"),
    [
        ('symbols.exists(s, s == "SPF_FAIL")', False),
        ('symbols.filter(s, s in ["SPF_FAIL"]).size() == 0', False),
        ('symbols.exists(s, !(s in ["SPF_FAIL"]))', True),
        ('symbols.exists_one(s, s == "SPF_FAIL")', True),
        ('symbols.map(s, s == "SPF_FAIL", "x").size() >= 1', True),
        ('symbols.all(s, s in ["SPF_FAIL"])', True),
        ('symbols.exists(s, s in ["SPF_FAIL", subject])', True),
    ],
)
def test_expression_that_picks_symbols_by_name_reads_those_alone(
    text: str, every_symbol: bool
) -> None:
    reading = LANGUAGE.compile(text).reading

    assert reading.every_symbol is every_symbol
    assert reading.symbols == (set() if every_symbol else {"SPF_FAIL"})


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("present", [(), ("SPF_FAIL",), ("SPF_FAIL", "DKIM_PASS", "SPF_PASS")])
def test_expression_counts_symbols_as_the_library_does(
    least: int, present: tuple[str, ...]
) -> None:
    picked = 'symbols.filter(s, s in ["SPF_FAIL", "SPF_PASS"]).size()'
    ours = LANGUAGE.compile(f"{picked} >= {least}")
    theirs = LANGUAGE.compile(f"0 <= {picked} - {least}")

    assert ours.by_symbols is not None
    assert theirs.by_symbols is None
    assert ours.by_symbols(present) is holds(
        theirs.program, LANGUAGE.message({"symbols": list(present)})
    )
