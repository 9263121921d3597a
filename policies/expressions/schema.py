"""Protocol buffer messages made in code from tables, for the library that evaluates expressions.

Records of facts are such messages, so that a misspelt field is a mistake when the expression is
compiled and a value that nobody found is the empty one. Nothing here knows CEL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from policies.facts import FactType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policies.facts import FactSpec, FieldSpec

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS: Final[Mapping[FactType, int]] = {
    FactType.TEXT: _Field.TYPE_STRING,
    FactType.INTEGER: _Field.TYPE_INT64,
    FactType.NUMBER: _Field.TYPE_DOUBLE,
    FactType.FLAG: _Field.TYPE_BOOL,
    FactType.TEXTS: _Field.TYPE_STRING,
    FactType.RECORD: _Field.TYPE_MESSAGE,
    FactType.RECORDS: _Field.TYPE_MESSAGE,
}
_REPEATED: Final = frozenset({FactType.TEXTS, FactType.RECORDS})
PACKAGE: Final = "fact"


class Slot(NamedTuple):
    """One field of a message: name, number, type of the wire, whether repeated, message's name."""

    name: str
    number: int
    kind: int
    repeated: bool = False
    message: str = ""


def build_pool(
    package: str, messages: Mapping[str, Sequence[Slot]], *, syntax: str = "proto3"
) -> Any:
    """Return a pool that holds `messages`, by name, in the package of that name.

    In the syntax `proto2` a plain field that was not written can be told from one that is empty.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax=syntax
    )
    for name, slots in messages.items():
        message = file.message_type.add(name=name)
        for slot in slots:
            added = message.field.add(
                name=slot.name,
                number=slot.number,
                type=slot.kind,
                label=_Field.LABEL_REPEATED if slot.repeated else _Field.LABEL_OPTIONAL,
            )
            if slot.message:
                added.type_name = f".{package}.{slot.message}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def message_class(pool: Any, name: str) -> Any:
    """Return the class of the message that has this whole name in `pool`."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def record_name(path: str) -> str:
    """Return the name of the message for the records at `path`, such as `attachments`."""
    return path.replace(".", "_")


def fact_messages(facts: Iterable[FactSpec]) -> dict[str, tuple[Slot, ...]]:
    """Return the messages that the records of `facts` are, those of nested fields included."""
    messages: dict[str, tuple[Slot, ...]] = {}
    for fact in facts:
        if fact.fields:
            _add_record(messages, fact.name, fact.fields)
    return messages


def _add_record(
    messages: dict[str, tuple[Slot, ...]], path: str, fields: Sequence[FieldSpec]
) -> None:
    slots = []
    for number, field in enumerate(fields, 1):
        inner = f"{path}.{field.name}"
        if field.fields:
            _add_record(messages, inner, field.fields)
        message = record_name(inner) if field.fields else ""
        slots.append(Slot(field.name, number, _KINDS[field.type], field.type in _REPEATED, message))
    messages[record_name(path)] = tuple(slots)
