"""The parse tree of an expression, as plain values with places.

The library writes a tree as the messages of `cel/expr/syntax.proto`; those that are needed are
declared here and read. Knows the shape of expressions and nothing of what they are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from policies.expressions.schema import Slot, build_pool, message_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGE: Final = _Field.TYPE_MESSAGE
_TEXT: Final = _Field.TYPE_STRING
_INTEGER: Final = _Field.TYPE_INT64
_EXPR: Final = "Expr"
_PACKAGE: Final = "tree"
# Numbers and kinds as cel/expr/syntax.proto of CEL has them; what is not read is left out.
_SLOTS: Final[Mapping[str, tuple[Slot, ...]]] = {
    "Written": (Slot("value", 2, _MESSAGE, message="Parsed"),),
    "Parsed": (
        Slot("expr", 2, _MESSAGE, message=_EXPR),
        Slot("source", 3, _MESSAGE, message="Source"),
    ),
    "Source": (Slot("positions", 4, _MESSAGE, repeated=True, message="Position"),),
    "Position": (Slot("id", 1, _INTEGER), Slot("offset", 2, _INTEGER)),
    _EXPR: (
        Slot("id", 2, _INTEGER),
        Slot("constant", 3, _MESSAGE, message="Constant"),
        Slot("name", 4, _MESSAGE, message="Name"),
        Slot("select", 5, _MESSAGE, message="Select"),
        Slot("call", 6, _MESSAGE, message="Call"),
        Slot("list", 7, _MESSAGE, message="Items"),
        Slot("struct", 8, _MESSAGE, message="Struct"),
        Slot("loop", 9, _MESSAGE, message="Loop"),
    ),
    "Constant": (
        Slot("integer", 3, _INTEGER),
        Slot("text", 6, _TEXT),
    ),
    "Name": (Slot("name", 1, _TEXT),),
    "Select": (Slot("of", 1, _MESSAGE, message=_EXPR), Slot("field", 2, _TEXT)),
    "Call": (
        Slot("target", 1, _MESSAGE, message=_EXPR),
        Slot("function", 2, _TEXT),
        Slot("arguments", 3, _MESSAGE, repeated=True, message=_EXPR),
    ),
    "Items": (Slot("items", 1, _MESSAGE, repeated=True, message=_EXPR),),
    "Struct": (Slot("entries", 2, _MESSAGE, repeated=True, message="Entry"),),
    "Entry": (
        Slot("key", 3, _MESSAGE, message=_EXPR),
        Slot("value", 4, _MESSAGE, message=_EXPR),
    ),
    "Loop": (
        Slot("variable", 1, _TEXT),
        Slot("range", 2, _MESSAGE, message=_EXPR),
        Slot("sum", 3, _TEXT),
        Slot("start", 4, _MESSAGE, message=_EXPR),
        Slot("condition", 5, _MESSAGE, message=_EXPR),
        Slot("step", 6, _MESSAGE, message=_EXPR),
        Slot("result", 7, _MESSAGE, message=_EXPR),
    ),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree.

    Attributes:
        offset: Character of the text at which it stands: of a call its operator or bracket, of a
            field its dot.
        constant: Text or whole number that is written out; None for anything else.
        name: Name of a variable; empty for anything else.
        field: Field that is read of the first child; empty for anything else.
        function: Function that is called on the children; empty for anything else.
        bound: Names that a loop gives to its items, empty where there is no loop. The first child
            is what it runs over.
        is_list: Whether it is a list that is written out.
        children: What it is made of, in the order of the text.
    """

    offset: int
    constant: str | int | None = None
    name: str = ""
    field: str = ""
    function: str = ""
    bound: frozenset[str] = frozenset()
    is_list: bool = False
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, each before what it is made of."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


class TooDeepError(ValueError):
    """An expression that is nested deeper than it can be read."""


@cache
def _written_class() -> Any:
    return message_class(build_pool(_PACKAGE, _SLOTS, syntax="proto2"), f"{_PACKAGE}.Written")


def read_tree(serialized: bytes) -> Node:
    """Return the tree that the library wrote for a parsed expression.

    Raises:
        TooDeepError: It is nested too deep for the reader of messages.
    """
    try:
        parsed = _written_class().FromString(serialized).value
    except DecodeError as err:
        raise TooDeepError from err
    offsets = {position.id: position.offset for position in parsed.source.positions}
    return _node(parsed.expr, offsets)


def _node(expr: Any, offsets: Mapping[int, int]) -> Node:
    offset = offsets.get(expr.id, 0)
    if expr.HasField("constant"):
        return Node(offset, constant=_constant(expr.constant))
    if expr.HasField("name"):
        return Node(offset, name=expr.name.name)
    if expr.HasField("select"):
        of = _node(expr.select.of, offsets)
        return Node(offset, field=expr.select.field, children=(of,))
    if expr.HasField("loop"):
        return _loop(expr.loop, offset, offsets)
    if expr.HasField("call"):
        call = expr.call
        parts = [*([call.target] if call.HasField("target") else ()), *call.arguments]
        children = tuple(_node(part, offsets) for part in parts)
        return Node(offset, function=call.function, children=children)
    parts = list(expr.list.items)
    for entry in expr.struct.entries:
        parts += [part for part in (entry.key, entry.value) if part.ByteSize()]
    children = tuple(_node(part, offsets) for part in parts)
    return Node(offset, is_list=expr.HasField("list"), children=children)


def _loop(loop: Any, offset: int, offsets: Mapping[int, int]) -> Node:
    parts = (loop.range, loop.start, loop.condition, loop.step, loop.result)
    return Node(
        offset,
        bound=frozenset({loop.variable, loop.sum}),
        children=tuple(_node(part, offsets) for part in parts),
    )


def _constant(constant: Any) -> str | int | None:
    if constant.HasField("text"):
        return str(constant.text)
    return int(constant.integer) if constant.HasField("integer") else None
