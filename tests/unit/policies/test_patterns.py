from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.engine import PatternError, PatternSpec
from policies.patterns import PatternHit, PatternSet
from tests.unit.policies.policy_files import policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.patterns import View

# All of its patterns are shipped ones.
OTHER = "version: 1\nname: other\nextends: balanced\n"


def search(pattern: str, view: str, content: View) -> PatternHit | None:
    compiled = PatternSet.compile([PatternSpec("P", view, pattern)])
    hits = compiled.match({view: content}.__getitem__)
    return hits[0] if hits else None


def spans(pattern: str, view: str, content: View) -> tuple[int, int, str] | None:
    hit = search(pattern, view, content)
    return (hit.start, hit.end, hit.excerpt) if hit else None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("lottery", "The LOTTERY", (4, 11, "LOTTERY"), id="either-case"),
        pytest.param("(?-i)lottery", "The LOTTERY", None, id="own-case-when-asked"),
        pytest.param("grüße", "Viele GRÜSSE, GRÜẞE", (14, 19, "GRÜẞE"), id="not-ascii"),
        pytest.param("b", "äöü🎉b", (4, 5, "b"), id="counted-in-characters"),
        pytest.param("中奖", "恭喜您中奖了", (3, 5, "中奖"), id="chinese"),
        pytest.param("a.b", "a\nb", None, id="dot-is-no-line-feed"),
        pytest.param("(?s)a.b", "a\nb", (0, 3, "a b"), id="dot-is-a-line-feed-when-asked"),
        pytest.param("^b", "a\nb", None, id="caret-is-the-beginning-of-the-text"),
        pytest.param("(?m)^b", "a\nb", (2, 3, "b"), id="caret-is-a-line-when-asked"),
        pytest.param(r"\bwon\b", "I won!", (2, 5, "won"), id="word-boundary"),
        pytest.param("x", "\udcffx", (1, 2, "x"), id="a-lone-surrogate-does-no-harm"),
        pytest.param("x", "", None, id="empty-text"),
        pytest.param("a{1000}", "a" * 999, None, id="a-thousand-repetitions"),
    ],
)
def test_match_text(pattern: str, text: str, expected: tuple[int, int, str] | None) -> None:
    assert spans(pattern, "subject", text) == expected


@pytest.mark.parametrize(
    ("pattern", "content", "expected"),
    [
        pytest.param(r"\xe9", b"caf\xe9", (3, 4, "é"), id="a-byte"),
        pytest.param(r"\xc3\xa9", "é".encode(), (0, 2, "Ã©"), id="bytes-of-a-character"),
        pytest.param("a.c", b"a\xffc", (0, 3, "aÿc"), id="dot-is-any-byte"),
        pytest.param(r"a\x00b", b"a\x00B", (0, 3, "a B"), id="nul"),
    ],
)
def test_match_raw_is_by_bytes(
    pattern: str, content: bytes, expected: tuple[int, int, str]
) -> None:
    assert spans(pattern, "raw", content) == expected


@pytest.mark.parametrize(
    ("pattern", "items", "expected"),
    [
        pytest.param(r"\.exe$", ["a.txt", "b.exe"], (1, 5, ".exe"), id="dollar-ends-an-item"),
        pytest.param(r"^b", ["a.txt", "b.exe"], (0, 1, "b"), id="caret-begins-an-item"),
        pytest.param(r"invoice[^.]*\.exe", ["invoice", "x.exe"], None, id="not-across-two-items"),
        pytest.param(
            r"invoice[^.]*\.exe",
            ["invoice", "x.txt", "INVOICE-7.exe"],
            (0, 13, "INVOICE-7.exe"),
            id="in-one-item-though-across-two-as-well",
        ),
        pytest.param(r"^evil$", ["a\nevil"], None, id="an-item-cannot-pose-as-two"),
        pytest.param("x", [], None, id="no-items"),
        pytest.param("x", ["", ""], None, id="empty-items"),
    ],
)
def test_match_list_item_by_item(
    pattern: str, items: list[str], expected: tuple[int, int, str] | None
) -> None:
    assert spans(pattern, "filenames", items) == expected


def test_match_asks_for_each_view_once_and_only_if_needed() -> None:
    asked: list[str] = []
    views: Mapping[str, View] = {"subject": "you won", "header:x-mailer": "Bulk 2"}

    def view(name: str) -> View:
        asked.append(name)
        return views[name]

    compiled = PatternSet.compile(
        [
            PatternSpec("A", "subject", "won"),
            PatternSpec("B", "header:x-mailer", "bulk"),
            PatternSpec("C", "subject", "you"),
            PatternSpec("D", "subject", "lost"),
        ]
    )

    assert [hit.id for hit in compiled.match(view)] == ["A", "C", "B"]
    assert asked == ["subject", "header:x-mailer"]
    assert compiled.views == {"subject", "header:x-mailer"}


def test_match_excerpt_is_short_and_printable() -> None:
    hit = search("(?s)a.*b", "body", "a\r\n\x1b[31m" + "x" * 500 + "b")

    assert hit is not None
    assert hit.excerpt == "a   [31m" + "x" * 72
    assert hit.end - hit.start == 509


@pytest.mark.parametrize(
    ("pattern", "view", "offset", "what"),
    [
        pytest.param("won(?!x)", "body", 3, "look-around", id="negative-look-ahead"),
        pytest.param("(?<=x)won", "body", 0, "look-around", id="look-behind"),
        pytest.param(r"(?P<a>x)(?P=a)", "body", 8, "back-reference", id="named-back-reference"),
        pytest.param(r"(x)\k<a>", "body", 3, "back-reference", id="back-reference-by-k"),
        pytest.param(r"\\(x)\1", "body", 5, "back-reference", id="after-an-escaped-backslash"),
        pytest.param(r"[(?=](x)\1", "body", 8, "back-reference", id="look-around-in-brackets"),
        pytest.param(r"\Q(?=\E(?=a)", "body", 7, "look-around", id="look-around-quoted"),
        pytest.param("(?>x)", "body", 0, "atomic", id="atomic-group"),
        pytest.param("x++", "body", 1, "possessive", id="possessive"),
        pytest.param("x{2000}", "body", 1, "1,000", id="too-many-repetitions"),
        pytest.param("(x{100}){100}", "body", 8, "1,000", id="repetitions-of-repetitions"),
        pytest.param(r"x\Z", "body", 1, r"written \z", id="python-end-of-text"),
        pytest.param("(a)(b", "body", 3, "not closed", id="the-open-parenthesis"),
        pytest.param("x|", "body", 0, "empty text", id="empty-alternative"),
        pytest.param(r"\b", "body", 0, "empty text", id="word-boundary-alone"),
        pytest.param("^|x", "body", 0, "empty text", id="beginning-alone"),
        pytest.param("aé", "raw", 1, "bytes", id="raw-is-bytes"),
        pytest.param(r"a\z", "urls", 1, "^ and $", id="end-of-text-in-a-list"),
        pytest.param("x" * 5000, "body", 4096, "longer", id="too-long"),
        pytest.param(r"\p{Nowhere}", "body", 0, "no range", id="unknown-script"),
    ],
)
def test_compile_refuses_with_place(pattern: str, view: str, offset: int, what: str) -> None:
    with pytest.raises(PatternError) as raised:
        PatternSet.compile([PatternSpec("P", view, pattern)])

    assert what in raised.value.what
    assert raised.value.offset == offset


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(.*a){12}$", "(a*)*b", "(?:a?){25}a{25}$"],
)
def test_match_evil_pattern_is_linear(pattern: str) -> None:
    compiled = PatternSet.compile([PatternSpec("P", "body", pattern)])

    # A backtracking engine would still be at it when the test's time is up.
    assert compiled.match(lambda _: "a" * 100_000 + "!") == []


def test_some_of_the_patterns_are_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    every = PatternSet.compile([PatternSpec("A", "body", "a"), PatternSpec("B", "body", "b")])
    monkeypatch.setattr("policies.patterns.compile_pattern", lambda _: pytest.fail("compiled"))

    some = every.only(frozenset("B"))

    assert some.patterns == (PatternSpec("B", "body", "b"),)
    assert [hit.id for hit in some.match(lambda _: "a b")] == ["B"]
    assert [hit.id for hit in every.match(lambda _: "a b")] == ["A", "B"]


def test_patterns_of_a_shadow_are_compiled_when_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = policies(
        "rules_packs: []\nshadow: [{policy: other.yaml, until: 2099-01-31}]\n", other_yaml=OTHER
    )
    (shadow,) = found.plan.shadows
    monkeypatch.setattr("policies.patterns.compile_pattern", lambda _: pytest.fail("compiled"))

    hits = shadow.own.match(lambda _: "nothing of the kind")

    assert "EN_NEXT_OF_KIN" in {spec.id for spec in shadow.own.patterns}
    assert hits == []
