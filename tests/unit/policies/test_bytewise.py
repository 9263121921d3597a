"""A pattern for bytes finds at least what the pattern for characters finds."""

from __future__ import annotations

import pytest

from policies.bytewise import bytewise


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("you (have )?won", "you (have )?won"),
        (r"\bwin\w{2,9}[a-z ,]+$", r"\bwin\w{2,9}[a-z ,]+(?m:$)"),
        (r"(win\z|lose$)", "(win(?m:$)|lose(?m:$))"),
        (r"\$[$]", r"\$[$]"),
        ("a.{0,300}b", "a.{0,}b"),
        ("a.*?b.+c", "a.*b.+c"),
        ("<a[^>]{1,200}>", "<a[^>]{1,}>"),
        ("a.b", r"a(?:.[\x80-\xbf]{0,3})b"),
        (r"[^\s>]?", r"(?:[^\t\n\f\r >][\x80-\xbf]{0,3})?"),
        (r"[\Wa]", r"(?:[\Wa][\x80-\xbf]{0,3})"),
        ("周末?", "周(?:末)?"),
        ("é", "(?:É|é)"),
        ("[a周]{2}", "(?:周|[a]){2}"),
        ("[一-龥]", r"(?:[\xc2-\xf4][\x80-\xbf]{1,3})"),
        ("[é-龥]", r"(?:[\xc2-\xf4][\x80-\xbf]{1,3}|[sk])"),
        ("[x-é]", r"(?:[\xc2-\xf4][\x80-\xbf]{1,3}|[x-\x7f])"),
        ("[^é]x", r"(?:[\x00-\xff][\x80-\xbf]{0,3})x"),
        (r"\.{2}\[\d", r"\.{2}\[\d"),
        ("(?is)<b>.{3,5}", "(?is)<b>.{3,}"),
    ],
)
def test_pattern_is_rewritten_for_bytes(text: str, written: str) -> None:
    assert bytewise(text) == written


@pytest.mark.parametrize("text", [r"\pL", r"\x{41}", r"\C", r"\Qa\E", "[[:alpha:]]", r"\101"])
def test_nothing_is_said_of_characters_by_name_or_number(text: str) -> None:
    assert bytewise(text) is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("кредит", "кредит"),
        ("Ё?[её]", "(?:ё)?(?:е|ё)"),
        ("straße", "straße"),
        ("win.{0,9}", "win.{0,}"),
    ],
)
def test_letters_are_written_once_for_texts_without_case(text: str, written: str) -> None:
    assert bytewise(text, folded=True) == written
