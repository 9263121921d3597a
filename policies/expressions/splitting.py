"""What of an expression the symbols alone decide, and what is left to be asked of the library.

Most rules name symbols and one condition beside them, many of them the same condition. Symbols cost
next to nothing to look at, and what is left is asked once for all rules that share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.expressions.naming import decided_by_symbols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.expressions.lifting import Lifted
    from policies.expressions.naming import BySymbols
    from policies.expressions.syntax import Node

_AND: Final = "_&&_"


@dataclass(frozen=True, slots=True)
class Split:
    """An expression in two parts, both of which are true where it is true.

    Attributes:
        by_symbols: Says whether the part that reads symbols by name alone is true; None: there is
            no such part.
        rest: The text of the other part; empty where there is none.
    """

    by_symbols: BySymbols | None
    rest: str


def split(tree: Node, lifted: Lifted) -> Split:
    """Return the two parts of an expression.

    `rest` need not be an expression: `("A" in symbols && b) && c` falls apart at its parentheses.
    Then its only reading as one is the whole. Where it is one it means what it meant, for all that
    is taken away was joined to it by `&&` alone.
    """
    parts = list(_parts(tree))
    known = [decided_by_symbols(part) for part in parts]
    functions = [function for function in known if function is not None]
    if not functions:
        return Split(None, lifted.text)
    places = sorted(lifted.moved(offset) for offset in _operators(tree))
    starts, ends = [0, *(place + len("&&") for place in places)], [*places, len(lifted.text)]
    pieces = [lifted.text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    left = [piece for piece, function in zip(pieces, known, strict=True) if function is None]
    # A piece may end with a comment, which ends with its line.
    return Split(_all(functions), "\n&& ".join(left))


def _all(functions: list[BySymbols]) -> BySymbols:
    if len(functions) == 1:
        return functions[0]
    return lambda symbols: all(function(symbols) for function in functions)


def _parts(node: Node) -> Iterator[Node]:
    """Yield what `&&` joins, in the order of the text."""
    if node.function != _AND:
        yield node
        return
    for child in node.children:
        yield from _parts(child)


def _operators(node: Node) -> Iterator[int]:
    """Yield where each `&&` between those parts stands."""
    if node.function == _AND:
        yield node.offset
        for child in node.children:
            yield from _operators(child)
