"""A look at HTML before the parser: bounds on size, tags, nesting and attributes.

The parser that follows takes quadratic time over elements in each other and over attributes of one
tag, and opens formatting that is never closed again in each block; this scan is one pass of a
regular expression that never goes back. What passes a bound is left to `strip_markup`, which sees
less and is linear.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from milter.message.html.element import BLOCKS
from milter.message.html.formatting import reopens_too_much

if TYPE_CHECKING:
    from milter.message.guard import Bounds, Notes

# Each alternative takes what it takes for good. A tag ends at the first `>` outside quotes.
_TAG: Final = re.compile(
    r"<(/)?([A-Za-z][A-Za-z0-9]*+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+'|[\"'])*+)", re.DOTALL
)
_OPENED: Final = re.compile(r"<([A-Za-z][A-Za-z0-9]*+)")
_WHOLE_TAG: Final = re.compile(r"<[A-Za-z](?:[^>\"']++|\"[^\"]*+\"|'[^']*+'|[\"'])*+", re.DOTALL)
_ATTRIBUTES: Final = "an HTML tag has more attributes than are read"
_ATTRIBUTE: Final = re.compile(r"[^\s/=\"']++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"']++))?")
# They have no end tag, or one that is left out: they do not nest.
_FLAT_NAMES: Final = """
area base br col embed hr img input link meta param source track wbr p li td th tr dt dd option
"""
_FLAT: Final = frozenset(_FLAT_NAMES.split())
_MUTE: Final = re.compile(r"<(?:!--|(script|style|title|noembed|xmp)\b)", re.IGNORECASE)
_HREF: Final = re.compile(
    r"\b(?:href|src|action)\s{0,5}=\s{0,5}(?:\"([^\"]{1,2000})|'([^']{1,2000})|([^\s>\"']{1,2000}))",
    re.IGNORECASE,
)
_MARKUP: Final = re.compile(r"<[A-Za-z/!?][^>]*+>?")
# Other tags part no words.
_PARTING: Final = re.compile(
    rf"</?(?:br|img|input|{'|'.join(sorted(BLOCKS))})(?![A-Za-z0-9])[^>]*+>?", re.IGNORECASE
)
_COMMENT: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
# Pictures in the text itself: one long word for any reader of HTML, however large they are.
_DATA: Final = re.compile(r"\bdata:[\w.+-]{1,40}/[\w.+-]{1,40};base64,([A-Za-z0-9+/=]*+)")
_SHORT_TAG: Final = 512
# As long as no `>` is quoted each tag ends at the first one, and a long one is seen at a glance.
_QUOTED_END: Final = re.compile(r"=\s*+(?:\"[^\">]*+>|'[^'>]*+>)")
_LONG_TAG: Final = re.compile(rf"<[A-Za-z][^>]{{{_SHORT_TAG},}}+")


def fits(text: str, notes: Notes, bounds: Bounds) -> bool:
    """Return whether `text` may be given to the parser; what it is too large in is noted."""
    if len(text) > bounds.html_chars and _without_data(text) > bounds.html_chars:
        notes.limit("html", "an HTML text is longer than is taken apart")
        return False
    if reopens_too_much(text):
        notes.limit("html", "HTML has more formatting that is never closed than is read")
        return False
    # What opens fewer elements than may lie in each other need not be looked at tag by tag.
    if text.count("<") > bounds.html_depth and _may_be_deep(text, bounds):
        return _tags_fit(text, notes, bounds)
    if _QUOTED_END.search(text) is None:
        long = _LONG_TAG.findall(text)
    else:
        long = [tag for tag in _WHOLE_TAG.findall(text) if len(tag) > _SHORT_TAG]
    if any(_too_many(tag, bounds.html_attributes) for tag in long):
        notes.limit("html", _ATTRIBUTES)
        return False
    return True


def _without_data(text: str) -> int:
    """Return how long `text` is without what addresses hold themselves."""
    return len(text) - sum(match.end() - match.start(1) for match in _DATA.finditer(text))


def _may_be_deep(text: str, bounds: Bounds) -> bool:
    """Return whether there are so many tags that it depends on how they lie."""
    names = Counter(_OPENED.findall(text))
    nesting = sum(count for name, count in names.items() if name.lower() not in _FLAT)
    return nesting > bounds.html_depth or names.total() > bounds.html_tags


def _tags_fit(text: str, notes: Notes, bounds: Bounds) -> bool:
    opened: Counter[str] = Counter()
    depth, count = 0, 0
    # An end tag in a comment ends nothing.
    for match in _TAG.finditer(_COMMENT.sub(" ", text) if "<!--" in text else text):
        slash, name, attributes = match.groups()
        count += 1
        name = name.lower()
        if name not in _FLAT:
            # Nor does one that belongs to no element that is open.
            step = 1 if not slash else -1 if opened[name] else 0
            opened[name] += step
            depth += step
            if depth > bounds.html_depth:
                notes.limit("html", "HTML elements lie deeper in each other than is read")
                return False
        if len(attributes) > _SHORT_TAG and _too_many(attributes, bounds.html_attributes):
            notes.limit("html", _ATTRIBUTES)
            return False
    if count > bounds.html_tags:
        notes.limit("html", "HTML has more tags than are read")
        return False
    return True


def _too_many(attributes: str, most: int) -> bool:
    return sum(1 for _ in _ATTRIBUTE.finditer(attributes)) > most


def strip_markup(text: str, most: int) -> tuple[str, list[str]]:
    """Return the text between the tags and at most `most` addresses in them, with no parser."""
    plain = html.unescape(_MARKUP.sub("", _PARTING.sub(" ", _without_mute(text))))
    links = []
    for match in _HREF.finditer(text):
        links.append(html.unescape(match[1] or match[2] or match[3]))
        if len(links) >= most:
            break
    return " ".join(plain.split()), links


def _without_mute(text: str) -> str:
    """Return `text` without comments and elements that hold no text for people."""
    lowered = text.lower()
    lowered = lowered if len(lowered) == len(text) else text
    pieces, position = [], 0
    while match := _MUTE.search(text, position):
        pieces.append(text[position : match.start()])
        if comment := _COMMENT.match(text, match.start()):
            position = comment.end()
            continue
        mark = f"</{match[1].lower()}"
        end = lowered.find(mark, match.end())
        if end < 0:
            return "".join(pieces)
        position = end + len(mark)
    return "".join([*pieces, text[position:]])
