"""Patterns of a policy over the views of a message, in linear time.

The engine is RE2, which needs neither look-around nor back-references and no bound on time. Letters
match in either case unless the pattern says `(?-i)`; `.` does not match a line feed unless it says
`(?s)`; `^` and `$` are the ends of the text, in a view that is a list the ends of each item. Text
is matched by characters, `raw` by bytes. A prefilter (`policies.prefilter`) can be put before a
view; it spares work and changes no answer. This module knows nothing of weights nor of messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import re2

from policies.gaps import loosened, shortest
from policies.widths import widest

if TYPE_CHECKING:
    from policies.prefilter import Prefilter

View = str | bytes | Sequence[str]

MAX_LENGTH: Final = 4096
# For program and caches of one pattern; RE2 becomes slower, not larger, when its cache is full.
_MAX_MEM: Final = 2 * 1024 * 1024
_EXCERPT: Final = 80
_KEPT: Final = 2048
# Of a character in UTF-8, at most.
_BYTES: Final = 4
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


@dataclass(frozen=True, slots=True)
class PatternHit:
    """The first match of one pattern.

    Attributes:
        id: The pattern.
        view: The view it was found in.
        start: Where the match begins: characters of a text, bytes of `raw`; of its item in a list.
        end: Where it ends.
        excerpt: The matched text, shortened, unprintable characters replaced.
    """

    id: str
    view: str
    start: int
    end: int
    excerpt: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    spec: PatternSpec
    # RE2 ships no types.
    regexp: Any
    # Of its widest match, in characters; None: it has no bound.
    width: int | None
    # The pattern without the ends of its wide gaps, and the bytes within which that is the same.
    loose: Any = None
    reach: int = 0

    def search(self, data: bytes, first_end: int) -> Any:
        """Return the first match in `data`, none of which ends before `first_end`, or None.

        The text before the first place where a match can begin is not gone through again, unless
        nothing is found behind it: that Hyperscan tells of the first match first is what it does,
        not what it promises.
        """
        start = 0
        if self.width is not None:
            width = self.width if data.isascii() else self.width * _BYTES
            start = max(0, first_end - width)
        found = self._search_from(data, start)
        return self._search_from(data, 0) if found is None and start else found

    def _search_from(self, data: bytes, start: int) -> Any:
        if self.loose is not None:
            found = self.loose.search(data, start)
            if found is None or found.end() - found.start() <= self.reach:
                return found
            start = found.start()
        return self.regexp.search(data, start)


class PatternSet:
    """The patterns of all policies, compiled once."""

    __slots__ = ("_by_view", "_prefilters", "patterns")

    def __init__(self, compiled: Sequence[tuple[PatternSpec, Any]]) -> None:
        self.patterns = tuple(spec for spec, _ in compiled)
        self._prefilters: dict[str, Prefilter] = {}
        self._by_view: dict[str, list[_Compiled]] = {}
        for spec, regexp in compiled:
            self._by_view.setdefault(spec.view, []).append(_joined(spec, regexp))

    @classmethod
    def compile(cls, patterns: Iterable[PatternSpec]) -> PatternSet:
        """Return the set of `patterns`.

        Raises:
            PatternError: One of them is refused.
        """
        return cls([(spec, compile_pattern(spec)) for spec in patterns])

    def only(self, ids: frozenset[str]) -> PatternSet:
        """Return those of these patterns that have one of `ids`."""
        every = [each for compiled in self._by_view.values() for each in compiled]
        return PatternSet([(each.spec, each.regexp) for each in every if each.spec.id in ids])

    def written(self) -> dict[str, list[str]]:
        """Return the patterns of each view as they are given to an engine."""
        return {
            view: [_plain(each.spec) for each in compiled]
            for view, compiled in self._by_view.items()
        }

    def arm(self, view: str, prefilter: Prefilter) -> None:
        """Ask only the patterns of `view` that `prefilter` finds; the answers stay the same."""
        self._prefilters[view] = prefilter

    @property
    def armed(self) -> frozenset[str]:
        """The views that have a prefilter."""
        return frozenset(self._prefilters)

    @property
    def views(self) -> frozenset[str]:
        """The views that some pattern looks at."""
        return frozenset(self._by_view)

    def match(self, view: Callable[[str], View]) -> list[PatternHit]:
        """Return the first match of each pattern that matches, in the order of views and patterns.

        Args:
            view: Gives a view by name; asked once for each view that a pattern looks at. An absent
                one is empty.
        """
        hits: list[PatternHit] = []
        for name, compiled in self._by_view.items():
            content = view(name)
            prefilter = self._prefilters.get(name)
            if isinstance(content, str | bytes):
                _search(compiled, prefilter, content, hits)
            else:
                _search_items(compiled, prefilter, content, hits)
        return hits


def _joined(spec: PatternSpec, regexp: Any) -> _Compiled:
    width = widest(_plain(spec))
    if (loose := loosened(spec.text)) is None:
        return _Compiled(spec, regexp, width)
    without_ends = compile_pattern(replace(spec, text=loose.text))
    return _Compiled(spec, regexp, width, without_ends, loose.reach)


def _search(
    compiled: Sequence[_Compiled],
    prefilter: Prefilter | None,
    content: str | bytes,
    hits: list[PatternHit],
) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    if not data:
        return
    for pattern, first_end in _candidates(compiled, prefilter, data):
        found = pattern.search(data, first_end)
        if found is not None and found.end() > found.start():
            hits.append(_hit(pattern.spec, data, found.span()))


def _candidates(
    compiled: Sequence[_Compiled], prefilter: Prefilter | None, data: bytes
) -> list[tuple[_Compiled, int]]:
    """Return the patterns that can match, each with the offset before which no match ends."""
    found = prefilter.candidates(data) if prefilter is not None else None
    if found is None:
        return [(pattern, 0) for pattern in compiled]
    return [(compiled[index], first_end) for index, first_end in found]


def _search_items(
    compiled: Sequence[_Compiled],
    prefilter: Prefilter | None,
    items: Sequence[str],
    hits: list[PatternHit],
) -> None:
    """Search the items joined into one text; only what matches across two is looked at one by one.

    A pattern and a thousand links would else be a thousand searches.
    """
    encoded = [item.replace("\n", " ").encode("utf-8", "replace") for item in items]
    joined = b"\n".join(encoded)
    if not joined:
        return
    for pattern, first_end in _candidates(compiled, prefilter, joined):
        found = pattern.search(joined, first_end)
        if found is None or found.end() == found.start():
            continue
        start, end = found.span()
        if b"\n" in joined[start:end]:
            _search_each(pattern, encoded, hits)
        else:
            line = joined.rfind(b"\n", 0, start) + 1
            item = joined[line:].partition(b"\n")[0]
            hits.append(_hit(pattern.spec, item, (start - line, end - line)))


def _search_each(pattern: _Compiled, items: Iterable[bytes], hits: list[PatternHit]) -> None:
    for item in items:
        found = pattern.regexp.search(item)
        if found is not None and found.end() > found.start():
            hits.append(_hit(pattern.spec, item, found.span()))
            return


def _hit(spec: PatternSpec, data: bytes, span: tuple[int, int]) -> PatternHit:
    start, end = span
    encoding = "latin-1" if spec.view == "raw" else "utf-8"
    matched = data[start:end].decode(encoding, "replace")
    excerpt = matched[:_EXCERPT]
    if not excerpt.isprintable():
        excerpt = "".join(c if c.isprintable() else " " for c in excerpt)
    if spec.view != "raw":
        start = len(data[:start].decode(encoding, "replace"))
        end = start + len(matched)
    return PatternHit(spec.id, spec.view, start, end, excerpt)


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


def _plain(spec: PatternSpec) -> str:
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
