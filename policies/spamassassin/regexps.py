"""Regular expressions of Perl, as rules of SpamAssassin have them, in the syntax of RE2.

What a linear-time engine cannot do (look-around, back-references, possessive repetition) is refused
with the reason; so is what would mean something else here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_QUOTES: Final = {"{": "}", "(": ")", "[": "]", "<": ">"}
_FLAGS: Final = frozenset("imsxgo")
# Look-ahead and look-behind; what only Perl has.
_REFUSED: Final = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?R": "recursion",
    "(?|": "a branch reset",
    "(?&": "recursion",
    "(?P=": "a back-reference",
    "(?P>": "recursion",
}
_ESCAPES: Final = {"h": r"[ \t]", "R": r"(?:\r?\n)", "e": r"\x1b", "Z": r"\n?\z", "_": "_"}
_ESCAPES_IN_CLASS: Final = {"h": r" \t", "e": r"\x1b", "_": "_"}
_REFUSED_ESCAPES: Final = {
    **dict.fromkeys("123456789", "a back-reference"),
    "k": "a back-reference",
    "g": "a back-reference",
    "K": r"\K",
    "G": r"\G",
    "X": r"\X",
    "1": "a back-reference",
    "l": r"\l",
    "u": r"\u",
    "L": r"\L",
    "U": r"\U",
}
_BYTES: Final = re.compile(r"(?:\\x(?:\{[89A-Fa-f][0-9A-Fa-f]\}|[89A-Fa-f][0-9A-Fa-f]))+")
_BYTE: Final = re.compile(r"[0-9A-Fa-f]{2}")
_ASCII_LIMIT: Final = 0x80


class NotImportedError(ValueError):
    """Something that cannot be said in a policy; the text says why."""


@dataclass(frozen=True, slots=True)
class Regexp:
    """A regular expression as it stands in a rule.

    Attributes:
        pattern: Between the delimiters, in the syntax of Perl.
        flags: Behind them.
    """

    pattern: str
    flags: frozenset[str]


def read_regexp(text: str) -> Regexp:
    """Return the expression in `/.../flags` or `m{...}flags`.

    Raises:
        NotImportedError: It is none.
    """
    said = text.strip()
    body = said[1:].lstrip() if said[:1] == "m" and said[1:2] != "" else said
    if not body or (body[0].isalnum() and said[:1] != "m"):
        raise NotImportedError("a test that is no regular expression")
    closing = _QUOTES.get(body[0], body[0])
    end = body.rfind(closing)
    flags = body[end + 1 :].strip()
    if end <= 0 or not set(flags) <= _FLAGS:
        raise NotImportedError("a test that is no regular expression")
    return Regexp(body[1:end], frozenset(flags))


def to_re2(regexp: Regexp, *, lines: bool, spaces: bool = False) -> str:
    """Return what is to stand in a policy for `regexp`.

    Args:
        regexp: As the rule has it.
        lines: Whether `^` and `$` are those of any line, as where SpamAssassin goes line by line.
        spaces: Whether a space stands for any white space: SpamAssassin joins the lines of a
            paragraph by spaces before it looks.

    Raises:
        NotImportedError: RE2 cannot do it, or would do something else.
    """
    translated = _Translation(regexp.pattern, "x" in regexp.flags, spaces=spaces).run()
    flags = ("m" if lines or "m" in regexp.flags else "") + (
        "s" if spaces or "s" in regexp.flags else ""
    )
    # Here letters match in either case unless it is said.
    off = "" if "i" in regexp.flags else "-i"
    return f"(?{flags}{off}){translated}" if flags or off else translated


class _Translation:
    """Walks over one expression; lives as long as that takes."""

    def __init__(self, pattern: str, extended: bool, *, spaces: bool) -> None:
        self._pattern = _characters(pattern)
        self._extended = extended
        self._spaces = spaces
        self._at = 0
        self._out: list[str] = []

    def run(self) -> str:
        while self._at < len(self._pattern):
            self._step(self._pattern[self._at])
        return "".join(self._out)

    def _step(self, character: str) -> None:
        if character == "\\":
            self._escape(_ESCAPES)
        elif character == "[":
            self._class()
        elif character == "(":
            self._group()
        elif character in "*+?}" and self._pattern[self._at + 1 : self._at + 2] == "+":
            if character != "}" or re.search(r"\{\d*,?\d*\}$", self._pattern[: self._at + 1]):
                raise NotImportedError("possessive repetition")
            self._take(1)
        elif self._extended and character.isspace():
            self._at += 1
        elif self._extended and character == "#":
            self._at = (self._pattern.find("\n", self._at) + 1) or len(self._pattern)
        elif self._spaces and character == " ":
            self._at += 1
            # A repetition behind the space repeats white space; else one space is any number.
            repeated = self._pattern[self._at : self._at + 1] in ("*", "+", "?", "{")
            self._out.append(r"\s" if repeated else r"\s+")
        else:
            self._take(1)

    def _take(self, count: int) -> None:
        self._out.append(self._pattern[self._at : self._at + count])
        self._at += count

    def _escape(self, known: dict[str, str]) -> None:
        name = self._pattern[self._at + 1 : self._at + 2]
        if not name:
            raise NotImportedError("a backslash at the end")
        if known is _ESCAPES and name in _REFUSED_ESCAPES:
            raise NotImportedError(_REFUSED_ESCAPES[name])
        if name in known:
            self._out.append(known[name])
            self._at += 2
        else:
            self._take(2)

    def _group(self) -> None:
        rest = self._pattern[self._at : self._at + 4]
        if rest.startswith("(?#"):
            self._at = (self._pattern.find(")", self._at) + 1) or len(self._pattern)
            return
        for begin, what in _REFUSED.items():
            if rest.startswith(begin):
                raise NotImportedError(what)
        self._take(1)

    def _class(self) -> None:
        """Take a class up to its end; a bracket right behind the first one is a member."""
        self._take(1)
        if self._pattern[self._at : self._at + 1] == "^":
            self._take(1)
        if self._pattern[self._at : self._at + 1] == "]":
            self._out.append("\\")
            self._take(1)
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if character == "]":
                self._take(1)
                return
            if character == "\\":
                self._escape(_ESCAPES_IN_CLASS)
            elif self._pattern.startswith("[:", self._at):
                end = self._pattern.find(":]", self._at)
                self._take(end + 2 - self._at if end > 0 else 2)
            elif self._spaces and character == " ":
                self._out.append(r"\s")
                self._at += 1
            else:
                self._take(1)
        raise NotImportedError("a class that does not end")


def _characters(pattern: str) -> str:
    """Return `pattern` with bytes above 127 as the characters that they are in UTF-8.

    SpamAssassin looks at bytes, a policy at characters.
    """

    def character(found: re.Match[str]) -> str:
        raw = bytes(int(pair, 16) for pair in _BYTE.findall(found[0].replace("\\x", " ")))
        try:
            return re.escape(raw.decode("utf-8"))
        except UnicodeDecodeError as err:
            raise NotImportedError("bytes that are no characters of UTF-8") from err

    return _BYTES.sub(character, pattern)
