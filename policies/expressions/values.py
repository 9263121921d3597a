"""Facts as the values that expressions read: types when they are compiled, values for a message.

What a check said is taken by the table: fields that the table does not have are left out, missing
ones are empty. Lists are cut at 1,000 items and texts at 4,096 characters, for work must stay
bounded whatever a message holds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel

from policies.expressions.schema import (
    PACKAGE,
    build_pool,
    fact_messages,
    message_class,
    record_name,
)
from policies.facts import FACTS, FACTS_BY_NAME, FactType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policies.facts import FactSpec, FactValue, FieldSpec

MAX_ITEMS: Final = 1000
MAX_TEXT: Final = 4096
_MOST: Final = 2**63 - 1
_EMPTY: Final[Mapping[FactType, FactValue]] = {
    FactType.TEXT: "",
    FactType.INTEGER: 0,
    FactType.NUMBER: 0.0,
    FactType.FLAG: False,
    FactType.TEXTS: [],
    FactType.COUNTS: {},
    FactType.RECORD: {},
    FactType.RECORDS: [],
}


@cache
def fact_pool() -> Any:
    """Return the messages of all records of the table of facts."""
    return build_pool(PACKAGE, fact_messages(FACTS))


@cache
def fact_types() -> Mapping[str, Any]:
    """Return the type of each fact, by name, as the library has types."""
    return {spec.name: _type(spec) for spec in FACTS}


def _type(spec: FactSpec) -> Any:
    kinds = cel.Type
    simple = {
        FactType.TEXT: kinds.STRING,
        FactType.INTEGER: kinds.INT,
        FactType.NUMBER: kinds.DOUBLE,
        FactType.FLAG: kinds.BOOL,
    }
    if spec.type in simple:
        return simple[spec.type]
    if spec.type is FactType.TEXTS:
        return kinds.List(kinds.STRING)
    if spec.type is FactType.COUNTS:
        return kinds.Map(kinds.STRING, kinds.INT)
    record = kinds(f"{PACKAGE}.{record_name(spec.name)}")
    return record if spec.type is FactType.RECORD else kinds.List(record)


def values(facts: Mapping[str, FactValue], names: Iterable[str]) -> dict[str, Any]:
    """Return the facts called `names`, as the library takes them.

    Raises:
        TypeError, ValueError: A check yields what the table does not have: a bug of ours.
    """
    return {name: _top(FACTS_BY_NAME[name], facts.get(name)) for name in names}


def _top(spec: FactSpec, value: FactValue | None) -> Any:
    value = _EMPTY[spec.type] if value is None else value
    plain = _plain(spec.type, spec.fields, value)
    if spec.type is FactType.RECORD:
        return _class(spec.name)(**plain)
    if spec.type is FactType.RECORDS:
        build = _class(spec.name)
        return [build(**item) for item in plain]
    return plain


@cache
def _class(name: str) -> Any:
    return message_class(fact_pool(), f"{PACKAGE}.{record_name(name)}")


def _plain(kind: FactType, fields: Sequence[FieldSpec], value: Any) -> Any:
    if kind is FactType.TEXT:
        return text(value)
    if kind is FactType.INTEGER:
        return max(-_MOST, min(_MOST, int(value)))
    if kind is FactType.NUMBER:
        return float(value)
    if kind is FactType.FLAG:
        return bool(value)
    if kind is FactType.TEXTS:
        return [text(item) for item in value[:MAX_ITEMS]]
    if kind is FactType.COUNTS:
        items = list(value.items())[:MAX_ITEMS]
        return {text(key): max(-_MOST, min(_MOST, int(count))) for key, count in items}
    if kind is FactType.RECORD:
        return _record(fields, value)
    return [_record(fields, item) for item in value[:MAX_ITEMS]]


def _record(fields: Sequence[FieldSpec], value: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} is no record")
    return {
        field.name: _plain(field.type, field.fields, value[field.name])
        for field in fields
        if field.name in value
    }


def text(value: Any) -> str:
    """Return `value` as a text that can be written as UTF-8, cut."""
    cut = str(value)[:MAX_TEXT]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()
