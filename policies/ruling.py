"""From the rules of a policy file to rules that can be evaluated, and the mistakes in them.

Every rule is compiled here, its stage worked out and its place among the others found. This module
reads no file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from policies.expressions.language import Language
from policies.expressions.naming import SYMBOLS
from policies.expressions.reading import ExpressionError
from policies.facts import FACTS_BY_NAME
from policies.replies import TXN_ID, facts_told, parse_reply, sentence
from policies.rules import LAST_STAGE, STAGES, Rule, RuleSet
from policies.symbols import KIND_WORDS, SymbolSpec
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from policies.errors import ConfigError
    from policies.expressions.language import Condition
    from policies.lists import LocalList
    from policies.positions import Loc, Positions
    from policies.schema_rules import RuleEntry
    from policies.verdict import Refusal

_NEEDS: Final[Mapping[str, str]] = {
    "dmarc.aligned": "dmarc.aligned",
    "tls.client": 'tls.client != ""',
    "account": 'account != ""',
}


def rule_symbols(
    entries: Sequence[RuleEntry], taken: Mapping[str, SymbolSpec], positions: Positions
) -> tuple[dict[str, SymbolSpec], list[ConfigError]]:
    """Return the symbols that the rules declare, and those whose names are taken."""
    symbols: dict[str, SymbolSpec] = {}
    mistakes: list[ConfigError] = []
    for index, entry in enumerate(entries):
        if entry.id in taken or entry.id in symbols:
            what = f"the symbol {entry.id} exists already: choose another id"
            mistakes.append(positions.error(("rules", index, "id"), what))
            continue
        symbols[entry.id] = _symbol(entry)
    return symbols, mistakes


def _symbol(entry: RuleEntry) -> SymbolSpec:
    refuses = entry.action in {"defer", "reject"}
    said = entry.words or (sentence(entry.reply) if entry.reply else "")
    speaks = refuses or (entry.weight or 0) > 0 or entry.action in {"tag", "quarantine"}
    return SymbolSpec(
        name=entry.id,
        words=(said or KIND_WORDS[entry.kind]) if speaks else "",
        describe=entry.describe,
        class_=entry.class_,
        kind=entry.kind if speaks else "",
        group=entry.group or "",
        weight=entry.weight or 0.0,
        stage=LAST_STAGE,
    )


def _refusal(entry: RuleEntry) -> Refusal | None:
    """Return the reply of a rule's own, the id at its end where it stands nowhere else."""
    if not entry.reply:
        return None
    refusal = parse_reply(entry.reply)
    if TXN_ID in refusal.text:
        return refusal
    return replace(refusal, text=f"{refusal.text} ({TXN_ID})")


class Ruling:
    """Makes the rules of one file.

    Args:
        entries: As they were written.
        positions: Where everything stands.
        table: Every symbol there is, those of the rules included.
        lists: Every list there is.
        elsewhere: Symbols of shipped packs that were not chosen; rules of the others may ask for
            them.

    Attributes:
        mistakes: What is wrong.
    """

    def __init__(
        self,
        entries: Sequence[RuleEntry],
        positions: Positions,
        table: Mapping[str, SymbolSpec],
        lists: Mapping[str, LocalList],
        elsewhere: Collection[str] = (),
    ) -> None:
        self._entries = entries
        self._elsewhere = elsewhere
        self._positions = positions
        self._table = table
        self._language = Language(table.keys(), lists)
        self._index = {entry.id: index for index, entry in enumerate(entries)}
        self._stages: dict[str, str] = {}
        self._conditions: dict[str, Condition] = {}
        # Rules that read, on whatever way, one that is none.
        self._unsure: set[str] = set()
        self.mistakes: list[ConfigError] = []

    def rule_set(self) -> RuleSet | None:
        """Return the rules; None where there are none, or mistakes."""
        for index, entry in enumerate(self._entries):
            self.mistakes += self._shape(("rules", index), entry)
            self._compile(("rules", index, "when"), entry)
        levels = self._levels()
        self.mistakes += self._weights_by_score()
        self.mistakes += self._early()
        if self.mistakes or not self._entries:
            return None
        rules = {entry.id: self._rule(entry) for entry in self._entries}
        # What reads the score comes last, in the order of the file.
        last = [rule for rule in rules.values() if rule.last]
        ordered = [[rules[name] for name in level if not rules[name].last] for level in levels]
        temporary = frozenset(name for name, spec in self._table.items() if spec.temporary)
        return RuleSet(self._language, [level for level in ordered if level], last, temporary)

    def stages(self) -> Mapping[str, str]:
        """Return the stage of each rule, once `rule_set` has made them."""
        return self._stages

    def _weights_by_score(self) -> Iterator[ConfigError]:
        for name, condition in self._conditions.items():
            loc = ("rules", self._index[name], "weight")
            if "score" in condition.reading.facts and self._entries[loc[1]].weight is not None:
                what = (
                    "a rule that reads the score comes when all points are summed: "
                    "it has an action, not a weight"
                )
                yield self._positions.error(loc, what)

    def _compile(self, loc: Loc, entry: RuleEntry) -> None:
        also = self._elsewhere if self._positions.value_mark(loc).file.shipped else ()
        try:
            condition = self._language.compile(entry.when, also)
            if needed := _NEEDS.get(entry.needs or ""):
                both = self._language.compile(f"({entry.when}) && {needed}")
                condition = replace(both, text=entry.when)
            self._conditions[entry.id] = condition
        except ExpressionError as err:
            self.mistakes.append(self._positions.error(loc, err.what, err.offset))

    def _shape(self, loc: Loc, entry: RuleEntry) -> Iterator[ConfigError]:
        """Yield what does not fit together in one rule."""
        at = self._positions
        if (entry.weight is None) == (entry.action is None):
            both = "has both: leave one out" if entry.action else "has neither"
            what = f"a rule has either `weight` or `action`; {entry.id} {both}"
            yield at.error((*loc, "action") if entry.action else loc, what)
        if entry.action == "pass" and entry.needs is None:
            what = (
                "`action: pass` needs `needs`: dmarc.aligned, tls.client or account; "
                "`needs: nothing` says that anybody may pose as the one who is allowed"
            )
            yield at.error((*loc, "action"), what)
        if entry.needs is not None and entry.action != "pass":
            yield at.error((*loc, "needs"), "only `action: pass` has `needs`")
        if entry.group is not None and entry.weight is None:
            yield at.error((*loc, "group"), "a rule with an action has no points to bound")
        yield from self._reply(loc, entry)

    def _reply(self, loc: Loc, entry: RuleEntry) -> Iterator[ConfigError]:
        refuses = {"defer": "4", "reject": "5"}
        if entry.reply is None:
            return
        first = refuses.get(entry.action or "")
        if first is None:
            yield self._positions.error(
                (*loc, "reply"), "only `action: defer` and `action: reject` have a reply"
            )
        elif entry.reply[0] != first or entry.reply[4] != first:
            what = f"`action: {entry.action}` answers {first}xx {first}.x.x, not {entry.reply[:9]}"
            yield self._positions.error((*loc, "reply"), what)

    def _levels(self) -> list[list[str]]:
        """Return the ids of rules in the order of what they read of one another."""
        waiting = {
            name: {read for read in condition.reading.symbols if read in self._conditions}
            for name, condition in self._conditions.items()
        }
        levels: list[list[str]] = []
        done: set[str] = set()
        while waiting:
            level = [name for name, reads in waiting.items() if reads <= done]
            if not level:
                self._circle(waiting)
                return levels
            self._check_last(level, waiting)
            for name in level:
                self._stages[name] = self._stage(name)
                if waiting.pop(name) & self._unsure or self._reads_lost(name):
                    self._unsure.add(name)
            done |= set(level)
            levels.append(level)
        return levels

    def _circle(self, waiting: Mapping[str, set[str]]) -> None:
        way = [next(iter(waiting))]
        while way.count(way[-1]) < 2:
            way.append(next(read for read in sorted(waiting[way[-1]]) if read in waiting))
        circle = way[way.index(way[-1]) :]
        first = min(circle[:-1], key=lambda name: self._index[name])
        start = circle.index(first)
        shown = [*circle[start:-1], *circle[:start], first]
        what = f"these rules read one another in a circle: {' -> '.join(shown)}"
        loc = ("rules", self._index[first], "when")
        self.mistakes.append(self._positions.error(loc, what))

    def _check_last(self, level: Sequence[str], waiting: Mapping[str, set[str]]) -> None:
        """Find rules that read one which runs later, because that one reads the score."""
        for name in level:
            for read in sorted(waiting[name]):
                if "score" not in self._conditions[read].reading.facts:
                    continue
                reads_score = "score" in self._conditions[name].reading.facts
                if reads_score and self._index[read] < self._index[name]:
                    continue
                what = f"{read} reads the score, so it runs last" + (
                    ": put it above this rule" if reads_score else ", after this rule"
                )
                loc = ("rules", self._index[name], "when")
                self.mistakes.append(self._positions.error(loc, what))

    def _reads_lost(self, name: str) -> bool:
        """Whether a rule reads one that is none, whose stage nobody knows."""
        read = self._conditions[name].reading.symbols
        return any(each in self._index and each not in self._conditions for each in read)

    def _stage(self, name: str) -> str:
        reading = self._conditions[name].reading
        stages = [FACTS_BY_NAME[fact].stage for fact in reading.facts if fact != SYMBOLS]
        found = [read for read in reading.symbols if read in self._table]
        stages += [self._stages.get(read) or self._table[read].stage for read in found]
        if reading.every_symbol:
            stages.append(LAST_STAGE)
        told = facts_told(_refusal(self._entries[self._index[name]]))
        stages += [FACTS_BY_NAME[fact].stage for fact in told]
        return max(stages, key=STAGES.index, default=STAGES[0])

    def _rule(self, entry: RuleEntry) -> Rule:
        return Rule(
            id=entry.id,
            condition=self._conditions[entry.id],
            stage=self._stages[entry.id],
            spec=self._table[entry.id],
            action=Action[entry.action.upper()] if entry.action else None,
            early=entry.early,
            refusal=_refusal(entry),
            needs=entry.needs or "",
        )

    def _early(self) -> Iterator[ConfigError]:
        for index, entry in enumerate(self._entries):
            if not entry.early:
                continue
            loc = ("rules", index, "early")
            stage = self._stages.get(entry.id)
            if entry.action not in {"defer", "reject"}:
                what = "only `action: defer` and `action: reject` can fall before the end of data"
                yield self._positions.error(loc, what)
            elif stage is None or entry.id in self._unsure:
                continue
            elif STAGES.index(stage) > STAGES.index("rcpt"):
                what = f"what this rule reads is known at stage {stage}, not before the end of data"
                yield self._positions.error(loc, what)
