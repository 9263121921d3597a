"""What a value of the wrong shape is called in words for people, at its line and column.

It turns the errors of the schema library into `ConfigError`s: one for each place, in the words of
the file and not of the library. It reads no file.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from typing import Any, Final

import pydantic

from policies.positions import short
from policies.shapes import NEEDS

if typing.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from pydantic_core import ErrorDetails

    from policies.errors import ConfigError
    from policies.positions import Positions

_Loc = tuple[str | int, ...]

_MAPPING: Final = "a mapping of keys"
_LIST: Final = "a list"
_NUMBERS: Final = frozenset({"a number", "a whole number"})
_NEEDS: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "frozen_set_type": _LIST,
    "set_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "none_required": "null",
    "ip_any_network": "a network such as 192.0.2.0/24",
    "ip_any_address": "an IP address",
}
# What other filters call what is meant.
_MEANT: Final = {
    **dict.fromkeys(("accept", "allow", "whitelist", "ok", "ham", "dunno", "no action"), "pass"),
    **dict.fromkeys(("add header", "add_header", "mark", "spam", "flag", "warn"), "tag"),
    **dict.fromkeys(("hold", "junk"), "quarantine"),
    **dict.fromkeys(("tempfail", "greylist", "soft reject", "soft_reject", "delay"), "defer"),
    **dict.fromkeys(("block", "deny", "refuse", "bounce", "blacklist"), "reject"),
    **dict.fromkeys(("drop", "delete"), "discard"),
    "incoming": "inbound",
    "outgoing": "outbound",
}
_WITH_UNIT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z%]{1,10})")
_POWERS: Final = {"k": 1, "m": 2, "g": 3}
_NO_BLANK: Final = re.compile(r"[\w-]+:\S")
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "{} or less"),
    "too_short": ("min_length", "at least {} in the list"),
    "too_long": ("max_length", "at most {} in the list"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
}
# What may stand there is a choice of words.
_CHOICES: Final = frozenset({"literal_error", "enum", NEEDS})
_EXAMPLE: Final = " such as "
_MAX_SHOWN: Final = 60
_MAX_LISTED: Final = 14


def near(word: str, known: Iterable[str]) -> str:
    """Return `: did you mean ...?`, or what is known, or nothing when that is too much."""
    names = sorted(known)
    if len(word) > _MAX_SHOWN:
        return ""
    close = difflib.get_close_matches(word, names, 1, 0.6)
    if close:
        return f": did you mean `{close[0]}`?"
    if names and len(names) <= _MAX_LISTED:
        return ": known here: " + ", ".join(names)
    return ""


def in_words(
    error: pydantic.ValidationError, positions: Positions, model: type[pydantic.BaseModel]
) -> list[ConfigError]:
    """Return one mistake for each place at which `model` does not fit, in the order of the file."""
    places: dict[_Loc, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        places.setdefault(_place(detail, positions), []).append(detail)
    mistakes = [
        _mistake(loc, details, positions, model)
        for loc, details in places.items()
        if not _explained_deeper(loc, details, places)
    ]
    return sorted(mistakes, key=lambda mistake: (mistake.path, mistake.line, mistake.column))


def places(error: pydantic.ValidationError, positions: Positions) -> list[_Loc]:
    """Return every place at which a model does not fit; of what is missing, where it would be."""
    return list(dict.fromkeys(_place(each, positions) for each in error.errors(include_url=False)))


def _place(detail: ErrorDetails, positions: Positions) -> _Loc:
    """Return where in the file an error is; the library adds the names of a union's branches."""
    loc = detail["loc"]
    steps: list[str | int] = []
    for step in loc:
        if positions.depth([*steps, step]) > len(steps):
            steps.append(step)
    if detail["type"] == "missing":
        steps.append(loc[-1])
    return tuple(steps)


def _explained_deeper(
    loc: _Loc, details: list[ErrorDetails], places: Mapping[_Loc, list[ErrorDetails]]
) -> bool:
    """Whether a mistake further in says it all.

    One branch of a union fits down to there and the others say nothing new; or a list counts as
    too short because its items are wrong.
    """
    says_little = all(
        len(detail["loc"]) > len(loc) or detail["type"] == "too_short" for detail in details
    )
    return says_little and any(
        len(other) > len(loc) and other[: len(loc)] == loc for other in places
    )


def _mistake(
    loc: _Loc, details: list[ErrorDetails], positions: Positions, model: type[pydantic.BaseModel]
) -> ConfigError:
    first = details[0]
    if first["type"] == "extra_forbidden":
        known = fields_at(model, loc[:-1])
        word = str(loc[-1])
        return positions.key_error(loc, f"unknown key `{short(word)}`{near(word, known)}")
    if first["type"] == "missing":
        what = fields_at(model, loc[:-1]).get(str(loc[-1]), "")
        return positions.key_error(loc, f"`{loc[-1]}` is missing{f' ({what})' if what else ''}")
    if first["loc"][-1:] == ("[key]",):
        return positions.key_error(loc, f"the key `{short(str(loc[-1]))}` must be {_need(first)}")
    given = _shown(positions.node(loc).value())
    if all(detail["type"] == "value_error" for detail in details) and not _union(details, loc):
        return positions.error(loc, f"{_name(loc)}: {_own_words(first)}, not {given}")
    needs = " or ".join(dict.fromkeys(map(_need, details)))
    meant = _meant(details, positions.node(loc).value(), loc)
    return positions.error(loc, f"{_name(loc)} needs {needs}, not {given}{meant}")


def _meant(details: list[ErrorDetails], given: object, loc: _Loc) -> str:
    """Return `: did you mean ...?` where one of the words that may stand there is like `given`."""
    needs = [_need(detail) for detail in details if detail["type"] in _CHOICES]
    choices = " ".join(need for need in needs if _EXAMPLE not in need)
    words = {word.strip(".") for word in re.findall(r"[\w:.-]+", choices)} - {"or"}
    close = difflib.get_close_matches(given, words, 1) if _is_word(given) else []
    if close:
        return f": did you mean `{close[0]}`?"
    meant = _MEANT.get(given.lower()) if _is_word(given) else None
    if meant in words:
        return f": did you mean `{meant}`?"
    return _mended(given, {_NEEDS.get(detail["type"], "") for detail in details}, loc)


def _mended(given: object, needs: Set[str], loc: _Loc) -> str:
    """Return how `given` is written where one of `needs` is needed; empty: nobody knows."""
    if not isinstance(given, str) or len(given) > _MAX_SHOWN:
        return ""
    if _MAPPING in needs and _NO_BLANK.match(given):
        return ": a blank is missing behind the `:`"
    if needs == {_LIST} and given:
        return f": write [{given}]"
    number = _WITH_UNIT.fullmatch(given) if needs & _NUMBERS else None
    if number is None:
        return ""
    power = _POWERS.get(number[2][:1].lower())
    if power and str(loc[-1]).endswith("bytes"):
        return f": write {int(float(number[1]) * 1024**power)}"
    return f": write {number[1]} without the unit"


def _is_word(given: object) -> typing.TypeGuard[str]:
    return isinstance(given, str) and len(given) <= _MAX_SHOWN


def _union(details: list[ErrorDetails], loc: _Loc) -> bool:
    return any(len(detail["loc"]) > len(loc) for detail in details)


def _name(loc: _Loc) -> str:
    """Return the nearest key; an item of a list is named after the list."""
    named = [step for step in loc if isinstance(step, str)]
    if not named:
        return "the file"
    if isinstance(loc[-1], int):
        return f"an item of `{named[-1]}`"
    return f"`{named[-1]}`"


def _need(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"literal_error", "enum"}:
        return str(context.get("expected", "")).replace("'", "")
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = context.get(name)
        return words.format(f"{bound:g}" if isinstance(bound, float) else bound)
    if kind == NEEDS:
        return str(context.get("needs"))
    if kind.startswith("ip_v") or "ip_v" in str(detail["loc"][-1:]):
        return _network_or_address(detail)
    if kind == "value_error":
        return _own_words(detail)
    return _NEEDS.get(kind, detail["msg"][:1].lower() + detail["msg"][1:])


def _network_or_address(detail: ErrorDetails) -> str:
    if "network" not in detail["type"] + str(detail["loc"][-1:]):
        return "an IP address"
    if "host bits" in detail["msg"]:
        return "a network whose bits after the prefix are zero"
    return "a network such as 192.0.2.0/24"


def _own_words(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = short(str(value), _MAX_SHOWN)
    return f"'{text}'" if isinstance(value, str) else text


def fields_at(model: type[pydantic.BaseModel], loc: _Loc) -> dict[str, str]:
    """Return the keys that may stand in the mapping at `loc`, with their descriptions."""
    types_here: list[Any] = [model]
    for step in loc:
        types_here = [inner for kind in types_here for inner in _step(kind, step)]
    return {
        field.alias or name: (field.description or "")
        for kind in types_here
        for branch in _branches(kind)
        if _is_model(branch)
        for name, field in branch.model_fields.items()
    }


def _step(kind: object, step: str | int) -> list[Any]:
    found: list[Any] = []
    for branch in _branches(kind):
        if _is_model(branch):
            found += [
                field.annotation
                for name, field in branch.model_fields.items()
                if (field.alias or name) == step
            ]
        else:
            arguments = typing.get_args(branch)
            found += arguments[-1:] if typing.get_origin(branch) is dict else arguments[:1]
    return found


def _branches(kind: Any) -> list[Any]:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _branches(typing.get_args(kind)[0])
    if origin in {typing.Union, types.UnionType}:
        return [b for argument in typing.get_args(kind) for b in _branches(argument)]
    return [kind]


def _is_model(kind: object) -> typing.TypeGuard[type[pydantic.BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
