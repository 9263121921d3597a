"""Conditions of `meta` rules, in CEL.

In SpamAssassin every rule is a number, 1 where it hit, and so are conditions; in CEL a symbol is
there or not, and numbers are numbers. Each part is translated to what its place asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.spamassassin.regexps import NotImportedError

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN: Final = re.compile(r"\s*(&&|\|\||[<>=!]=|[()!<>+*/-]|\d+(?:\.\d+)?|[A-Za-z_]\w*)")
_BINARY: Final = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_LOGIC: Final = frozenset(("||", "&&"))
_COMPARED: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))
_MOST_TOKENS: Final = 600
_DEEPEST: Final = 40


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of CEL, and whether it is a truth or a number."""

    text: str
    is_truth: bool

    @property
    def truth(self) -> str:
        return self.text if self.is_truth else f"({self.text} != 0.0)"

    @property
    def number(self) -> str:
        return f"({self.text} ? 1.0 : 0.0)" if self.is_truth else self.text


def names_in(expression: str) -> frozenset[str]:
    """Return the names of rules that an expression asks for."""
    return frozenset(re.findall(r"\b[A-Za-z_]\w*", expression))


def to_cel(expression: str, condition_of: Callable[[str], str]) -> str:
    """Return the condition in CEL.

    Args:
        expression: As the rule has it.
        condition_of: Gives the condition, in CEL, under which a rule of that name hit.

    Raises:
        NotImportedError: It holds something else than names, numbers and the usual operators.
    """
    tokens: list[str] = []
    position, said = 0, expression.strip()
    while position < len(said):
        found = _TOKEN.match(said, position)
        if found is None or len(tokens) >= _MOST_TOKENS:
            raise NotImportedError("a meta expression that is not understood")
        tokens.append(found[1])
        position = found.end()
    return _Reader(tokens, condition_of).run()


class _Reader:
    """Descends through the precedences of Perl; lives as long as that takes."""

    def __init__(self, tokens: list[str], condition_of: Callable[[str], str]) -> None:
        self._tokens = tokens
        self._condition_of = condition_of
        self._at = 0
        self._depth = 0

    def run(self) -> str:
        part = self._binary(0)
        if self._at < len(self._tokens):
            raise NotImportedError("a meta expression that is not understood")
        return part.truth

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _binary(self, level: int) -> _Part:
        if level == len(_BINARY):
            return self._unary()
        part = self._binary(level + 1)
        while (operator := self._next()) in _BINARY[level]:
            self._at += 1
            part = _joined(part, operator, self._binary(level + 1))
        return part

    def _unary(self) -> _Part:
        token = self._next()
        self._at += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotImportedError("a meta expression that is nested too deeply")
        try:
            return self._value(token)
        finally:
            self._depth -= 1

    def _value(self, said: str) -> _Part:
        if said == "!":
            return _Part(f"!{_closed(self._unary())}", is_truth=True)
        if said == "-":
            return _Part(f"-{self._unary().number}", is_truth=False)
        if said == "(":
            inner = self._binary(0)
            if self._next() != ")":
                raise NotImportedError("a meta expression without a closing bracket")
            self._at += 1
            return _Part(f"({inner.text})", inner.is_truth)
        if said[:1].isdigit():
            return _Part(str(float(said)), is_truth=False)
        if said[:1].isalpha() or said[:1] == "_":
            if self._next() == "(":
                raise NotImportedError(f"the function {said}()")
            return _Part(self._condition_of(said), is_truth=True)
        raise NotImportedError("a meta expression that is not understood")


def _closed(part: _Part) -> str:
    return part.text if part.is_truth and part.text.startswith("(") else f"({part.truth})"


def _joined(left: _Part, operator: str, right: _Part) -> _Part:
    if operator in _LOGIC:
        return _Part(f"{left.truth} {operator} {right.truth}", is_truth=True)
    return _Part(f"{left.number} {operator} {right.number}", is_truth=operator in _COMPARED)
