"""A prefilter changes no answer: RE2 with it says what RE2 says alone."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import prefilter
from policies.engine import PatternError, PatternSpec
from policies.patterns import PatternSet, View

pytestmark = pytest.mark.skipif(
    not prefilter.is_available(), reason="hyperscan has no wheel for this machine"
)

TEXTS = (
    *("you (have )?won", "lottery", "фирма", "周六", r"\bpills\b", "[^a]z$", "^hello", "a{2,90}b"),
    *("a.{2,5}z", "[周末]{2}", r"\Sz", "[^\\sx]{2}7", "[é-ü]t", "é+", "周?六", ".{3}7$"),
)
ODD = (
    *(r"\x{41}", r"\pL7", "[а-я]{3}7", "Ა", "[ა-Ჿ]1", "ſpam", "(?-i)ABC", "x.*?y", "(a|b|)c"),
    "[[:alpha:]]9",
)


def specs(view: str, texts: tuple[str, ...]) -> list[PatternSpec]:
    return [PatternSpec(f"P{index}", view, text) for index, text in enumerate(texts)]


def both(view: str, texts: tuple[str, ...], content: View) -> tuple[object, object]:
    """Return what RE2 says alone and behind a prefilter."""
    alone = PatternSet.compile(specs(view, texts))
    behind = PatternSet.compile(specs(view, texts))
    ready = prefilter.load(prefilter.build(view, behind.written()[view]))
    assert ready is not None
    behind.arm(view, ready)
    return alone.match(lambda _: content), behind.match(lambda _: content)


@pytest.mark.parametrize(
    "text",
    [
        "You WON the LOTTERY",
        "ФИРМА 7 周六",
        "say pills.",
        "hello\nbz",
        "aab" + "a" * 95 + "b",
        "SPAM \u017fpam \u212aelvin abc ABC",
        "ა1 Ა1 ǅ7 абв7 АБВ7",
        "a\x0bz7 \x0bz7 a\x0b7 周末六é7 ÉT aééééz a12345z a123456z",
        "won " * 40 + "周" * 40 + " you have won, and you won again",
        "",
    ],
)
def test_prefilter_changes_no_answer(text: str) -> None:
    alone, behind = both("body", TEXTS + ODD, text)

    assert behind == alone


def test_prefilter_of_bytes_and_of_lists_changes_no_answer() -> None:
    raw = ("abc", r"\xE9t\xE9", "[\\x80-\\xff]{2}", "won")

    alone, behind = both("raw", raw, b"ABC \xc9T\xc9 WON")
    assert behind == alone != []
    alone, behind = both("urls", ("^http://a", "exe$", "b.c"), ["http://a/x.EXE", "x", "b\nc"])
    assert behind == alone != []


WORDS = st.text(alphabet="abkKsS ſK\u10d0\u1c90éÉ7.\n\x0b周", max_size=30)
PIECES = st.sampled_from(
    [*"abks7é周ſა.^$", *(r"\b", r"\w", r"\S", r"\D", "[^a]", "[ab]", "[é周b]", "[a-é]", r"[^\s7]")]
)
TIMES = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{0,3}", "{1,2}?", "{2,}"])
SIMPLE = st.lists(st.tuples(PIECES, TIMES).map("".join), min_size=1, max_size=4).map("".join)
GROUPED = st.tuples(SIMPLE, SIMPLE, TIMES, SIMPLE).map(
    lambda parts: f"{parts[0]}({parts[1]}|{parts[3]}){parts[2]}"
)
ANY_TEXT = st.text(alphabet="abks.*+?[]^$()|{2}\\bwდა\u1c90é7-", min_size=1, max_size=10)
PATTERNS = st.lists(st.one_of(SIMPLE, GROUPED, ANY_TEXT), min_size=1, max_size=6)


@given(PATTERNS, WORDS)
@settings(max_examples=200)
def test_prefilter_changes_no_answer_whatever_pattern_and_text(
    texts: list[str], content: str
) -> None:
    fine = []
    for text in texts:
        try:
            PatternSet.compile([PatternSpec("P", "body", text)])
            fine.append(text)
        except PatternError:
            continue
    if fine and prefilter.load(prefilter.build("body", fine)) is not None:
        alone, behind = both("body", tuple(fine), content)
        assert behind == alone


def as_folded(text: str) -> str:
    return normalize("NFKC", normalize("NFKC", text).casefold())


@pytest.mark.slow
@pytest.mark.parametrize("view", ["body", "skeleton"])
def test_prefilter_finds_every_letter_in_either_case(view: str) -> None:
    options = re2.Options()
    options.case_sensitive = False
    partners: dict[str, set[str]] = {}
    for code in [*range(0x80, 0xD800), *range(0xE000, 0x20000)]:
        letter = chr(code)
        for other in {letter.lower(), letter.upper(), letter.casefold(), letter.title()} - {letter}:
            if len(other) == 1:
                partners.setdefault(other, set()).add(letter)
                partners.setdefault(letter, set()).add(other)
    letters = sorted(partners)
    for start in range(0, len(letters), 300):
        some = letters[start : start + 300]
        ready = prefilter.load(prefilter.build(view, some))
        assert ready is not None
        for index, letter in enumerate(some):
            regexp = re2.compile(letter, options)
            for other in (letter, *partners[letter]):
                if view == "skeleton" and as_folded(other) != other:
                    continue
                if regexp.search(other.encode()):
                    found = ready.candidates(other.encode())
                    assert found is None or index in dict(found), (letter, other)


def test_prefilter_that_is_damaged_is_none() -> None:
    data = prefilter.build("body", TEXTS)

    assert prefilter.load(data) is not None
    for broken in (b"", data[:-1], data[:100], data + b"x", b"\0" * 32 + data[32:]):
        assert prefilter.load(broken) is None
        assert not prefilter.is_whole(broken)


def test_prefilter_is_kept_under_what_it_holds() -> None:
    assert prefilter.key_of("body", ["a"]) == prefilter.key_of("text", ["a"])
    assert prefilter.key_of("body", ["a"]) != prefilter.key_of("raw", ["a"])
    assert prefilter.key_of("body", ["a"]) != prefilter.key_of("body", ["b"])


# Hyperscan lost words that end the text beside patterns that are more than a word.
ENDING = ("!!", "zz", "€€", "ок", "$$", "a!", "xxy", "ssn1", "free!", "q")
LITERALS = tuple(map(re.escape, ENDING))
BESIDE = (
    *(r"casino\b", "casino$", r"\.(exe|scr)$", "(?m)^> .{1,60}", "won .{0,40}lottery", "lottery"),
    *(r"(?m)^[a-z ]{3,80}!$", r"[^a]z\z", "v[i1]agra", "(free money|casino) ", "a{2,90}b", r"\W#"),
)


@given(
    st.lists(st.sampled_from(LITERALS), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(BESIDE), max_size=6, unique=True),
    st.sampled_from(["", "$", r"\b", r"\z", "(?m:$)", ".*", "!?"]),
    st.sampled_from(["q", " ", "é", "\n"]),
)
@settings(max_examples=40)
def test_prefilter_finds_what_ends_the_text_whatever_its_length(
    words: list[str], beside: list[str], behind: str, filler: str
) -> None:
    texts = (*words, *beside, *(word + behind for word in words))
    alone = PatternSet.compile(specs("body", texts))
    armed = PatternSet.compile(specs("body", texts))
    ready = prefilter.load(prefilter.build("body", armed.written()["body"]))
    assert ready is not None
    armed.arm("body", ready)
    for size in range(72):
        for end in ENDING:
            text = {"body": filler * size + end}
            assert armed.match(text.__getitem__) == alone.match(text.__getitem__)


def test_prefilter_says_no_offset_behind_the_text() -> None:
    ready = prefilter.load(prefilter.build("body", [r"won\s\s", "w.?n$"]))
    assert ready is not None

    assert ready.candidates(b"you have won") == [(0, 12), (1, 12)]
