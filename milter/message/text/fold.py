"""Text folded for comparing: one form for each letter, nothing that is not seen.

`folded` is what two readers would call the same text: compatibility forms (full-width, mathematical
and circled letters) are the letters they stand for, case is gone, and so are marks without width.
`skeleton` goes on to what the eye takes for the same word: look-alike letters of another script,
digits for letters, letters with space or dots between them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import re2

from milter.message.text.confusables import (
    drawn_letters,
    looks_latin,
    to_cyrillic,
    to_greek,
    to_upright,
)
from milter.message.text.forms import MOST_KINDS, UNSEEN, beyond_ascii, folded, without_heaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Between two letters of scripts that need none of them: there to cut a word for filters alone.
_CUT: Final = re.compile(
    r"(?<=[A-Za-z\u00c0-\u024f\u0370-\u04ff])"
    "[\u034f\u115f\u1160\u200b-\u200f\u202a-\u202e\u2060-\u2064\u3164\ufeff\uffa0\U000e0000-\U000e0fff]+"
    r"(?=[A-Za-z\u00c0-\u024f\u0370-\u04ff])"
)
_OVERRIDE: Final = re.compile("[\u202d\u202e\u2066-\u2068]")
# Accents that stand by themselves behind their letter: lines through words, heaps of marks.
_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
# A word with a letter that is not Latin. Bounded, for each start of a word is tried.
_WIDE_WORD: Final = re.compile(
    r"[a-zA-Z\u00c0-\u024f]{0,40}+[^\W\d_a-zA-Z\u00c0-\u024f][^\W\d_]{0,60}+"
)
_LATIN: Final = re.compile("[a-z\u00c0-\u024f]")
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_GREEK: Final = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
# Cherokee, Lisu, Coptic and Old Italic.
_SELDOM: Final = re.compile(
    "[\u13a0-\u13ff\uab70-\uabbf\ua4d0-\ua4ff\u2c80-\u2cff\U00010300-\U0001032f]+"
)
# Greek capitals look like other Latin letters than their small forms, so they go before case does.
_GREEK_CAPITAL: Final = re.compile("[\u0391-\u03a9\U0001d6a8-\U0001d7ca]")
_CAPITAL_WORD: Final = re.compile("(?<![A-Za-z])[A-Za-z]*+[\u0391-\u03a9][A-Za-z\u0391-\u03a9]*+")
_CAPITAL_LOOKS: Final = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "ABEZHIKMNOPTYX",
)
_LATIN_LETTER: Final = re.compile("[A-Za-z]")
_ACCENTED: Final = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
# `v1agra`, `p@ypal`: a sign that stands for a letter has letters on both sides, or begins a word.
# Words of letters alone are passed over here, not in a function: they are nearly all.
_LEET_WORD: Final = re.compile(
    r"(?<![\w@$.])(?=[a-z]{0,19}[0-9@$!|])(?=[@$0-9]*[a-z])[a-z0-9@$!|]{3,20}(?![\w@$])(?!\.[a-z])"
)
# A byte for each character, to find where such a word can be: at a sign before a letter, and at
# those signs that end no number and no cry.
_LEET_SIGNS: Final = b"0123456789!|@$"
_KINDS: Final = bytes.maketrans(
    b"abcdefghijklmnopqrstuvwxyz" + _LEET_SIGNS, b"a" * 26 + b"1" * 12 + b"@" * 2
)
# Beyond so many of each, words stay as they are: a list of all would take more room than the text.
_MOST_SIGNS: Final = 50_000
_LEAST_MIXED: Final = 4
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
# Letters on their heads; others of them are those of Turkish, too.
_TURNED: Final = re.compile("[ɐɔǝɟɥɯɹʇʌʍʎ]")
_LEAST_TURNED: Final = 3
# A letter, with the vowel signs of Hindi and Thai that belong to it.
_LETTER: Final = (
    "[^\\W\\d_][\u0900-\u0903\u093a-\u093c\u093e-\u094f\u0e31\u0e33-\u0e3a\u0e47-\u0e4e]{0,4}"
)
_SIGNS: Final = " ._*-~+/|#=,^'\u00b7\u2022\u25cf"
# `v i a g r a`, `v.i.a.g.r.a`: single letters with one sign, the same one, between them.
_SPACED: Final = re.compile(
    rf"(?<![\w/.@]){_LETTER}(?:([{re.escape(_SIGNS)}]){_LETTER})(?:\1{_LETTER}){{2,30}}(?![^\W_])"
)
# `v i a g r a   n o w`: more space between the words than between the letters.
_SPACED_WORDS: Final = re.compile(
    rf"(?<!\S){_LETTER}(?: {_LETTER}){{2,30}}(?!\S)|(?<=\s\s){_LETTER} {_LETTER}(?=\s\s)"
)
# `v.i.a. .n.o.w`: the space between the words has signs around it, too.
_SIGNED_SPACE: Final = re.compile(rf"([{re.escape(_SIGNS[1:])}])[ \t\n]\1(?=\w)")
# Where there is enough of that, short words are written so as well.
_SPACED_SHORT: Final = re.compile(
    rf"(?<!\S){_LETTER}(?:([{re.escape(_SIGNS[1:])}]){_LETTER})(?:\1{_LETTER}){{0,1}}(?!\S)"
)
_LEAST_SIGNED: Final = 3
# Chinese and Japanese have no spaces; signs of these kinds between two letters part nothing.
_HAN: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_BETWEEN_HAN: Final = re.compile(
    "(?<=[\u3040-\u30ff\u3400-\u9fff])[ ._*~+/|\u00b7\u2022-]{1,3}(?=[\u3040-\u30ff\u3400-\u9fff])"
)
# Any other sign, where it stands between each of four letters or more.
_SPREAD_HAN: Final = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff]([^\\w\\s])[\u3040-\u30ff\u3400-\u9fff]"
    "(?:\\1[\u3040-\u30ff\u3400-\u9fff]){2,60}"
)
# The line that lengthens an Arabic word, and the vowel signs that are left out in everyday writing.
_ARABIC_MARKS: Final = re.compile("[\u0640\u064b-\u0652\u0670]")
_ARABIC: Final = re.compile("[\u0620-\u06ff]")
# An abbreviation and an end in Greek or Cyrillic, as people write it who know both: `TNF\u03b1`.
_ACRONYM: Final = re.compile("[A-Z]{2,20}[\u03b1-\u03c9\u0430-\u045f\u0491]{1,20}")
# A letter that is neither Latin nor bare of marks makes a word of `_WIDE_WORD`.
_WIDE_LETTER: Final = re.compile(r"[^\W\d_a-zA-Z\u00c0-\u024f]")
# Letters that are written for one another: the forms of alef, ya and ha at the end of words.
_ARABIC_FORMS: Final = str.maketrans(
    "\u0623\u0625\u0622\u0671\u0649\u0629\u06a9\u06cc",
    "\u0627\u0627\u0627\u0627\u064a\u0647\u0643\u064a",
)


@dataclass(frozen=True, slots=True)
class Disguise:
    """How a text hides its words from filters.

    Attributes:
        cuts: Marks without width between letters of a word.
        overrides: Marks that turn the direction of writing by force.
        mixed_words: Words with letters of several scripts that look alike.
    """

    cuts: int = 0
    overrides: int = 0
    mixed_words: int = 0


PLAIN: Final = Disguise()


def skeleton(text: str) -> str:
    """Return `text` as the eye takes it, for patterns written in plain letters.

    Words of one script stay in it. A word that mixes scripts is written in the script that half of
    its letters are of where the others pass for it, else in Latin letters where all of it looks so.
    Accents on Latin letters are dropped, and so are marks in Arabic. All space is single, none
    stands between Chinese or Japanese letters.
    """
    if not text.isascii():
        text = _in_plain_letters(without_heaps(text))
    text = folded(text)
    if not text.isascii() and _MARKS.search(beyond_ascii(text)):
        text = _MARKS.sub("", text)
    plain = " ".join(text.split())
    if _may_be_spaced().search(plain.encode("utf-8", "surrogatepass")):
        plain = _closed_up(text)
    return _without_leet(plain if plain.isascii() else _plainly_written(plain))


def _in_plain_letters(text: str) -> str:
    """Return `text` with plain letters where the form of letters would mislead their folding."""
    beyond = beyond_ascii(text)
    if _TURNED.search(beyond):
        text = "\n".join([_upright(line) for line in text.split("\n")])
    if _drawn().search(beyond):
        text = text.translate(drawn_letters())
    if _GREEK_CAPITAL.search(beyond):
        text = _CAPITAL_WORD.sub(_latin_capitals, unicodedata.normalize("NFKC", text))
    return text


def _upright(line: str) -> str:
    """Return a line that stands on its head as it is read, any other as it is."""
    count = len(_TURNED.findall(line))
    # In phonetic writing a few of them stand among many others.
    if count < _LEAST_TURNED or count * 3 < sum(map(str.isalpha, line)):
        return line
    return line[::-1].translate(to_upright())


@cache
def _drawn() -> re.Pattern[str]:
    return re.compile(f"[{''.join(map(chr, drawn_letters()))}]")


def _closed_up(text: str) -> str:
    """Return `text` with single space, and without the signs between letters of a word."""
    text = _SPACED_WORDS.sub(lambda match: match[0].replace(" ", ""), text)
    text, count = _SIGNED_SPACE.subn(" ", text)
    text = " ".join(text.split())
    if count >= _LEAST_SIGNED:
        text = _SPACED_SHORT.sub(lambda match: match[0].replace(match[1], ""), text)
    return _SPACED.sub(lambda match: match[0].replace(match[1], ""), text)


def _plainly_written(text: str) -> str:
    """Return `text` with mixed words in one script, and without marks that can be left out."""
    # Most texts have a few signs beyond ASCII, and it is dear to look for each kind in all of it.
    beyond = beyond_ascii(text)
    if _WIDE_LETTER.search(beyond):
        text = _WIDE_WORD.sub(_one_script, text)
        beyond = beyond_ascii(text)
    if _ACCENTED.search(beyond):
        text = _without_accents(text)
    if _HAN.search(beyond):
        text = _BETWEEN_HAN.sub("", text)
        text = _SPREAD_HAN.sub(lambda match: match[0].replace(match[1], ""), text)
    if _ARABIC.search(beyond):
        text = _ARABIC_MARKS.sub("", text).translate(_ARABIC_FORMS)
    return text


@cache
def _may_be_spaced() -> Any:
    """Return what finds, in bytes, all that `_SPACED` finds: RE2 is faster than `re`."""
    # Hindi and Thai, three bytes for each sign of a letter; Latin-1 stands for bytes here.
    letter = r"(?:[a-z]|[\x80-\xff]{2,4}|(?:\xe0[\xa4\xa5\xb8\xb9][\x80-\xbf]){1,5})"
    signs = [sign.encode().decode("latin-1") for sign in _SIGNS]
    spaced = "|".join(f"{letter}(?:{re.escape(sign)}{letter}){{3}}" for sign in signs)
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(rf"(?:^|[^\w/.@])(?:{spaced})".encode("latin-1"), options)


def _without_leet(text: str) -> str:
    """Return `text` with letters for signs, looked at only in words where `_letters` may put some.

    Words end at a space here, which `_LEET_WORD` neither matches nor looks beyond.
    """
    kinds = text.encode("ascii", "replace").translate(_KINDS)
    found = (islice(_places(kinds, sign), _MOST_SIGNS) for sign in (b"1a", b"@"))
    signs = sorted(chain.from_iterable(found))
    if not signs:
        return text
    places: list[tuple[int, int]] = []
    done = 0
    for at in signs:
        if at >= done:
            start = text.rfind(" ", done, at) + 1 or done
            done = text.find(" ", at)
            done = done if done >= 0 else len(text)
            places.append((start, done))
    words = " ".join([text[start:end] for start, end in places])
    mended = _LEET_WORD.sub(_letters, words)
    return text if mended == words else _with_words(text, places, mended.split(" "))


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    """Yield where `wanted` stands in `data`."""
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _with_words(text: str, places: list[tuple[int, int]], words: list[str]) -> str:
    """Return `text` with `words` in the places of others."""
    pieces: list[str] = []
    done = 0
    for (start, end), word in zip(places, words, strict=True):
        pieces += (text[done:start], word)
        done = end
    return "".join([*pieces, text[done:]])


def disguise(text: str) -> Disguise:
    """Return how `text` hides its words."""
    if text.isascii():
        return PLAIN
    beyond = beyond_ascii(text)
    cuts = len(_CUT.findall(text)) if UNSEEN.search(beyond) else 0
    overrides = len(_OVERRIDE.findall(beyond))
    mixed = 0
    if _WIDE_LETTER.search(beyond):
        words = (match[0] for match in _WIDE_WORD.finditer(text))
        mixed = sum(_is_mixed(word.lower()) and not _ACRONYM.fullmatch(word) for word in words)
    return Disguise(cuts, overrides, mixed) if cuts or overrides or mixed else PLAIN


def latin_look(word: str) -> str:
    """Return `word` in the Latin letters that its letters look like, as names are compared.

    Letters that look like none stay.
    """
    plain = _without_accents(folded(word.translate(_CAPITAL_LOOKS)))
    return plain if plain.isascii() else plain.translate(looks_latin())


def _latin_capitals(match: re.Match[str]) -> str:
    word = match[0]
    return word.translate(_CAPITAL_LOOKS) if _LATIN_LETTER.search(word) else word


def _one_script(match: re.Match[str]) -> str:
    word = match[0]
    latin = _LATIN.findall(word)
    if not latin:
        # Nobody writes mail in these; a whole word of them is read as one in Latin letters.
        return word.translate(looks_latin()) if _SELDOM.fullmatch(word) else word
    table, back = looks_latin(), _alike(word)
    # A few Latin letters, each of which passes for one of the others, stand in their place.
    if back and len(latin) * 2 <= len(word) and all(ord(c) in back for c in latin):
        return word.translate(back)
    # Letters that all look Latin make a Latin word; one that does not shows what is meant.
    if all(ord(c) in table or _LATIN.match(c) for c in word) or len(latin) * 2 >= len(word):
        return word.translate(table)
    return word.translate(back) if back else word


def _alike(word: str) -> Mapping[int, int] | None:
    """Return the letters that Latin ones may stand for in `word`; None where it has none of them.

    Chinese with a Latin name in it is no disguise: nothing there looks like the other.
    """
    if _CYRILLIC.search(word):
        return to_cyrillic()
    return to_greek() if _GREEK.search(word) else None


def _is_mixed(word: str) -> bool:
    """Return whether all letters of one script in `word` pass for letters of the other one."""
    latin = _LATIN.findall(word)
    if not latin or len(word) < _LEAST_MIXED:
        return False
    table = looks_latin()
    if all(ord(c) in table or _LATIN.match(c) for c in word):
        return True
    back = _alike(word)
    return back is not None and len(latin) * 2 < len(word) and all(ord(c) in back for c in latin)


def _without_accents(text: str) -> str:
    """Return `text` with the marks on Latin letters taken off; other scripts need theirs."""
    letters = set(_ACCENTED.findall(beyond_ascii(text)))
    if len(letters) > MOST_KINDS:
        return _ACCENTED.sub(lambda match: _bare(match[0]), text)
    for letter in letters:
        text = text.replace(letter, _bare(letter))
    return text


@cache
def _bare(accented: str) -> str:
    letter = unicodedata.normalize("NFD", accented)[0]
    return letter if letter.isascii() else looks_latin().get(ord(letter), letter)


def _letters(match: re.Match[str]) -> str:
    word = match[0]
    # `win32`, `mp3` and `h264` are words: more letters than signs, and a sign inside the word.
    if word.rstrip("0123456789!|").isalpha():
        return word
    letters = len(word.encode("ascii").translate(None, _LEET_SIGNS))
    if letters == len(word) or letters * 2 < len(word):
        return word
    read = word.translate(_LEET)
    # As many signs as letters are a number or a sum, unless all of them stand for letters.
    sure = letters * 2 > len(word) or (read.isalpha() and "$" not in word)
    return read if sure else word
