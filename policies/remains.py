"""What is left of a policy when all that has the wrong shape is taken out.

So that one mistake does not hide others: the rest is put together as if nothing were wrong, and
what was taken out is still looked at by itself, its patterns and its conditions. Names that it
would have declared count as declared. This module reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pydantic

from policies.engine import PatternError, PatternSpec, compile_pattern
from policies.expressions.language import Language
from policies.expressions.reading import ExpressionError
from policies.mistakes import places
from policies.positions import Member, Node, Positions
from policies.reading import as_model
from policies.schema import PolicyFile
from policies.symbols import SymbolSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.errors import ConfigError
    from policies.lists import LocalList
    from policies.positions import Loc

# What is taken out of one of these is taken out with the whole entry: what is left of a rule
# without its action would be a mistake of ours. Of an override only a key that it changes is.
_ENTRIES: Final = frozenset({"dns_lists", "patterns", "rates", "rules", "shadow", "tests"})
# These have no place of their own in an example of what they are.
_NEEDED: Final[Mapping[str, int | str]] = {"version": 1, "name": "unnamed"}
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
# The parts by which a policy declares symbols; what stands elsewhere only names them.
_DECLARING: Final = ("dns_lists", "patterns", "rates", "rules")
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left.

    Attributes:
        root: The tree.
        file: The same as a policy file.
        lost: What was taken out.
    """

    root: Node
    file: PolicyFile
    lost: tuple[Node, ...] = ()


def remains(root: Node) -> Remains | None:
    """Return what is left of a policy; None where that is nothing."""
    lost: list[Node] = []
    for _ in range(_ROUNDS):
        try:
            return Remains(root, as_model(root, PolicyFile), tuple(lost))
        except pydantic.ValidationError as err:
            wrong = places(err, Positions(root))
        if () in wrong:
            return None
        # From behind, for what stands behind an item moves up when it is taken out.
        for loc in sorted({_taken_with(loc) for loc in wrong}, key=_order, reverse=True):
            lost.append(_part(root, loc))
            root = _without(root, loc)
    return None


def _order(loc: Loc) -> list[tuple[bool, int, str]]:
    return [(isinstance(s, int), s if isinstance(s, int) else 0, str(s)) for s in loc]


def _taken_with(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the place of what must go when what stands at `loc` is wrong."""
    if loc[0] in _ENTRIES or loc[0] == "rules_packs":
        return loc[:2]
    if loc[0] == "overrides":
        return loc[:2] if "match" in loc[2:3] else loc[:4]
    # What `as: redirect` means without its `to` is told by one mistake.
    return loc[:2] if loc[0] == "actions" else loc[:3]


def _part(root: Node, loc: Loc) -> Node:
    """Return what stands at `loc`, below its key where it has one."""
    node = Positions(root).node(loc)
    return node if isinstance(loc[-1], int) else Node(node.mark, {loc[-1]: Member(node.mark, node)})


def _without(node: Node, loc: Loc) -> Node:
    """Return `node` without what stands at `loc`."""
    step, rest = loc[0], loc[1:]
    if isinstance(node.content, tuple) and isinstance(step, int):
        items = list(node.content)
        items[step : step + 1] = [_without(items[step], rest)] if rest else []
        return Node(node.mark, tuple(items))
    if not isinstance(node.content, Mapping):
        return node
    members = dict(node.content)
    member = members.pop(str(step), None)
    if rest and member is not None:
        members[str(step)] = Member(member.key, _without(member.node, rest))
    elif step in _NEEDED:
        members[str(step)] = Member(node.mark, Node(node.mark, _NEEDED[str(step)]))
    return Node(node.mark, members)


@dataclass(slots=True)
class _Names:
    """Names that parts of a policy declare: symbols with their groups, lists."""

    symbols: dict[str, str] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)

    def read(self, node: Node, group: str = "") -> None:
        """Take every text in `node` that can be the name of a symbol, and the keys of mappings."""
        if isinstance(node.content, tuple):
            for item in node.content:
                self.read(item, group)
        if not isinstance(node.content, Mapping):
            return
        members = {key: member.node for key, member in node.content.items()}
        group = str(members["group"].value()) if "group" in members else group
        for key, inner in members.items():
            text = inner.content
            if isinstance(text, str) and (key in {"id", "symbol"} or _SYMBOL.fullmatch(text)):
                self.symbols[text] = group
            self.lists.add(key)
            self.read(inner, group)


def declared_by(left: Remains) -> frozenset[str]:
    """Return the symbols that are declared in what is left."""
    names = _Names()
    for section in _DECLARING:
        names.read(Positions(left.root).node((section,)))
    return frozenset(names.symbols)


def stand_ins(left: Remains, lost: Iterable[Node]) -> tuple[dict[str, SymbolSpec], set[str]]:
    """Return symbols and names of lists that are declared in what is lost, and nowhere else."""
    names, declared = _Names(), declared_by(left)
    for node in lost:
        names.read(node)
    symbols = {
        name: SymbolSpec(name, "", "", "content", "", group, 0.0, "connect")
        for name, group in names.symbols.items()
        if name not in declared
    }
    return symbols, names.lists - left.file.lists.keys()


class _AnyName(frozenset[str]):
    """The names where nobody can tell which there are: none is unknown."""

    def __contains__(self, name: object) -> bool:
        return True


def by_themselves(
    lost: Iterable[Node], known: Iterable[str] | None, lists: Mapping[str, LocalList]
) -> Iterator[ConfigError]:
    """Yield what is wrong with the patterns and conditions in what is lost.

    Args:
        lost: Parts of a policy.
        known: Every symbol there is; None: nobody can tell.
        lists: Every list there is.
    """
    symbols = _AnyName() if known is None else frozenset(known)
    language = Language(symbols, lists, symbols if known is None else lists)
    for node in lost:
        yield from _tried(node, language)


def _tried(node: Node, language: Language) -> Iterator[ConfigError]:
    if isinstance(node.content, tuple):
        for item in node.content:
            yield from _tried(item, language)
    if not isinstance(node.content, Mapping):
        return
    said = {key: member.node.content for key, member in node.content.items()}
    pattern, condition = said.get("match"), said.get("when")
    if isinstance(pattern, str):
        spec = PatternSpec(str(said.get("id")), str(said.get("in", "subject")).lower(), pattern)
        try:
            compile_pattern(spec)
        except PatternError as err:
            yield Positions(node).error(("match",), err.what, err.offset)
    if isinstance(condition, str):
        try:
            language.compile(condition)
        except ExpressionError as err:
            yield Positions(node).error(("when",), err.what, err.offset)
    for member in node.content.values():
        yield from _tried(member.node, language)
