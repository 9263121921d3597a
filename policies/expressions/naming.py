"""What an expression asks of symbols by name, which needs no library to answer.

`"A" in symbols` asks for one. `symbols.exists(s, s in ["A", "B"])` and `symbols.filter(s, s in
["A", "B"]).size() >= 2` ask how many of some are there. All else that is done with the symbols
looks through all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.expressions.syntax import Node

BySymbols = Callable[[Container[str]], bool]

SYMBOLS: Final = "symbols"
# How many more than the number that is written out there must be.
_AT_LEAST: Final = {"_>=_": 0, "_>_": 1}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A node that is true where `least` of `names` are there."""

    names: frozenset[str]
    least: int = 1


def asks_for_symbol(node: Node) -> bool:
    """Whether `node` is `"NAME" in symbols`."""
    if node.function != "@in" or len(node.children) != 2:
        return False
    name, within = node.children
    return isinstance(name.constant, str) and within.name == SYMBOLS


def picked(loop: Node) -> Sequence[Node]:
    """Return the names that a look through the symbols picks; nothing where it sees all of them.

    A loop has what it runs over, what it starts with, when it goes on, its step and its result.
    `exists` joins its condition to what was found before, `filter` chooses by it whether to add.
    """
    over, _, _, step, _ = loop.children
    if over.name != SYMBOLS:
        return ()
    if step.function == "_||_":
        return _named(step.children[1], loop.bound)
    if step.function == "_?_:_" and _adds_item(step.children[1], loop.bound):
        return _named(step.children[0], loop.bound)
    return ()


def _adds_item(node: Node, bound: frozenset[str]) -> bool:
    """Whether `node` adds the symbol itself, as `filter` does and `map` with a condition not."""
    if node.function != "_+_" or not node.children[1].is_list:
        return False
    return all(each.name in bound for each in node.children[1].children)


def _named(condition: Node, bound: frozenset[str]) -> Sequence[Node]:
    """Return the texts of `s in ["A", "B"]` or of `s == "A"`."""
    if condition.function not in {"@in", "_==_"}:
        return ()
    item, within = condition.children
    names = within.children if within.is_list else (within,)
    written = all(isinstance(name.constant, str) for name in names)
    return names if item.name in bound and written else ()


def _asked(node: Node) -> _Asked | None:
    if asks_for_symbol(node):
        return _Asked(frozenset({str(node.children[0].constant)}))
    if node.bound:
        is_exists = node.children[3].function == "_||_"
        return _counted(node, 1) if is_exists else None
    if node.function not in _AT_LEAST:
        return None
    size, number = node.children
    loop = size.children[0] if size.function == "size" and size.children else None
    if loop is None or not loop.bound or not isinstance(number.constant, int):
        return None
    return _counted(loop, number.constant + _AT_LEAST[node.function])


def _counted(loop: Node, least: int) -> _Asked | None:
    names = frozenset(str(name.constant) for name in picked(loop))
    return _Asked(names, least) if names and least > 0 else None


def required(node: Node) -> frozenset[str] | None:
    """Return symbols one of which must be there for `node` to be true; None where none must."""
    if asked := _asked(node):
        return asked.names
    if node.function == "_&&_":
        known = [needed for child in node.children if (needed := required(child)) is not None]
        return min(known, key=lambda needed: (len(needed), sorted(needed)), default=None)
    if node.function == "_||_":
        every = [required(child) for child in node.children]
        return None if None in every else frozenset().union(*(each or () for each in every))
    return None


def decided_by_symbols(node: Node) -> BySymbols | None:
    """Return `node` as a function of the symbols alone; None where it is more than that.

    Such conditions are many, and asking the library costs ten times as much.
    """
    if asked := _asked(node):
        return _there(asked)
    if node.function not in {"_&&_", "_||_", "!_"}:
        return None
    parts = [decided_by_symbols(child) for child in node.children]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if node.function == "_&&_":
        return _both(*known)
    if node.function == "_||_":
        return _either(*known)
    return _not(*known)


def _there(asked: _Asked) -> BySymbols:
    names, least = tuple(sorted(asked.names)), asked.least
    if len(names) == 1 and least == 1:
        (name,) = names
        return lambda symbols: name in symbols
    return lambda symbols: sum(name in symbols for name in names) >= least


def _both(one: BySymbols, other: BySymbols) -> BySymbols:
    return lambda symbols: one(symbols) and other(symbols)


def _either(one: BySymbols, other: BySymbols) -> BySymbols:
    return lambda symbols: one(symbols) or other(symbols)


def _not(one: BySymbols) -> BySymbols:
    return lambda symbols: not one(symbols)
