"""Declarations of CSS, told apart as browsers do (CSS Syntax 3, §4.3 and §5.4).

What stands in a string, in brackets, in an address or behind an escape ends nothing: who reads it
as a declaration calls text hidden that everybody sees.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

# Each begins with the sign that it is told by, so that a search goes from sign to sign at once. One
# that is never closed goes on to the end: nothing is looked for twice.
_OPAQUE: Final = (
    r"(?P<comment>(?<=/)\*.*?(?:\*/|\Z))"
    r"|(?P<string>(?<=\")(?:[^\"\\\n]++|\\.)*+\"?|(?<=')(?:[^'\\\n]++|\\.)*+'?)"
    r"|(?P<url>(?<=[uU])(?<![\w-].)[rR][lL]\(\s*+(?![\"'])(?:[^)\\]++|\\.)*+\)?)"
)
_TOKEN: Final = re.compile(
    rf"[/\"'uU\\()\[\]{{}};](?:{_OPAQUE}"
    r"|(?P<escape>(?<=\\)(?:[0-9a-fA-F]{1,6}\s?|.))|(?P<sign>(?<=[()\[\]{};])))",
    re.DOTALL,
)
_IN_SHEET: Final = re.compile(rf"[/\"'uU](?:{_OPAQUE})", re.DOTALL)
_STRING: Final = r"\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+'"
_CONTENT: Final = re.compile(
    rf"(?<![\w-])content\s*+:((?:{_STRING}|[^;{{}}\"'])++)", re.DOTALL | re.IGNORECASE
)
_STRING_CONTENT: Final = re.compile(
    r"\"((?:[^\"\\\n]++|\\.)*+)\"|'((?:[^'\\\n]++|\\.)*+)'", re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]{2}")
_MOST_CONTENTS: Final = 1_000
_NOT_PLAIN: Final = re.compile(r"[\"'(\[{\\]|/\*")
_STRUCTURE: Final = re.compile(r"[{}();@\\]|/\*")
_WRITTEN: Final = {"comment": " ", "string": '""', "url": "url()"}
_CLOSED_BY: Final = {"(": ")", "[": "]", "{": "}"}
_NAME_CHARACTER: Final = re.compile(r"[\w-]")
# Of no name and no value that means anything here.
_FOREIGN: Final = "\ufffd"


def declarations(text: str) -> tuple[dict[str, str], frozenset[str]]:
    """Return the values by property, and the properties of which `!important` says that they stay.

    The last one of a property holds, as in browsers, unless an earlier one is to stay. They come in
    the order in which they hold.

    Args:
        text: In lower case.
    """
    values: dict[str, str] = {}
    pinned: set[str] = set()
    for declaration in _pieces(text) if _NOT_PLAIN.search(text) else text.split(";"):
        name, colon, value = declaration.partition(":")
        if not colon:
            continue
        name, important = name.strip(), False
        if "!" in value:
            value, _, word = value.partition("!")
            if word.strip() != "important":
                # Browsers leave out what they do not know.
                continue
            important = True
        if important:
            pinned.add(name)
        elif name in pinned:
            continue
        values.pop(name, None)
        values[name] = value.strip()
    return values, frozenset(pinned)


def written_out(sheet: str) -> list[str]:
    """Return the words that a style sheet puts before and behind elements (CSS 2.1 §12.2)."""
    if "content" not in sheet.lower():
        return []
    found = islice(_CONTENT.finditer(sheet), _MOST_CONTENTS)
    words = (_STRING_CONTENT.findall(content[1]) for content in found)
    written = [_ESCAPE.sub(_character, "".join(map("".join, each))) for each in words]
    # Quotes and signs of fonts say nothing.
    return [each for each in written if _WORD.search(each)]


def _character(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return escape[2]
    number = int(escape[1], 16)
    return " " if number < 0x20 or number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)


def without_opaque(sheet: str) -> str:
    """Return a style sheet without comments, and without the signs of its structure in strings."""
    return _IN_SHEET.sub(_bare, sheet)


def _bare(match: re.Match[str]) -> str:
    if match.lastgroup == "string" and not _STRUCTURE.search(match[0]):
        return match[0]
    return _WRITTEN[match.lastgroup or ""]


def _pieces(text: str) -> list[str]:
    """Return what semicolons part, without what they stand in."""
    pieces: list[str] = []
    current: list[str] = []
    closing: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        current.append(text[position : token.start()])
        position, kind, sign = token.end(), token.lastgroup or "", token[0]
        if kind == "escape":
            current.append(_unescaped(sign))
        elif kind != "sign":
            current.append(_WRITTEN[kind])
        elif sign == ";" and not closing:
            pieces.append("".join(current))
            current.clear()
        else:
            current.append(sign)
            if sign in _CLOSED_BY:
                closing.append(_CLOSED_BY[sign])
            elif closing and closing[-1] == sign:
                closing.pop()
    return [*pieces, "".join([*current, text[position:]])]


def _unescaped(escape: str) -> str:
    code = escape[1:].strip()
    if re.fullmatch("[0-9a-f]{1,6}", code):
        number = int(code, 16)
        code = chr(number).lower() if number < 0x80 else _FOREIGN
    # What is escaped is a letter of a name, and never a sign.
    return code if _NAME_CHARACTER.fullmatch(code) else _FOREIGN
