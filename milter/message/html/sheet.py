"""Style sheets of a message, as far as they hide.

Selectors of one element (`p.a.b`, `#a`, `[class=a]`) are read, and those behind elements that are
around everything (`body td.a`). Rules for single media are left out, for they hide on purpose on
small screens or paper. What may be shown again by a rule that is not read is not hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.message.html.declarations import without_opaque
from milter.message.html.style import (
    EVERY_REASON,
    PLAIN,
    SILENT,
    Declared,
    Style,
    declared,
    overlaid,
    shown,
    shows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BRACE: Final = re.compile(r"[{}]")
_AT_RULE_END: Final = re.compile(r"[;{]")
_SELECTOR: Final = re.compile(
    r"(\*|[A-Za-z][A-Za-z0-9]*)?((?:[.#][A-Za-z_-][\w-]*|\[(?:class|id)~?=[\"']?[\w-]+[\"']?\]){0,6})"
)
_PIECE: Final = re.compile(r"(?:([.#])|\[(class|id)~?=[\"']?)([\w-]+)")
# What stands around all there is, or nearly so: who is in them tells nothing.
_AROUND: Final = re.compile(
    r"(?:(?:\*|html|body|div|table|tbody|tr|td|center)\s*[\s>]\s*){1,8}", re.IGNORECASE
)
_EVERYWHERE: Final = re.compile(r"@media\s+(?:only\s+)?(?:all|screen)\s*\{", re.IGNORECASE)
# Rules in these may hold for a window on a desk, but for single media.
_CONDITIONAL: Final = re.compile(r"@(?:media|supports|layer|container|scope|-moz-document)\b", re.I)
_SINGLE_MEDIA: Final = re.compile(
    r"(?!.*\b(?:not|or)\b).*\b(?:print|speech|max-(?:device-)?width\s{0,5}:\s{0,5}\d{1,3}px)",
    re.IGNORECASE | re.DOTALL,
)
_MAX_QUERY: Final = 300
_LAST: Final = re.compile(r"[^\s>+~]*\Z")
# Selectors of which the last word does not tell for what they are.
_OPAQUE: Final = re.compile(r"[\\(\"']")
_MEDIA: Final = frozenset(("", "all", "screen"))
_SHOWS: Final = re.compile(r"display|visib|opacity|overflow|position|font|color|background", re.I)
_MAX_NESTED: Final = 3
_MAX_RULES: Final = 2_000
_MAX_SELECTORS: Final = 20
_MAX_CLASSES: Final = 20
# Rules of one name that are tried on an element, and on all elements of a document.
_MAX_ALIKE: Final = 20
_MAX_TRIES: Final = 10_000


class _Rule(NamedTuple):
    """Declarations for elements with all of these.

    Attributes:
        tag: Empty: any.
        classes: In lower case.
        rank: How specific the selector is, then its place in the sheet: the highest one holds.
        declared: What it says, read once for however many elements.
    """

    tag: str
    classes: frozenset[str]
    rank: tuple[bool, int, bool, int]
    declared: Declared


@dataclass(slots=True)
class Sheet:
    """The rules of all style sheets of one document that tell what is seen."""

    _by_name: dict[str, list[_Rule]] = field(default_factory=dict)
    _known: dict[tuple[str, str, str, bool], Style] = field(default_factory=dict)
    # By the places of the rules that made them.
    _made: dict[tuple[int, ...], Style] = field(default_factory=dict)
    _backgrounds_unknown: bool = False
    # Tags, classes and ids that a rule which is not read may show again, by what it says of them,
    # and whether that is said for good.
    _shown_again: dict[str, set[tuple[str, bool]]] = field(default_factory=dict)
    _count: int = 0
    _tries: int = _MAX_TRIES
    # Whether there was more than is read: it may show whatever is hidden.
    _is_partial: bool = False

    def __bool__(self) -> bool:
        return bool(self._by_name or self._shown_again)

    def add(self, text: str, media: str = "") -> None:
        """Take the rules of a sheet that is for `media`; those for screens of every size hold."""
        text = without_opaque(text)
        if (medium := media.strip().lower()) in _MEDIA:
            sheet, conditional = _without_media(text)
            for selector, declarations in self._rules(sheet):
                self._add(selector, declarations)
        else:
            conditional = "" if _is_elsewhere(medium) else text
        for _ in range(_MAX_NESTED):
            held, conditional = _without_media(conditional)
            for selector, declarations in self._rules(held):
                self._show_again(selector, declarations)
        if conditional:
            self.add_unread()

    def add_unread(self) -> None:
        """Take it that there are rules which nobody reads."""
        self._is_partial = True

    def style(self, tag: str, attributes: Mapping[str, str | None], first: Style = PLAIN) -> Style:
        """Return what the rules make of how an element of `first` is seen."""
        key = tag, attributes.get("class") or "", attributes.get("id") or "", first is PLAIN
        style = self._known.get(key)
        if style is None:
            style = self._known[key] = self._worked_out(*key[:3], first)
        return style

    def _worked_out(self, tag: str, classes: str, identity: str, first: Style) -> Style:
        named, identity = classes.lower().split(), identity.lower()
        rules, whole = self._of(tag, named[:_MAX_CLASSES], identity)
        style = self._overlaid(first, sorted(rules, key=lambda each: each.rank))
        if self._is_partial or not whole or len(named) > _MAX_CLASSES:
            return shown(style, EVERY_REASON, EVERY_REASON)
        if self._backgrounds_unknown and style.background is None and not style.pictured:
            # White letters whose background stands in a rule that is not read are seen.
            style = replace(style, colour=None)
        if self._shown_again and (reasons := self._again(tag, named, identity)):
            kept = frozenset([reason for reason, pinned in reasons if pinned])
            style = shown(style, frozenset([reason for reason, _ in reasons]), kept)
        return first if style in (first, SILENT) else style

    def _again(self, tag: str, classes: list[str], identity: str) -> frozenset[tuple[str, bool]]:
        """Return for what an element may be shown again, and whether that is said for good."""
        names = (tag, *[f".{name}" for name in classes], f"#{identity}", "*")
        return frozenset().union(*[self._shown_again.get(name, ()) for name in names])

    def _overlaid(self, first: Style, rules: list[_Rule]) -> Style:
        """Return what `rules` make of `first`; the rows of a table have the same ones."""
        key = first is PLAIN, *[rule.rank[-1] for rule in rules]
        style = self._made.get(key)
        if style is None:
            style = first
            for rule in rules:
                style = overlaid(style, rule.declared)
            self._made[key] = style
        return style

    def _show_again(self, selector: str, declarations: str) -> None:
        """Note that a rule of which nobody knows whether it holds may show elements."""
        more = declared(declarations)
        if not (reasons := shows(more)):
            return
        mark = "*" if _OPAQUE.search(selector) else _mark_of(selector)
        known = self._shown_again.setdefault(mark, set())
        known.update([(reason, reason in more.style.keeps) for reason in reasons])

    def _add(self, selector: str, declarations: str) -> None:
        around = _AROUND.match(selector)
        found = _SELECTOR.fullmatch(selector, around.end() if around else 0)
        more = declared(declarations)
        if found is None or not found[0]:
            if more.style.background is not None or more.style.pictured:
                self._backgrounds_unknown = True
            self._show_again(selector, declarations)
            return
        tag = "" if found[1] in (None, "*") else found[1].lower()
        classes, identity = set(), ""
        for sign, attribute, name in _PIECE.findall(found[2]):
            if sign == "." or attribute == "class":
                classes.add(name.lower())
            else:
                identity = name.lower()
        name = f"#{identity}" if identity else f".{min(classes)}" if classes else tag
        if name:
            self._count += 1
            rank = bool(identity), len(classes), bool(tag), self._count
            rule = _Rule(tag, frozenset(classes), rank, more)
            self._by_name.setdefault(name, []).append(rule)
        else:
            self._show_again(selector, declarations)

    def _of(self, tag: str, classes: list[str], identity: str) -> tuple[list[_Rule], bool]:
        """Return the rules for an element, of its tag, its classes, its id, and whether all."""
        rules: list[_Rule] = []
        whole = True
        for name in (tag, *[f".{one}" for one in dict.fromkeys(classes)], f"#{identity}"):
            alike = self._by_name.get(name, [])
            whole = whole and len(alike) <= _MAX_ALIKE
            for rule in alike[-_MAX_ALIKE:]:
                self._tries -= 1
                if self._tries < 0:
                    return rules, False
                if rule.tag in ("", tag) and rule.classes.issubset(classes):
                    rules.append(rule)
        return rules, whole

    def _rules(self, sheet: str) -> Iterator[tuple[str, str]]:
        """Yield selectors and declarations that may tell what is seen."""
        rules = sheet.split("}", _MAX_RULES)
        if len(rules) > _MAX_RULES and _SHOWS.search(rules.pop()):
            self.add_unread()
        for rule in rules:
            selectors, brace, declarations = rule.partition("{")
            if not brace or not _SHOWS.search(declarations):
                continue
            if "{" in declarations:
                # A rule in a rule (CSS Nesting): nobody follows for what it is.
                self._show_again("*", declarations.rpartition("{")[2])
                continue
            each = selectors.split(",", _MAX_SELECTORS)
            if len(each) > _MAX_SELECTORS:
                self._show_again("*", declarations)
            for selector in each[:_MAX_SELECTORS]:
                yield selector.strip(), declarations.strip()


def _mark_of(selector: str) -> str:
    """Return the tag, class or id by which to find what a selector is for."""
    last = _LAST.search(selector)
    found = _SELECTOR.match(last[0]) if last else None
    pieces = _PIECE.findall(found[2]) if found else []
    sign, attribute, name = pieces[-1] if pieces else ("", "", (found and found[1]) or "*")
    return f"{'#' if sign == '#' or attribute == 'id' else '.' if pieces else ''}{name.lower()}"


def _without_media(text: str) -> tuple[str, str]:
    """Return the sheet without at-rules and all in their braces, but with what is for screens.

    And what stands in those that may hold for a window on a desk.
    """
    if "@" not in text:
        return text, ""
    pieces: list[str] = []
    conditional: list[str] = []
    position = 0
    while (at := text.find("@", position)) >= 0:
        pieces.append(text[position:at])
        end = _AT_RULE_END.search(text, at)
        if end is None or end[0] == ";":
            position = end.end() if end else len(text)
            continue
        position = _block_end(text, end.start())
        if everywhere := _EVERYWHERE.match(text, at):
            pieces.append(text[everywhere.end() : position - 1])
        elif _CONDITIONAL.match(text, at) and not _is_elsewhere(text[at : end.start()]):
            conditional.append(text[end.end() : position - 1])
    return "".join([*pieces, text[position:]]), "".join(conditional)


def _is_elsewhere(queries: str) -> bool:
    """Return whether queries are for paper, voices and small screens alone."""
    if len(queries) > _MAX_QUERY:
        return False
    return all(_SINGLE_MEDIA.match(query) for query in queries.split(","))


def _block_end(text: str, brace: int) -> int:
    depth = 0
    for match in _BRACE.finditer(text, brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(text)
