"""The tests of a policy: what must come of a message, and what came of it instead.

Data and comparison alone; messages are run elsewhere (`milter.pipeline.offline`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from policies.schema_cases import CaseEntry, Expected


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a message.

    Attributes:
        action: The word of the action.
        symbols: Every symbol that was found.
        rule: What decided; empty when nothing did.
        reply: The reply; empty when there is none.
    """

    action: str
    symbols: frozenset[str]
    rule: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test that was run.

    Attributes:
        case: The test.
        differences: What came otherwise, a sentence each; empty: it passed.
        symbols: Every symbol that was found.
        error: Why it could not be run; empty when it could.
    """

    case: CaseEntry
    differences: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.differences and not self.error


def differences(expected: Expected, came: Came) -> Iterator[str]:
    """Yield a sentence for each thing that came otherwise."""
    if expected.action is not None and expected.action != came.action:
        why = f", decided by {came.rule}" if came.rule else ""
        yield f"action: expected {expected.action}, came {came.action}{why}"
    if expected.rule is not None and expected.rule != came.rule:
        yield f"rule: expected {expected.rule}, came {came.rule or 'none'}"
    for symbol in expected.symbols:
        if symbol not in came.symbols:
            found = ", ".join(sorted(came.symbols)) or "none"
            yield f"symbols: {symbol} was not found; found were: {found}"
    for symbol in expected.not_symbols:
        if symbol in came.symbols:
            yield f"not_symbols: {symbol} was found"
    if expected.reply is not None and expected.reply not in came.reply:
        yield f"reply: expected {expected.reply!r} in {came.reply or 'no reply'!r}"


def unhit(declared: Iterable[str], results: Iterable[CaseResult]) -> list[str]:
    """Return those of the symbols `declared` by rules and patterns that no test hits."""
    hit: Collection[str] = frozenset[str]().union(*(result.symbols for result in results))
    return [name for name in declared if name not in hit]
