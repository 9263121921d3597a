"""Perl's regular expressions in RE2's syntax: what is said anew, and what is refused."""

from __future__ import annotations

import pytest

from policies.spamassassin.regexps import NotImportedError, read_regexp, to_re2


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        pytest.param("/cheap/i", "cheap", id="either-case-is-usual-here"),
        pytest.param("/cheap/", "(?-i)cheap", id="own-case"),
        pytest.param("m{a/b}i", "a/b", id="braces"),
        pytest.param("m!a/b!i", "a/b", id="other-delimiter"),
        pytest.param("m'a'i", "a", id="apostrophes"),
        pytest.param(r"/a\/b/i", r"a\/b", id="escaped-delimiter"),
        pytest.param("/a . b # c/xi", "a.b", id="extended"),
        pytest.param("/[ #]a/xi", "[ #]a", id="space-in-a-class-stays-in-extended"),
        pytest.param(r"/\ba\h+b\Z/i", r"\ba[ \t]+b\n?\z", id="escapes-of-perl"),
        pytest.param(r"/[\h_]/i", r"[ \t_]", id="escape-in-a-class"),
        pytest.param("/[]a]/i", r"[\]a]", id="bracket-first-in-a-class"),
        pytest.param(r"/caf\xc3\xa9/i", "café", id="bytes-of-a-character"),
        pytest.param("/a(?#why)b/i", "ab", id="comment"),
        pytest.param("/a.b/is", "(?s)a.b", id="dot-takes-line-breaks"),
        pytest.param(r"/a{2,3}?b\_/i", "a{2,3}?b_", id="lazy-repetition"),
    ],
)
def test_expression_is_said_anew(written: str, pattern: str) -> None:
    assert to_re2(read_regexp(written), lines=False) == pattern


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        pytest.param("/a b/i", r"(?ms)a\s+b", id="space-is-any-white-space"),
        pytest.param("/a {1,3}b/i", r"(?ms)a\s{1,3}b", id="counted-spaces"),
        pytest.param("/a[ -]b/i", r"(?ms)a[\s-]b", id="space-in-a-class"),
    ],
)
def test_expression_for_paragraphs_takes_line_breaks_for_spaces(written: str, pattern: str) -> None:
    assert to_re2(read_regexp(written), lines=True, spaces=True) == pattern


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param("/a(?=b)/", "look-ahead", id="look-ahead"),
        pytest.param("/(?<!a)b/", "look-behind", id="look-behind"),
        pytest.param(r"/(a)\1/", "a back-reference", id="back-reference"),
        pytest.param("/(?>a+)b/", "an atomic group", id="atomic"),
        pytest.param("/a++b/", "possessive repetition", id="possessive"),
        pytest.param("/a{2}+b/", "possessive repetition", id="possessive-count"),
        pytest.param(r"/\xa0/", "bytes that are no characters of UTF-8", id="lone-byte"),
        pytest.param("/[a/", "a class that does not end", id="open-class"),
        pytest.param("/a/e", "a test that is no regular expression", id="unknown-flag"),
        pytest.param("word", "a test that is no regular expression", id="a-word"),
        pytest.param("", "a test that is no regular expression", id="nothing"),
        pytest.param("/a\\/", "a backslash at the end", id="backslash"),
    ],
)
def test_expression_that_does_not_fit_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(NotImportedError, match="^" + why.replace("-", r"\-")):
        to_re2(read_regexp(written), lines=False)
