"""One pattern as RE2 compiles it, or the reason for which it is refused.

RE2 needs neither look-around nor back-references and no bound on time. Letters match in either case
unless the pattern says `(?-i)`; `.` does not match a line feed unless it says `(?s)`; `^` and `$`
are the ends of the text, in a view that is a list the ends of each item. Text is matched by
characters, `raw` by bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

from policies.gaps import shortest

MAX_LENGTH: Final = 4096
# For program and caches of one pattern; RE2 becomes slower, not larger, when its cache is full.
_MAX_MEM: Final = 2 * 1024 * 1024
_KEPT: Final = 2048
# Texts on which what matches the empty text matches it somewhere.
_PROBES: Final = (b"", b"a", b"0", b" ", b"!", b"a b", b"\n", b"ab\nc")


class PatternError(ValueError):
    """A pattern that is refused.

    Attributes:
        what: Why, and what to write instead.
        offset: Character of the pattern at which the mistake begins.
    """

    def __init__(self, what: str, offset: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


@dataclass(frozen=True, slots=True)
class PatternSpec:
    """A pattern: its symbol, the view it is for, and its text."""

    id: str
    view: str
    text: str


@lru_cache(maxsize=_KEPT)
def compile_pattern(spec: PatternSpec) -> Any:
    """Return the compiled pattern; shadow policies and reloads share those they have in common.

    Raises:
        PatternError: RE2 cannot take it, or it matches the empty text.
    """
    if len(spec.text) > MAX_LENGTH:
        raise PatternError(f"the pattern is longer than {MAX_LENGTH:,} characters", MAX_LENGTH)
    options = _options(spec)
    try:
        regexp = re2.compile(_shortest(_written(spec)), options)
    except re2.error as err:
        raise _explained(spec.text, str(err.args[0], "utf-8", "replace")) from err
    _refuse_empty(regexp)
    return regexp


def _written(spec: PatternSpec) -> str | bytes:
    if spec.view == "raw":
        if not spec.text.isascii():
            offset = next(i for i, c in enumerate(spec.text) if ord(c) > 127)
            what = r"`raw` is matched by bytes: write this character as its bytes, such as \xC3\xA9"
            raise PatternError(what, offset)
        return spec.text.encode("ascii")
    if spec.view in LIST_VIEWS:
        if anchor := re.search(r"(?<!\\)(?:\\\\)*\\[Az]", spec.text):
            raise PatternError(
                "in a list of texts write ^ and $ for the ends of each", anchor.start()
            )
        return f"(?m){spec.text}"
    return spec.text


def _shortest(written: str | bytes) -> str | bytes:
    if isinstance(written, bytes):
        return shortest(written.decode("ascii")).encode("ascii")
    return shortest(written)


def plain(spec: PatternSpec) -> str:
    """Return the pattern as it is given to an engine."""
    written = _written(spec)
    return written.decode("ascii") if isinstance(written, bytes) else written


LIST_VIEWS: Final = frozenset({"urls", "filenames"})


def _options(spec: PatternSpec) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_MEM
    if spec.view == "raw":
        options.encoding = re2.Options.Encoding.LATIN1
    return options


def _refuse_empty(regexp: Any) -> None:
    for probe in _PROBES:
        found = regexp.search(probe)
        if found is not None and found.end() == found.start():
            raise PatternError(
                "the pattern matches the empty text, so it would match every message"
            )


# What RE2 does not have, by how it is written; looked for only where RE2 refused the pattern.
_REFUSED: Final = (
    (re.compile(r"\(\?<?[=!]"), "look-around (`{}`) is not linear-time and is refused"),
    (re.compile(r"\(\?P=\w*\)?"), "a back-reference (`{}`) is not linear-time and is refused"),
    (
        re.compile(r"\\(?:[1-9]|[kg][<{'])"),
        "a back-reference (`{}`) is not linear-time and is refused",
    ),
    (re.compile(r"\(\?>"), "an atomic group (`{}`) is not needed here: write (?: )"),
    (
        re.compile(r"[*+?}]\+"),
        "a possessive repetition (`{}`) is not needed here: leave out the last +",
    ),
    (re.compile(r"\(\?#"), "a comment (`{}`) cannot stand in a pattern"),
    (re.compile(r"\\Z"), r"`{}` is written \z here, or $"),
)
_TOKEN: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", re.DOTALL)
_COUNTED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_REASONS: Final = {
    "invalid escape sequence": "`{}` means nothing in a pattern",
    "invalid character class range": "`{}` is no range of characters",
    "missing )": "a parenthesis is opened and not closed",
    "unexpected )": "a parenthesis is closed that was not opened",
    "missing ]": "a `[` is not closed",
    "no argument for repetition operator": "there is nothing before `{}` that it could repeat",
    "bad repetition operator": "`{}` repeats a repetition: use parentheses, or leave one out",
    "trailing \\": "the pattern ends with a single backslash",
    "invalid named capture group": "`{}` is no name of a group",
    "invalid UTF-8": "the pattern is not valid text",
    "invalid perl operator": "`{}` is not known in a pattern",
}


def _explained(text: str, message: str) -> PatternError:
    """Return RE2's refusal with its place and in words."""
    plain = _TOKEN.sub(lambda found: "_" * len(found[0]), text)
    plain = re.sub(r"\\[^1-9kgZ]", "__", plain)
    for pattern, words in _REFUSED:
        if found := pattern.search(plain):
            return PatternError(words.format(found[0]), found.start())
    reason, _, part = message.partition(": ")
    if reason == "invalid repetition size":
        return _too_many(plain, part)
    if reason.startswith("pattern too large"):
        return PatternError("the pattern grows too large: make its repetitions smaller")
    words = _REASONS.get(reason, f"not a pattern: {reason}")
    # RE2 names the whole pattern where a parenthesis is missing.
    offset = _unbalanced(plain) if reason.endswith(")") else max(text.find(part), 0)
    return PatternError(words.format(part), offset)


def _unbalanced(plain: str) -> int:
    """Return where the first parenthesis stands that has no partner."""
    opened: list[int] = []
    for offset, character in enumerate(plain):
        if character == "(":
            opened.append(offset)
        elif character == ")":
            if not opened:
                return offset
            opened.pop()
    return opened[0] if opened else 0


def _too_many(plain: str, part: str) -> PatternError:
    for found in _COUNTED.finditer(plain):
        if any(int(number) > 1000 for number in found.groups() if number):
            return PatternError(
                f"`{found[0]}`: at most 1,000 repetitions can be counted", found.start()
            )
    what = f"`{part}` inside another counted repetition makes more than 1,000"
    return PatternError(what, max(plain.rfind(part), 0))
