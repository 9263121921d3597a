"""Reads rule files of SpamAssassin (Mail::SpamAssassin::Conf): which rules there are, line by line.

Blocks of `ifplugin` are read as if the plugin were there, for what only it can do is refused rule
by rule; `else` of such a block is left out. `if (version ...)` is answered as version 4.0 would.
Knows lines alone: what a rule means is the business of `translate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPES: Final = frozenset(("header", "body", "rawbody", "uri", "full", "meta"))
# Lines that change nothing of what an imported rule means.
_SILENT: Final = frozenset(
    ("test", "priority", "reuse", "require_version", "lang", "endif", "version_tag")
)
_VERSION: Final = 4.0
_VERSION_TEST: Final = re.compile(r"version\s*(>=|<=|==|>|<)\s*([\d.]+)")
_RULE_NAME: Final = re.compile(r"[A-Za-z_]\w{0,200}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})")
_MAX_LINE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One rule as it stands.

    Attributes:
        name: Its name.
        type: header, body, rawbody, uri, full or meta.
        text: What stands behind the name.
        place: Where.
    """

    name: str
    type: str
    text: str
    place: Place


@dataclass(slots=True)
class RuleSource:
    """All that files say; a later line replaces an earlier one, as in SpamAssassin.

    Attributes:
        rules: By name.
        scores: Up to four for each rule: without and with network tests, then both with Bayes.
        describe: Words for people.
        flags: Of `tflags`.
        unread: What was not understood, with its place.
    """

    rules: dict[str, SourceRule] = field(default_factory=dict)
    scores: dict[str, tuple[float, ...]] = field(default_factory=dict)
    describe: dict[str, str] = field(default_factory=dict)
    flags: dict[str, frozenset[str]] = field(default_factory=dict)
    unread: list[tuple[Place, str]] = field(default_factory=list)

    def read(self, file: str, text: str) -> None:
        """Take the lines of `text`; `file` names them in reports. Never raises."""
        blocks: list[bool] = []
        for number, line in _lines(text):
            word, _, rest = line.partition(" ")
            if word in ("if", "ifplugin", "else", "endif"):
                self._block(word, rest, blocks)
            elif all(blocks):
                self._line(word, rest.strip(), Place(file, number))

    def _block(self, word: str, rest: str, blocks: list[bool]) -> None:
        if word == "ifplugin":
            blocks.append(True)
        elif word == "if":
            blocks.append(_holds(rest))
        elif blocks and word == "else":
            blocks[-1] = not blocks[-1]
        elif blocks:
            blocks.pop()

    def _line(self, word: str, rest: str, place: Place) -> None:
        name, _, text = rest.partition(" ")
        text = text.strip()
        if word in TYPES:
            if _RULE_NAME.fullmatch(name) and text:
                self.rules[name] = SourceRule(name, word, text, place)
            else:
                self.unread.append((place, f"a {word} rule without a name or without a test"))
        elif word == "score":
            self._score(name, text, place)
        elif word == "describe":
            self.describe[name] = text
        elif word == "tflags":
            self.flags[name] = frozenset(text.lower().split())
        elif word not in _SILENT:
            self.unread.append((place, f"`{word[:40]}` is not imported"))

    def _score(self, name: str, text: str, place: Place) -> None:
        words = text.split()
        if len(words) in (1, 4) and all(_NUMBER.fullmatch(word) for word in words):
            self.scores[name] = tuple(map(float, words))
        else:
            self.unread.append(
                (place, f"a score of {name[:80]} that is neither one number nor four")
            )


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Yield number and words of each line that says something."""
    for number, line in enumerate(text.splitlines(), 1):
        said = _without_comment(line[:_MAX_LINE]).strip()
        if said:
            yield number, re.sub(r"\s+", " ", said, count=2)


def _without_comment(line: str) -> str:
    """Return a line up to its comment, which a backslash before the mark prevents."""
    found = re.search(r"(?<!\\)#", line)
    return (line[: found.start()] if found else line).replace("\\#", "#")


def _holds(condition: str) -> bool:
    """Return whether an `if` holds: for version 4.0, with what plugins promise left out."""
    test = _VERSION_TEST.search(condition)
    if test is None or "can(" in condition or "plugin" in condition:
        return "plugin" in condition and "!" not in condition
    wanted = float(".".join(test[2].split(".")[:2]) or "0")
    return {
        ">=": wanted <= _VERSION,
        "<=": wanted >= _VERSION,
        "==": wanted == _VERSION,
        ">": wanted < _VERSION,
        "<": wanted > _VERSION,
    }[test[1]]
