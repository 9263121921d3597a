"""What is wrong with an expression, in words for the person who wrote it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.expressions.functions import SIGNATURES
from policies.expressions.hints import FUNCTIONS, NAMES, of_operands
from policies.expressions.lifting import offset_of, place_of
from policies.expressions.reading import ExpressionError
from policies.expressions.schema import PACKAGE
from policies.facts import FACTS, FACTS_BY_NAME
from policies.mistakes import near

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policies.facts import FieldSpec

_FIELD: Final = re.compile(rf"undefined field '([^']+)' not found in struct '{PACKAGE}\.([^']+)'")
_NO_FIELDS: Final = re.compile(r"expression of type '([^']+)' cannot be the operand of a select")
_NAME: Final = re.compile(r"undeclared reference to '([^']+)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_SYNTAX: Final = re.compile(r"Syntax error: (.*)")
_TOKEN: Final = re.compile(r"(?:mismatched|extraneous) input '([^']*)'|at input '([^']*)'")
_METHODS: Final = (
    *("all", "contains", "endsWith", "exists", "exists_one", "filter", "has", "map", "matches"),
    *("size", "startsWith", "int", "double", "string"),
)
_AND_OR_NOT: Final = "write && for and, || for or, ! for not"
# Operators of other languages, and what is written here.
_MEANT: Final[Mapping[str, str]] = {
    "<>": "to tell that two things differ, write !=",
    "=~": 'to match a pattern, write subject.matches("won .* prize")',
    "like ": 'to look for a part, write subject.contains("won")',
    "LIKE ": 'to look for a part, write subject.contains("won")',
    "IN ": "write `in` in small letters",
    " & ": _AND_OR_NOT,
    " | ": _AND_OR_NOT,
    "and ": _AND_OR_NOT,
    "or ": _AND_OR_NOT,
    "not ": _AND_OR_NOT,
    "AND ": _AND_OR_NOT,
    "OR ": _AND_OR_NOT,
    "NOT ": _AND_OR_NOT,
}
_TYPOGRAPHIC: Final = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb\u00b4`")
_OPERATORS: Final[Mapping[str, str]] = {"@in": "in", "_?_:_": "? :", "-_": "-", "!_": "!"}
_TYPES: Final[Mapping[str, str]] = {
    "string": "a text",
    "int": "a whole number",
    "uint": "a whole number with u",
    "double": "a number",
    "bool": "true or false",
    "list(string)": "a list of texts",
    "map(string, int)": "counts by name",
    "null": "null",
    "null_type": "null",
}
_RECORD: Final = "the record "
_LIST: Final = "the list "
_OF_A_TEXT: Final = frozenset({"contains", "endsWith", "matches", "startsWith"})
_MAX_LENGTH: Final = 160


def explained(error: str, text: str, original: Callable[[int], int]) -> ExpressionError:
    """Return the library's complaint about `text` in words of ours, at its place.

    Args:
        error: What the library said.
        text: As it was written.
        original: Tells where in it a character of what was compiled stands.
    """
    place = place_of(error)
    first = error.partition("<input>:")[2].partition("\n")[0]
    if place is None or place[0] > len(text) + 1:
        deep = "recursion" in error
        return ExpressionError(
            "nested too deep: make two rules of it" if deep else f"not an expression: {error}"
        )
    offset = original(offset_of(text, *place)) if place[0] > 1 else original(place[1] - 1)
    offset = min(offset, len(text))
    for pattern, explain in _EXPLAINED:
        if found := pattern.search(first):
            return explain(found, text, offset)
    return ExpressionError(first.partition(": ")[2][:_MAX_LENGTH] or "not an expression", offset)


def _no_field(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    name, record = found.groups()
    known = [field.name for field in _fields(record)]
    what = f"`{record}` has no field `{name}`{near(name, known)}"
    return ExpressionError(what, _word_at(text, offset, name))


def _fields(record: str) -> tuple[FieldSpec, ...]:
    fact, *inner = record.split("_") if record not in FACTS_BY_NAME else [record]
    fields = FACTS_BY_NAME[fact].fields if fact in FACTS_BY_NAME else ()
    for name in inner:
        fields = next((field.fields for field in fields if field.name == name), ())
    return fields


def _no_fields(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    kind = _type(found[1])
    return ExpressionError(f"{kind} has no fields, so nothing can stand behind this dot", offset)


def _no_name(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    name = found[1]
    called = text[offset : offset + 1] == "("
    start = text.rfind(name, 0, offset) if called else _word_at(text, offset, name)
    if not called and "." in name:
        # The library tells the dot behind an unknown name as the place of both.
        start = text.rfind(name, 0, offset + len(name))
        name = name.partition(".")[0]
    start = max(start, 0)
    if called and name in SIGNATURES:
        return ExpressionError(f"`{name}` is written {SIGNATURES[name]}", start)
    if called and name in _METHODS:
        what = f"`{name}` cannot be used in this way here"
        if name in _OF_A_TEXT and text[start - 1 : start] != ".":
            what = f'`{name}` stands behind what it looks at: subject.{name}("...")'
        return ExpressionError(what, start)
    if called:
        meant = f": {FUNCTIONS[name]}" if name in FUNCTIONS else ""
        what = f"there is no function `{name}`{meant or near(name, (*SIGNATURES, *_METHODS))}"
        return ExpressionError(what, start)
    if name.isupper():
        what = f'a symbol is asked for in quotes: "{name}" in symbols'
        return ExpressionError(what, start)
    if loop := _wrong_loop(name, text, start):
        return loop
    meant = f": {NAMES[name]}" if name in NAMES else ""
    near_by = meant or near(name, _names()) or ": a text stands in quotes"
    return ExpressionError(f"there is no fact `{name}`{near_by}", start)


def _wrong_loop(name: str, text: str, start: int) -> ExpressionError | None:
    """Return the mistake where `name` would stand for one item, were the loop written right."""
    loop = re.search(rf"\.\s*(\w+)\s*\(\s*{re.escape(name)}\s*,", text)
    if loop is None or loop.start() > start or loop[1] in _METHODS:
        return None
    known = near(loop[1], _METHODS)
    return ExpressionError(f"there is no function `{loop[1]}`{known}", loop.start(1))


def _names() -> list[str]:
    return [spec.name for spec in FACTS]


def _no_overload(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    function, kinds = found[1], _types(found[2])
    shown = _OPERATORS.get(function, function.strip("_"))
    if function in SIGNATURES:
        start = max(text.rfind(function, 0, offset), 0)
        return ExpressionError(f"`{function}` is written {SIGNATURES[function]}", start)
    if function.startswith("_") or function in _OPERATORS:
        joined = " and ".join(kinds)
        hint = _hint(kinds) or of_operands(shown, kinds, text[:offset])
        return ExpressionError(f"`{shown}` does not go with {joined}{hint}", offset)
    start = max(text.rfind(function, 0, offset), 0)
    what = f"`{function}` does not go with {' and '.join(kinds)}"
    return ExpressionError(f"{what}{of_operands(function, kinds, text[:start])}", start)


def _hint(kinds: list[str]) -> str:
    record = next((kind for kind in kinds if kind.startswith(_RECORD)), "")
    if record:
        names = ", ".join(field.name for field in _fields(record.removeprefix(_RECORD)))
        return f": name one of its fields: {names}"
    listed = next((kind for kind in kinds if kind.startswith(_LIST)), "")
    if listed:
        name = listed.removeprefix(_LIST)
        field = next((field.name for field in _fields(name)), "")
        return f': look through it: {name}.exists(one, one.{field} == "...")'
    if set(kinds) == {"a number", "a whole number"}:
        return ": write double(...) around the whole number"
    return ""


def _types(written: str) -> list[str]:
    """Split the types of arguments at the commas outside brackets."""
    return [_type(kind.strip()) for kind in re.split(r",\s*(?![^()]*\))", written)]


def _type(kind: str) -> str:
    if kind.startswith(f"{PACKAGE}."):
        return _RECORD + kind.removeprefix(f"{PACKAGE}.")
    if kind.startswith(f"list({PACKAGE}."):
        return f"{_LIST}{kind.removeprefix(f'list({PACKAGE}.').removesuffix(')')}"
    return _TYPES.get(kind, kind)


def _syntax(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    said = found[1]
    token = _TOKEN.search(said)
    word = next((part for part in token.groups() if part), "") if token else ""
    if word == "<EOF>" or offset >= len(text):
        return ExpressionError("the expression breaks off here", offset)
    if text[offset] in _TYPOGRAPHIC:
        return ExpressionError(f'`{text[offset]}` is no quote of a program: write "', offset)
    if text[offset] == "=" and text[offset : offset + 2] not in {"==", "=~"}:
        return ExpressionError("to compare, write ==", offset)
    for written, meant in _MEANT.items():
        start = text.rfind(written, 0, offset + len(written))
        if start >= 0 and not text[start + len(written) : offset].strip():
            return ExpressionError(meant, start + written.startswith(" "))
    if word in {"B", "k", "K", "kB", "KB", "M", "MB", "G", "GB"}:
        return ExpressionError("a size is in bytes: write 10 * 1024 * 1024 for 10 MB", offset)
    if text[offset] in "\"'":
        return ExpressionError("a quote is not closed, or stands too much", offset)
    return ExpressionError(f"`{word or text[offset : offset + 1]}` is not expected here", offset)


def _word_at(text: str, offset: int, word: str) -> int:
    found = text.find(word, offset)
    return found if found >= 0 else offset


_EXPLAINED: Final = (
    (_FIELD, _no_field),
    (_NO_FIELDS, _no_fields),
    (_NAME, _no_name),
    (_OVERLOAD, _no_overload),
    (_SYNTAX, _syntax),
)
