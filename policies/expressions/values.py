"""Facts as the values that expressions read: types when they are compiled, values for a message.

What a check said is taken by the table: fields that the table does not have are left out, missing
ones are empty. Lists are cut at 1,000 items and texts at 4,096 characters, for work must stay
bounded whatever a message holds.
"""

from __future__ import annotations

from functools import cache, partial
from itertools import islice
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
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    return {name: _maker(name)(facts.get(name)) for name in names}


@cache
def _maker(name: str) -> Callable[[FactValue | None], Any]:
    """Return what makes the value of the fact `name`, an empty one of None."""
    spec = FACTS_BY_NAME[name]
    read, empty = _reader(spec.type, spec.fields), _EMPTY[spec.type]
    if spec.type not in (FactType.RECORD, FactType.RECORDS):
        return lambda value: read(empty if value is None else value)
    build = message_class(fact_pool(), f"{PACKAGE}.{record_name(spec.name)}")
    if spec.type is FactType.RECORD:
        return lambda value: build(**read(empty if value is None else value))
    return lambda value: [build(**item) for item in read(empty if value is None else value)]


def _reader(kind: FactType, fields: Sequence[FieldSpec]) -> Callable[[Any], Any]:
    """Return what makes plain values of one type out of what a check said."""
    if kind in _READERS:
        return _READERS[kind]
    readers = {field.name: _reader(field.type, field.fields) for field in fields}
    if kind is FactType.RECORD:
        return partial(_record, readers)
    return lambda value: [_record(readers, item) for item in value[:MAX_ITEMS]]


def _record(readers: Mapping[str, Callable[[Any], Any]], value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} is no record")
    return {name: readers[name](item) for name, item in value.items() if name in readers}


def _integer(value: Any) -> int:
    return max(-_MOST, min(_MOST, int(value)))


def _texts(value: Any) -> list[str]:
    return [text(item) for item in value[:MAX_ITEMS]]


def _counts(value: Any) -> dict[str, int]:
    return {text(key): _integer(count) for key, count in islice(value.items(), MAX_ITEMS)}


def text(value: Any) -> str:
    """Return `value` as a text that can be written as UTF-8, cut."""
    cut = str(value)[:MAX_TEXT]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


_READERS: Final[Mapping[FactType, Callable[[Any], Any]]] = {
    FactType.TEXT: text,
    FactType.INTEGER: _integer,
    FactType.NUMBER: float,
    FactType.FLAG: bool,
    FactType.TEXTS: _texts,
    FactType.COUNTS: _counts,
}
