"""Reads rule files of SpamAssassin (Mail::SpamAssassin::Conf): which rules there are, line by line.

Blocks of `ifplugin` are read as if the plugin were there, for what only it can do is refused rule
by rule; `else` of such a block is left out. `if` is answered as version 4.0 with all of its plugins
would. Knows lines alone: what a rule means is the business of `translate`, and where an included
file is that of who reads files.
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
_VERSIONS: Final = {"version": 4.0, "perl_version": 5.036}
_COMPARED: Final = re.compile(r"(perl_version|version)\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)?)")
_PROMISED: Final = re.compile(r"(?:can|has|plugin)\s*\(\s*[\w:]+\s*\)")
# What is left of a condition once its tests are answered.
_ANSWERED: Final = re.compile(r"\s*(?:(\()|(\))|(!(?!=))|(&&|and\b)|(\|\||or\b)|([01])\b)")
_RULE_NAME: Final = re.compile(r"[A-Za-z_]\w{0,200}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})")
_MAX_LINE: Final = 20_000
_MOST_TOKENS: Final = 60


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
        scored: Where the score of each rule stands.
        describe: Words for people.
        flags: Of `tflags`.
        replaced: Rules whose patterns have tags of `replace_tag` in them.
        includes: The files that `include` names, with its place.
        unread: What was not understood, with its place.
    """

    rules: dict[str, SourceRule] = field(default_factory=dict)
    scores: dict[str, tuple[float, ...]] = field(default_factory=dict)
    scored: dict[str, Place] = field(default_factory=dict)
    describe: dict[str, str] = field(default_factory=dict)
    flags: dict[str, frozenset[str]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    includes: list[tuple[Place, str]] = field(default_factory=list)
    unread: list[tuple[Place, str]] = field(default_factory=list)

    def read(self, file: str, text: str) -> None:
        """Take the lines of `text`; `file` names them in reports. Never raises."""
        blocks: list[bool] = []
        for number, line in _lines(text):
            word, _, rest = line.partition(" ")
            if word in ("if", "ifplugin", "else", "endif"):
                self._block(word, rest, blocks, Place(file, number))
            elif all(blocks):
                self._line(word, rest.strip(), Place(file, number))

    def _block(self, word: str, rest: str, blocks: list[bool], place: Place) -> None:
        if word == "ifplugin":
            blocks.append(True)
        elif word == "if":
            holds = _holds(rest)
            if holds is None:
                self.unread.append((place, "a condition that is not understood; left out"))
            blocks.append(bool(holds))
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
        elif word == "replace_rules":
            self.replaced.update(rest.split())
        elif word == "include" and rest:
            self.includes.append((place, rest))
        elif word not in _SILENT:
            self.unread.append((place, f"`{word[:40]}` is not imported"))

    def _score(self, name: str, text: str, place: Place) -> None:
        words = text.split()
        if len(words) in (1, 4) and all(_NUMBER.fullmatch(word) for word in words):
            self.scores[name] = tuple(map(float, words))
            self.scored[name] = place
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


def _holds(condition: str) -> bool | None:
    """Return whether an `if` holds for version 4.0 with its plugins; None where it is not known."""
    answered = _PROMISED.sub("1", _COMPARED.sub(_compared, condition))
    tokens: list[str] = []
    position = 0
    while position < len(answered.rstrip()):
        found = _ANSWERED.match(answered, position)
        if found is None or found.lastindex is None or len(tokens) > _MOST_TOKENS:
            return None
        tokens.append(("(", ")", "!", "&&", "||", found[0].strip())[found.lastindex - 1])
        position = found.end()
    return _Condition(tokens).run()


def _compared(match: re.Match[str]) -> str:
    ours, wanted = _VERSIONS[match[1]], float(match[3][:12])
    return str(
        int(
            {
                ">=": ours >= wanted,
                "<=": ours <= wanted,
                "==": ours == wanted,
                "!=": ours != wanted,
                ">": ours > wanted,
                "<": ours < wanted,
            }[match[2]]
        )
    )


class _Condition:
    """Reads what is left of a condition; lives as long as that takes."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def run(self) -> bool | None:
        value = self._either()
        return value if self._at == len(self._tokens) else None

    def _take(self, token: str) -> bool:
        here = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += here
        return here

    def _either(self) -> bool | None:
        value = self._both()
        while value is not None and self._take("||"):
            other = self._both()
            value = None if other is None else value or other
        return value

    def _both(self) -> bool | None:
        value = self._one()
        while value is not None and self._take("&&"):
            other = self._one()
            value = None if other is None else value and other
        return value

    def _one(self) -> bool | None:
        if self._take("!"):
            value = self._one()
            return None if value is None else not value
        if self._take("("):
            value = self._either()
            return value if self._take(")") else None
        if self._take("1"):
            return True
        return False if self._take("0") else None
