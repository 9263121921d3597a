"""The symbols that a policy declares itself: those of its patterns.

`declared_lists` has those of its lists. Everything about one entry that its shape does not show is
checked here: patterns that are not linear-time, symbols that mean two things. This module reads no
file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policies.engine import PatternError, PatternSpec, compile_pattern
from policies.patterns import PatternSet
from policies.symbols import KIND_WORDS, SymbolSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.errors import ConfigError
    from policies.positions import Loc, Positions
    from policies.schema import PatternEntry


@dataclass(slots=True)
class Declared:
    """What a policy declares, gathered entry by entry.

    Attributes:
        symbols: By name.
        patterns: In the order of the file.
        mistakes: What is wrong.
    """

    positions: Positions
    shipped: Mapping[str, SymbolSpec]
    symbols: dict[str, SymbolSpec] = field(default_factory=dict)
    patterns: list[PatternSpec] = field(default_factory=list)
    mistakes: list[ConfigError] = field(default_factory=list)

    def add_pattern(self, index: int, entry: PatternEntry) -> None:
        """Take one pattern."""
        loc = ("patterns", index)
        if entry.id in self.symbols or entry.id in self.shipped:
            self._mistake((*loc, "id"), f"the symbol {entry.id} exists already: choose another id")
            return
        view = entry.in_.lower()
        spec = PatternSpec(entry.id, view, entry.match)
        self.patterns.append(spec)
        if not self.positions.value_mark((*loc, "match")).file.shipped:
            self._try(spec, (*loc, "match"))
        against = entry.words or KIND_WORDS[entry.kind]
        self.symbols[entry.id] = SymbolSpec(
            name=entry.id,
            words=against if entry.weight > 0 else "",
            describe=entry.describe,
            class_=entry.class_,
            kind=entry.kind,
            group=entry.group or "",
            weight=entry.weight,
            # Whatever they look at, patterns are matched when the message is there.
            stage="message",
        )

    def pattern_set(self, counted: frozenset[str]) -> PatternSet:
        """Return the patterns whose symbols are `counted`."""
        return PatternSet([spec for spec in self.patterns if spec.id in counted])

    def _try(self, spec: PatternSpec, loc: Loc) -> None:
        try:
            compile_pattern(spec)
        except PatternError as err:
            self.mistakes.append(self.positions.error(loc, err.what, err.offset))

    def _mistake(self, loc: Loc, what: str) -> None:
        self.mistakes.append(self.positions.error(loc, what))
