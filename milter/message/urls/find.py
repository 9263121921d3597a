"""Where in running text web addresses stand that a mail reader would make clickable.

Four passes, each led by a literal that is rare in text: `://`, `www.`, a dot before a top-level
domain, and the signs of addresses that were taken apart by hand (`hxxp`, `[.]`). Bounded in number
and length. What is found is as written; `milter.message.urls.link` says what it leads to.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from milter.message.guard import DEFAULT_BOUNDS, Bounds
from milter.message.urls.domains import is_top_level

_MAX_LENGTH: Final = 2_000
_MAX_NAME: Final = 253
# Ideographic and full-width punctuation ends an address: such scripts put no space behind it.
_WIDE_SIGNS: Final = (
    "\u3000-\u3002\u3008-\u3011\u3014-\u301f\uff01-\uff0c\uff1a-\uff1f\uff3b-\uff40\uff5b-\uff65"
    "\u2018-\u201f\u2026\u00ab\u00bb\u061b\u061f\u060c"
)
_NEVER: Final = rf"\s<>\"'`\x00-\x1F\x7F^{{|}}{_WIDE_SIGNS}"
_REST: Final = re.compile(rf"[^{_NEVER}]{{1,{_MAX_LENGTH}}}")
_MORE: Final = re.compile(rf"(?::\d{{1,5}})?(?:[/?#][^{_NEVER}]{{0,{_MAX_LENGTH}}})?")
# An address in angle brackets may be broken over lines, and these may be indented (RFC 3986,
# appendix C).
_WRAPPED: Final = re.compile(
    rf"[^<>\"\s]{{1,{_MAX_LENGTH}}}(?:\r?\n[ \t]{{0,20}}[^<>\"\s]{{1,{_MAX_LENGTH}}}){{1,20}}>"
)
# Behind `http` and its colon: one slash, or backslashes, which browsers take for two slashes.
_ODD_SLASHES: Final = re.compile(r":(?:\\|/(?![/\s]))[/\\]*(?=[A-Za-z0-9\[])")
# Dots of Chinese and Japanese between the labels of a name are dots for browsers; one behind a name
# that is whole ends the sentence.
_WIDE_DOTTED: Final = re.compile(
    rf"[A-Za-z0-9-]{{1,63}}(?:[.\u3002\uff61][A-Za-z0-9-]{{1,63}}){{1,9}}"
    rf"(?::\d{{1,5}})?(?:[/?#][^{_NEVER}]{{0,{_MAX_LENGTH}}})?"
)
# Scripts without spaces run into the address; a host in ASCII ends where they begin.
_CROWDED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
_ASCII_HOST: Final = re.compile(rf"((?:[^/?#@]*+@)?[A-Za-z0-9.-]++(?::\d++)?)[{_CROWDED}]")
# Nor does a host go on at what no name has, as at a comma between two addresses.
_ENDED_HOST: Final = re.compile(r"(?![^/?#]*@)([A-Za-z0-9.-]++(?::\d++)?)[,;!*'()$&=+]")
_SCHEME: Final = re.compile(r"(?:https?|ftp)\Z", re.IGNORECASE)
_WITH_SCHEME: Final = re.compile(r"(?:https?|ftp):[/\\]", re.IGNORECASE)
_TOP: Final = re.compile(
    r"\.([A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59}|[^\W\d_a-zA-Z]{2,24})"
    r"(?![A-Za-z0-9_@-]|\.[A-Za-z0-9])"
)
# The labels before the last dot, read backwards. A name in ASCII must not swallow the Chinese
# sentence that it stands in; letters with accents, Greek and Cyrillic ones belong to it.
_LABELS_BACK: Final = re.compile(r"[A-Za-z0-9\u00c0-\u024f\u0370-\u052f.-]++")
_IDN_LABELS_BACK: Final = re.compile(r"[\w.-]++")
_NOT_BEFORE: Final = "@/\\=_"
# Words and file names: readers that link `it.is` make a mistake that we need not make.
_NAMES_OF_WORDS: Final = """
ai am app as at be by cc do in is it la me md mov my name no pl pm ps py re rs sh so to us zip
"""
_WORDS: Final = frozenset(_NAMES_OF_WORDS.split())
_TRAILING: Final = ".,;:!?*_~"
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
# By the rarest character of each: most texts have none of these and are done with them at once.
_SIGNS_OF_MENDING: Final = (
    ("[", ("[.", "[dot", "[DOT", "[:")),
    ("(", ("(.", "(dot", "(DOT")),
    ("{", ("{.",)),
    ("xp", ("hxxp",)),
    ("XXp", ("hXXp",)),
    ("XXP", ("HXXP",)),
    ("**p", ("h**p",)),
    ("//", ("http:// ", "https:// ", ": //", " ://")),
)
_DEFANGED_DOT: Final = re.compile(r" ?(?:\[\.\]?|\(\.\)|\{\.\}|[\[(]dot[\])]) ?", re.IGNORECASE)
_DEFANGED_SCHEME: Final = re.compile(
    r"\bh[tx*]{2}p(s?) ?(?:\[:\]|:|\[:(?=//\])) ?// ?\]?(?=[A-Za-z0-9\[])", re.IGNORECASE
)
_LOOKS_PER_URL: Final = 10


class Found(NamedTuple):
    """An address in a text.

    Attributes:
        written: As it stands there, without the punctuation of the sentence around it.
        schemeless: Whether no scheme is written; readers take `http://`.
        mended: Whether it was taken apart so that no reader links it, and is put together here.
        wrapped: Whether it was broken over lines.
    """

    written: str
    schemeless: bool = False
    mended: bool = False
    wrapped: bool = False


def find_urls(text: str, bounds: Bounds = DEFAULT_BOUNDS) -> list[Found]:
    """Return the addresses in `text`, at most `bounds.urls`, those with a scheme first."""
    found = _search(text, bounds.urls)
    if len(found) >= bounds.urls or not _may_be_mended(text):
        return found
    mended = _DEFANGED_SCHEME.sub(r"http\1://", text)
    mended = _DEFANGED_DOT.sub(".", mended)
    known = {each.written for each in found}
    for each in _search(mended, bounds.urls - len(found)):
        if each.written not in known:
            found.append(Found(each.written, each.schemeless, mended=True))
    return found


def _may_be_mended(text: str) -> bool:
    for rare, signs in _SIGNS_OF_MENDING:
        if rare in text:
            for sign in signs:
                if sign in text:
                    return True
    return False


def _search(text: str, most: int) -> list[Found]:
    search = _Search(text, most)
    search.written_out()
    search.oddly_slashed()
    search.after_www()
    search.bare()
    return search.found


class _Search:
    """One search through one text; lives as long as that takes."""

    def __init__(self, text: str, most: int) -> None:
        self.text = text
        self.found: list[Found] = []
        self._most = most
        self._looks = most * _LOOKS_PER_URL
        # A flag for each character that belongs to an address, so that none is found twice.
        self._taken = bytearray()

    def written_out(self) -> None:
        text, position = self.text, self.text.find("://")
        while position >= 0 and self._may_look():
            end = position + 3
            if scheme := _SCHEME.search(text, max(position - 5, 0), position):
                end = self._with_scheme(scheme.start(), end)
            position = text.find("://", end)

    def oddly_slashed(self) -> None:
        text = self.text
        for match in _ODD_SLASHES.finditer(text):
            if not self._may_look():
                return
            colon = match.start()
            scheme = _SCHEME.search(text, max(colon - 5, 0), colon)
            if scheme and not self._is_taken(scheme.start()):
                self._with_scheme(scheme.start(), match.end())

    def after_www(self) -> None:
        text = self.text
        lowered = text.lower() if "WWW." in text or "Www." in text else text
        # A few letters become two in lower case, and the offsets would not hold.
        lowered = lowered if len(lowered) == len(text) else text
        position = lowered.find("www.")
        while position >= 0 and self._may_look():
            end = position + 4
            before = text[position - 1] if position else " "
            inside = (before.isascii() and before.isalnum()) or before in "@/.-_="
            if not inside and not self._is_taken(position) and (rest := _REST.match(text, end)):
                end += len(trimmed := _trimmed(rest[0]))
                if trimmed:
                    self._keep(position, end)
            position = lowered.find("www.", end)

    def bare(self) -> None:
        past = 0
        for match in _TOP.finditer(self.text):
            if not self._may_look():
                return
            if match.start() < past or self._is_taken(match.start()):
                continue
            start = self._name_start(match.start(), match[1])
            if start < 0:
                continue
            more = _MORE.match(self.text, match.end())
            tail = more[0] if more else ""
            two_labels = "." not in self.text[start : match.start()]
            if tail in ("", "#", "?") and two_labels and match[1].lower() in _WORDS:
                continue
            past = match.end() + len(_trimmed(tail))
            self._keep(start, past)

    def _name_start(self, dot: int, top: str) -> int:
        """Return where the name begins whose last dot is `dot`; -1 if it is no name."""
        # `finished.It was` is the end of a sentence.
        if top.isascii() and not (top.islower() or top.isupper()):
            return -1
        if not is_top_level(top.lower()):
            return -1
        back = self.text[max(dot - _MAX_NAME, 0) : dot][::-1]
        match = (_LABELS_BACK if top.isascii() else _IDN_LABELS_BACK).match(back)
        if match is None:
            return -1
        name = match[0].rstrip(".-")
        start = dot - len(name)
        if not name or name[0] in ".-" or ".." in name:
            return -1
        before = self.text[max(start - 3, 0) : start]
        # `//host/path` at the beginning of a word is an address; inside one it is a path.
        if before[-1:] in _NOT_BEFORE and before[-1:] and not _at_slashes(before):
            return -1
        return start

    def _may_look(self) -> bool:
        self._looks -= 1
        return self._looks >= 0 and len(self.found) < self._most

    def _is_taken(self, position: int) -> bool:
        return bool(self._taken) and self._taken[position] == 1

    def _with_scheme(self, start: int, rest: int) -> int:
        """Keep the address whose scheme begins at `start`, if there is one; return its end."""
        text = self.text
        if text[start - 1 : start] == "<" and (wrapped := _WRAPPED.match(text, rest)):
            self._keep(start, wrapped.end() - 1)
            written = text[start:rest] + "".join(wrapped[0][:-1].split())
            self.found[-1] = Found(written, wrapped=True)
            return wrapped.end()
        match = _REST.match(text, rest)
        tail = _trimmed(match[0]) if match else ""
        if "." not in tail and (wide := _WIDE_DOTTED.match(text, rest)):
            tail = _trimmed(wide[0])
        if tail:
            self._keep(start, rest + len(tail))
        return rest + len(tail)

    def _keep(self, start: int, end: int) -> None:
        if not self._taken:
            self._taken = bytearray(len(self.text))
        self._taken[start:end] = b"\x01" * (end - start)
        written = self.text[start:end]
        self.found.append(Found(written, schemeless=_WITH_SCHEME.match(written) is None))


def _at_slashes(before: str) -> bool:
    """Return whether the three characters `before` a name are two slashes that begin a word."""
    return before[-2:] == "//" and (len(before) < 3 or before[0].isspace() or before[0] in "(\"'")


def _trimmed(rest: str) -> str:
    """Return `rest` without the punctuation that ends the sentence around it."""
    if not rest.isascii() and (crowded := _ASCII_HOST.match(rest)):
        rest = crowded[1]
    elif ended := _ENDED_HOST.match(rest):
        rest = ended[1]
    # Twice and no more: brackets without end would cost their square.
    for _ in range(2):
        rest = rest.rstrip(_TRAILING)
        last = rest[-1:]
        if last in _PAIRS and rest.count(last) > rest.count(_PAIRS[last]):
            rest = rest[:-1]
    return rest.rstrip(_TRAILING)
