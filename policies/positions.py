"""Where each value of a YAML file stands, so that a mistake can be shown at its line and column.

A document is a tree of nodes; each value and each key knows its file and place. Files that extend
one another are merged as trees, so that a value keeps the place where it was written. This module
reads no YAML (`document` does) and judges no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.errors import ConfigError

Scalar = str | int | float | bool | None
Value = Scalar | list["Value"] | dict[str, "Value"]
Loc = Sequence[str | int]

_ESCAPE_LENGTHS: Final = {"x": 4, "u": 6, "U": 10}


def short(text: str, most: int = 60) -> str:
    """Return `text` as a message can show it."""
    return text if len(text) <= most else f"{text[:most]}..."


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read.

    Attributes:
        path: As the person named it.
        text: Of the whole file.
        shipped: Whether it is one of this package, which the project's own tests have tried.
    """

    path: str
    text: str
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1, the index from 0."""

    file: SourceFile
    line: int
    column: int
    index: int


@dataclass(frozen=True, slots=True)
class Node:
    """One value with its place.

    Attributes:
        mark: Where the value begins.
        content: A scalar, the members of a mapping or the items of a list.
        style: How a scalar is quoted: empty, `'`, `"`, `|` or `>`.
    """

    mark: Mark
    content: Scalar | Mapping[str, Member] | tuple[Node, ...]
    style: str = ""

    def value(self) -> Value:
        """Return the plain value without places."""
        if isinstance(self.content, Mapping):
            return {key: member.node.value() for key, member in self.content.items()}
        if isinstance(self.content, tuple):
            return [item.value() for item in self.content]
        return self.content


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a mapping: where its key stands, and its value."""

    key: Mark
    node: Node


class Positions:
    """Places of everything in a document, by path: keys of mappings and indexes of lists.

    A path that leads nowhere is answered with the place of the part of it that exists, so that a
    missing key is shown at its mapping.
    """

    __slots__ = ("_root",)

    def __init__(self, root: Node) -> None:
        self._root = root

    def key(self, loc: Loc) -> tuple[int, int]:
        """Return line and column of the key at `loc`; of the item itself in a list."""
        mark = self.key_mark(loc)
        return mark.line, mark.column

    def value(self, loc: Loc) -> tuple[int, int]:
        """Return line and column of the value at `loc`."""
        mark = self.value_mark(loc)
        return mark.line, mark.column

    def path(self, loc: Loc = ()) -> str:
        """Return the file in which the value at `loc` stands."""
        return self.value_mark(loc).file.path

    def key_mark(self, loc: Loc) -> Mark:
        """Return the place of the key at `loc`; of the item itself in a list."""
        mark = self._root.mark
        for key, _ in self._walk(loc):
            mark = key
        return mark

    def value_mark(self, loc: Loc) -> Mark:
        """Return the place of the value at `loc`."""
        return self.node(loc).mark

    def node(self, loc: Loc) -> Node:
        """Return the node at `loc`, or the deepest one on the way there."""
        found = self._root
        for _, node in self._walk(loc):
            found = node
        return found

    def depth(self, loc: Loc) -> int:
        """Return how many steps of `loc` lead to something that exists."""
        return sum(1 for _ in self._walk(loc))

    def key_error(self, loc: Loc, what: str) -> ConfigError:
        """Return a mistake shown at the key at `loc`."""
        return _error(self.key_mark(loc), what)

    def error(self, loc: Loc, what: str, offset: int = 0) -> ConfigError:
        """Return a mistake shown at the value at `loc`, `offset` characters into its text."""
        return _error(inside(self.node(loc), offset) if offset else self.value_mark(loc), what)

    def _walk(self, loc: Loc) -> Iterator[tuple[Mark, Node]]:
        node = self._root
        for step in loc:
            if isinstance(node.content, Mapping):
                member = node.content.get(str(step))
                if member is None:
                    return
                node = member.node
                yield member.key, node
            elif isinstance(node.content, tuple):
                if not str(step).isdecimal() or int(step) >= len(node.content):
                    return
                node = node.content[int(step)]
                yield node.mark, node
            else:
                return


def _error(mark: Mark, what: str) -> ConfigError:
    return ConfigError(mark.file.path, mark.line, mark.column, what)


def inside(node: Node, offset: int) -> Mark:
    """Return the place of the character at `offset` of a scalar's text, quoting undone.

    Folded text and text over several lines is answered with its beginning.
    """
    start = node.mark
    if node.style == "|":
        return _inside_block(start, offset)
    position = start.index + (1 if node.style in {"'", '"'} else 0)
    for _ in range(offset):
        position += _written_length(start.file.text, position, node.style)
    if position > len(start.file.text) or "\n" in start.file.text[start.index : position]:
        return start
    return Mark(start.file, start.line, start.column + position - start.index, position)


def _written_length(text: str, position: int, style: str) -> int:
    """Return how many characters of the file stand for one character of a quoted text."""
    if style == "'" and text.startswith("''", position):
        return 2
    if style == '"' and text.startswith("\\", position):
        return _ESCAPE_LENGTHS.get(text[position + 1 : position + 2], 2)
    return 1


def _inside_block(start: Mark, offset: int) -> Mark:
    """Walk the lines of a literal block (`|`), whose indentation is no part of the text."""
    lines = start.file.text[start.index :].split("\n", offset + 2)[1:]
    indent = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)
    index = start.index + start.file.text[start.index :].find("\n") + 1
    for number, line in enumerate(lines, 1):
        length = max(len(line) - indent, 0)
        if offset <= length:
            return Mark(
                start.file, start.line + number, indent + offset + 1, index + indent + offset
            )
        offset -= length + 1
        index += len(line) + 1
    return start
