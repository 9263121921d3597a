"""What an expression reads, and what its tree shows to be wrong before any type is known.

Facts and symbols that it reads say at which stage it can be evaluated, and which rules must come
before it; symbols without which it cannot be true say when it need not be evaluated at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

import re2

from policies.expressions.functions import parse_network
from policies.expressions.naming import SYMBOLS, asks_for_symbol, picked, required
from policies.expressions.possible import impossible
from policies.facts import FACTS_BY_NAME
from policies.mistakes import near

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policies.expressions.syntax import Node

_NOTHING: Final[frozenset[str]] = frozenset()
# Of a pattern that is matched for each item of a list.
_MOST_STATES: Final = 500


class ExpressionError(ValueError):
    """An expression that is refused.

    Attributes:
        what: Why, and what to write instead.
        offset: Character of its text at which the mistake begins.
    """

    def __init__(self, what: str, offset: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that expressions of one policy can use.

    Attributes:
        symbols: Every symbol that can be found.
        lists: Every list.
    """

    symbols: Collection[str]
    lists: Collection[str] = ()


@dataclass(slots=True)
class Reading:
    """What one expression reads.

    Attributes:
        facts: Facts, by name, `symbols` among them.
        symbols: Symbols that are asked for by name.
        every_symbol: Whether it looks through the symbols in another way than by name.
        required: It can be true only where one of these symbols is there; None: always.
    """

    facts: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)
    every_symbol: bool = False
    required: frozenset[str] | None = None


def read(tree: Node, vocabulary: Vocabulary) -> Reading:
    """Return what the expression reads.

    Raises:
        ExpressionError: It names what there is not, or its work has no small bound.
    """
    reading = Reading(required=required(tree))
    _Reader(reading, vocabulary).read(tree, _NOTHING)
    return reading


class _Reader:
    def __init__(self, reading: Reading, vocabulary: Vocabulary) -> None:
        self._reading = reading
        self._vocabulary = vocabulary

    def read(self, node: Node, bound: frozenset[str], *, looping: bool = False) -> None:
        """Take `node`; `bound` are the names of loops around it, `looping` says it is in one."""
        if node.name in FACTS_BY_NAME and node.name not in bound:
            self._reading.facts.add(node.name)
            self._reading.every_symbol |= node.name == SYMBOLS
        if node.bound:
            self._read_loop(node, bound, looping=looping)
            return
        if asks_for_symbol(node) and SYMBOLS not in bound:
            self._symbol(node.children[0])
            return
        if found := impossible(node):
            raise ExpressionError(*found)
        if check := _CHECKS.get(node.function):
            check(node, self._vocabulary)
        if looping and node.function == "matches":
            _check_cost(node)
        for child in node.children:
            self.read(child, bound, looping=looping)

    def _read_loop(self, node: Node, bound: frozenset[str], *, looping: bool) -> None:
        if looping:
            what = "a look through a list inside another one can take a million steps: ask once"
            raise ExpressionError(what, node.offset)
        over, *inside = node.children
        if SYMBOLS not in bound and (names := picked(node)):
            for name in names:
                self._symbol(name)
            return
        self.read(over, bound)
        for child in inside:
            self.read(child, bound | node.bound, looping=True)

    def _symbol(self, constant: Node) -> None:
        name = str(constant.constant)
        if name not in self._vocabulary.symbols:
            what = f"there is no symbol {name}{near(name, self._vocabulary.symbols)}"
            raise ExpressionError(what, constant.offset + 1)
        self._reading.facts.add(SYMBOLS)
        self._reading.symbols.add(name)


def _written_out(node: Node, place: int, example: str) -> tuple[str, Node]:
    child = node.children[place] if place < len(node.children) else None
    if child is None or not isinstance(child.constant, str):
        what = f"`{node.function}` needs its text written out here, as in {example}"
        raise ExpressionError(what, child.offset if child else node.offset)
    return child.constant, child


def _check_network(node: Node, vocabulary: Vocabulary) -> None:
    text, child = _written_out(node, 1, 'in_network(connection.ip, "192.0.2.0/24")')
    try:
        parse_network(text)
    except ValueError as err:
        why = ": the bits behind its prefix are not zero" if "host bits" in str(err) else ""
        what = f"`{text}` is no network such as 192.0.2.0/24{why}"
        raise ExpressionError(what, child.offset + 1) from err


def _check_domain(node: Node, vocabulary: Vocabulary) -> None:
    domain = node.children[1] if len(node.children) > 1 else node
    if not isinstance(domain.constant, str):
        return
    plain = domain.constant.rpartition("@")[2].lstrip("*.")
    if plain != domain.constant or not plain:
        what = (
            f"`{domain.constant}` is no domain: write "
            f'"{plain or "example.org"}", which stands for all below it too'
        )
        raise ExpressionError(what, domain.offset + 1)


def _check_list(node: Node, vocabulary: Vocabulary) -> None:
    name, child = _written_out(node, 1, 'in_list(author_domain, "partners")')
    if name not in vocabulary.lists:
        what = f"there is no list `{name}`{near(name, vocabulary.lists)}"
        raise ExpressionError(what, child.offset + 1)


def _check_pattern(node: Node, vocabulary: Vocabulary) -> None:
    text, child = _written_out(node, 1, 'subject.matches("[0-9]{9}")')
    if why := _pattern_fault(text):
        raise ExpressionError(f"not a pattern: {why}", child.offset + 1)


def _check_cost(node: Node) -> None:
    """Refuse a pattern that is too large to be matched for each item of a list.

    The library takes longer with every state, and no other message is judged meanwhile: 500 states
    read half a megabyte of links in a quarter of a second, 7,000 in eleven.
    """
    text, child = _written_out(node, 1, 'u.url.matches("[0-9]{9}")')
    size = re2.compile(text, _options()).programsize
    if size > _MOST_STATES:
        what = (
            f"{size:,} states are too many to match for each item, {_MOST_STATES} are the most: "
            "write `+` for `{1,99}`, or put it under `patterns`"
        )
        raise ExpressionError(what, child.offset + 1)


@cache
def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _pattern_fault(text: str) -> str:
    try:
        re2.compile(text, _options())
    except re2.error as err:
        return str(err.args[0], "utf-8", "replace")
    return ""


def _check_index(node: Node, vocabulary: Vocabulary) -> None:
    what = (
        "what stands at one place of a list or behind one name may not be there: write "
        'dkim.exists(d, d.result == "pass") or count(headers, "from")'
    )
    raise ExpressionError(what, node.offset)


_CHECKS: Final[Mapping[str, Callable[[Node, Vocabulary], None]]] = {
    "in_network": _check_network,
    "under_domain": _check_domain,
    "in_list": _check_list,
    "matches": _check_pattern,
    "_[_]": _check_index,
}
