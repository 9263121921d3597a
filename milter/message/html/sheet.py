"""Style sheets of a message, as far as they hide.

Selectors of one element (`p.a.b`, `#a`, `[class=a]`) are read, and those behind elements that are
around everything (`body td.a`). Rules for single media are left out, for they hide on purpose on
small screens or paper. What may be shown again by a rule that is not read is not hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.message.html.style import PLAIN, SILENT, Style, parse_style, restyled, shows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One that is never closed goes on to the end (CSS Syntax §4.3.2): nothing is looked for twice.
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
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
# Rules in these say nothing of a window on a desk.
_ELSEWHERE: Final = re.compile(
    r"@(?!media|supports|layer|container)|[^{]{0,300}\b(?:print|speech|max-(?:device-)?width\s{0,5}:\s{0,5}\d{1,3}px)",
    re.IGNORECASE,
)
_LAST: Final = re.compile(r"[^\s>+~]*\Z")
_MEDIA: Final = frozenset(("", "all", "screen"))
_SHOWS: Final = re.compile(r"display|visib|opacity|overflow|position|font|color|background", re.I)
_MAX_NESTED: Final = 3
_MAX_RULES: Final = 2_000
_MAX_SELECTORS: Final = 20
_MAX_CLASSES: Final = 20
_MAX_TEXT: Final = 4_000
# Rules of one name that are tried on an element, and on all elements of a document.
_MAX_ALIKE: Final = 20
_MAX_TRIES: Final = 20_000


class _Rule(NamedTuple):
    """Declarations for elements with all of these.

    Attributes:
        tag: Empty: any.
        classes: In lower case.
        rank: How specific the selector is, then its place in the sheet: the highest one holds.
        declarations: As written.
    """

    tag: str
    classes: frozenset[str]
    rank: tuple[bool, int, bool, int]
    declarations: str


@dataclass(slots=True)
class Sheet:
    """The rules of all style sheets of one document that tell what is seen."""

    _by_name: dict[str, list[_Rule]] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], Style] = field(default_factory=dict)
    _backgrounds_unknown: bool = False
    # Tags, classes and ids that a rule which is not read may show again, by what it says of them.
    _shown_again: dict[str, set[str]] = field(default_factory=dict)
    _count: int = 0
    _tries: int = _MAX_TRIES

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def add(self, text: str, media: str = "") -> None:
        """Take the rules of a sheet that is for `media`; those for screens of every size hold."""
        if media.strip().lower() not in _MEDIA:
            return
        sheet, conditional = _without_media(_COMMENT.sub(" ", text))
        for selector, declarations in _rules(sheet):
            self._add(selector, declarations)
        for _ in range(_MAX_NESTED):
            held, conditional = _without_media(conditional)
            for selector, declarations in _rules(held):
                self._show_again(selector, declarations)

    def style(self, tag: str, attributes: Mapping[str, str | None]) -> Style:
        """Return what the rules say about an element; PLAIN where they say nothing."""
        key = tag, attributes.get("class") or "", attributes.get("id") or ""
        style = self._known.get(key)
        if style is None:
            style = self._known[key] = self._worked_out(*key)
        return style

    def _worked_out(self, tag: str, classes: str, identity: str) -> Style:
        named = classes.lower().split()[:_MAX_CLASSES]
        style = PLAIN
        for rule in sorted(self._of(tag, named, identity.lower()), key=lambda each: each.rank):
            style = restyled(style, rule.declarations)
        if self._backgrounds_unknown and style.background is None and not style.pictured:
            # White letters whose background stands in a rule that is not read are seen.
            style = replace(style, colour=None)
        if style.hidden and self._shown_again:
            names = (tag, *[f".{name}" for name in named], f"#{identity.lower()}", "*")
            if any(style.hidden in self._shown_again.get(name, ()) for name in names):
                style = replace(style, hidden="", pinned=False)
        return PLAIN if style == SILENT else style

    def _show_again(self, selector: str, declarations: str) -> None:
        """Note that a rule of which nobody knows whether it holds may show elements."""
        if not (reasons := shows(declarations)):
            return
        last = _LAST.search(selector)
        found = _SELECTOR.match(last[0]) if last else None
        pieces = _PIECE.findall(found[2]) if found else []
        sign, attribute, name = pieces[-1] if pieces else ("", "", (found and found[1]) or "*")
        mark = "#" if sign == "#" or attribute == "id" else "." if pieces else ""
        self._shown_again.setdefault(f"{mark}{name.lower()}", set()).update(reasons)

    def _add(self, selector: str, declarations: str) -> None:
        around = _AROUND.match(selector)
        found = _SELECTOR.fullmatch(selector, around.end() if around else 0)
        if found is None or not found[0]:
            style = parse_style(declarations)
            if style.background is not None or style.pictured:
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
            rule = _Rule(tag, frozenset(classes), rank, declarations)
            self._by_name.setdefault(name, []).append(rule)

    def _of(self, tag: str, classes: list[str], identity: str) -> Iterator[_Rule]:
        """Yield the rules for an element: those of its tag, of its classes, of its id."""
        for name in (tag, *[f".{one}" for one in dict.fromkeys(classes)], f"#{identity}"):
            for rule in self._by_name.get(name, ())[-_MAX_ALIKE:]:
                self._tries -= 1
                if self._tries < 0:
                    return
                if rule.tag in ("", tag) and rule.classes.issubset(classes):
                    yield rule


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations that may tell what is seen."""
    for rule in sheet.split("}", _MAX_RULES)[:_MAX_RULES]:
        selectors, brace, declarations = rule.partition("{")
        declarations = declarations.strip()[:_MAX_TEXT]
        if brace and _SHOWS.search(declarations):
            for selector in selectors[-_MAX_TEXT:].split(",")[:_MAX_SELECTORS]:
                yield selector.strip(), declarations


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
        elif not _ELSEWHERE.match(text, at, end.end()):
            conditional.append(text[end.end() : position - 1])
    return "".join([*pieces, text[position:]]), "".join(conditional)


def _block_end(text: str, brace: int) -> int:
    depth = 0
    for match in _BRACE.finditer(text, brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(text)
