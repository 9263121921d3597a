"""Whether facts are what their table says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.facts import FACTS_BY_NAME, FactType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policies.facts import FactValue, FieldSpec

_TYPES: Mapping[FactType, type | tuple[type, ...]] = {
    FactType.TEXT: str,
    FactType.INTEGER: int,
    FactType.NUMBER: (int, float),
    FactType.FLAG: bool,
    FactType.TEXTS: list,
    FactType.COUNTS: dict,
    FactType.RECORD: dict,
    FactType.RECORDS: list,
}


def misfits(facts: Mapping[str, FactValue]) -> list[str]:
    """Return what does not fit the table: paths, with what stands there."""
    return [
        misfit
        for name, value in facts.items()
        for misfit in _misfits(name, FACTS_BY_NAME[name].type, FACTS_BY_NAME[name].fields, value)
    ]


def _misfits(
    path: str, kind: FactType, fields: Sequence[FieldSpec], value: FactValue
) -> Iterator[str]:
    if not isinstance(value, _TYPES[kind]):
        yield f"{path}: {value!r} is no {kind.value}"
    elif isinstance(value, list):
        inner = FactType.RECORD if kind is FactType.RECORDS else FactType.TEXT
        for item in value:
            yield from _misfits(f"{path}[]", inner, fields, item)
    elif isinstance(value, dict) and kind is FactType.COUNTS:
        for key, count in value.items():
            yield from _misfits(f"{path}[{key}]", FactType.INTEGER, (), count)
    elif isinstance(value, dict):
        known = {field.name: field for field in fields}
        for key, item in value.items():
            if key not in known:
                yield f"{path}.{key} is not in the table of facts"
            else:
                yield from _misfits(f"{path}.{key}", known[key].type, known[key].fields, item)
