"""Rules over symbols and facts: which of them are true of a message.

A rule that is true is a finding like any other, with the rule's id as its symbol. Rules that name
the symbols of others come after them; those that read the score come last. Only rules that can be
true are evaluated: those whose symbols are there, and those that need none, the latter together. A
rule that cannot be evaluated is a finding RULE_ERROR, never a silent "no". What a rule leads to is
decided elsewhere (`evaluate`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

from policies.expressions.language import Condition, Failure, all_hold, holds
from policies.expressions.values import values
from policies.findings import Finding
from policies.replies import facts_told
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policies.expressions.language import Language
    from policies.facts import FactValue
    from policies.symbols import SymbolSpec
    from policies.verdict import Refusal

STAGES: Final = ("connect", "helo", "mail", "rcpt", "data", "message")
LAST_STAGE: Final = STAGES[-1]
RULE_ERROR: Final = "RULE_ERROR"
_SCORE: Final = "score"
_SYMBOLS: Final = "symbols"
# The library's budget of steps is shared by what is evaluated together.
_TOGETHER: Final = 32
_MAX_EVIDENCE: Final = 160
# Facts that no check yields: they come about when rules are evaluated.
_EVALUATED: Final = frozenset({_SYMBOLS, _SCORE})
_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be evaluated.

    Attributes:
        id: Its symbol.
        condition: When it is true; what an allow `needs` is part of it.
        stage: The stage from which it can be evaluated.
        action: What follows by itself; None: only its weight counts.
        early: Whether its action may fall before the end of data.
        refusal: Reply of its own; None: one made of words.
        needs: What authenticates the sender for `action: pass`, as the policy has it.
        spec: What is known of its symbol.
        finding: What is found where it is true.
    """

    id: str
    condition: Condition
    stage: str
    spec: SymbolSpec
    action: Action | None = None
    early: bool = False
    refusal: Refusal | None = None
    needs: str = ""
    finding: Finding = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "finding", Finding(self.id))

    @property
    def facts(self) -> frozenset[str]:
        """The facts that its condition and its reply read."""
        return frozenset(self.condition.reading.facts | facts_told(self.refusal))

    @property
    def last(self) -> bool:
        """Whether it reads the score, so that it runs when all weights are summed."""
        return _SCORE in self.condition.reading.facts


@dataclass(frozen=True, slots=True)
class _Level:
    """Rules that do not depend on one another.

    Attributes:
        by_symbols: Those that read nothing but symbols and can be true without any.
        always: Those that can be true whatever is found, in parts that are evaluated together.
        by_symbol: The others, by each symbol one of which must be there.
    """

    by_symbols: tuple[Rule, ...]
    always: tuple[_Part, ...]
    by_symbol: Mapping[str, tuple[Rule, ...]]


@dataclass(frozen=True, slots=True)
class _Part:
    """Rules of one stage that are evaluated together.

    Attributes:
        rules: The rules.
        program: Evaluates all of them; None where each has to be evaluated by itself.
        facts: What they read.
    """

    rules: tuple[Rule, ...]
    program: Any
    facts: frozenset[str]


class RuleSet:
    """The rules of a policy file, in the order in which they are evaluated.

    Args:
        language: What they are written in.
        levels: Rules that do not read the score; each level depends on those before it alone.
        last: Rules that read it, in the order of the file.
        temporary: Symbols that say only that something could not be asked.

    Attributes:
        by_id: All rules.
        facts: Every fact that some rule reads.
    """

    __slots__ = ("_language", "_levels", "by_id", "facts", "last", "temporary")

    def __init__(
        self,
        language: Language,
        levels: Sequence[Sequence[Rule]],
        last: Sequence[Rule],
        temporary: frozenset[str] = frozenset(),
    ) -> None:
        self._language = language
        self.temporary = temporary
        self._levels = tuple(_level(language, level) for level in levels)
        self.last = tuple(last)
        every = [*(rule for level in levels for rule in level), *last]
        self.by_id: Mapping[str, Rule] = {rule.id: rule for rule in every}
        self.facts = frozenset(fact for rule in every for fact in rule.facts)

    def message(self, facts: Mapping[str, FactValue], names: Iterable[str]) -> Any:
        """Return a message of which `facts` are known, for whoever tries a single condition."""
        return self._language.message(values(facts, names))

    def run(
        self,
        findings: Iterable[Finding],
        facts: Mapping[str, FactValue],
        known: str = LAST_STAGE,
        doubted: frozenset[str] = _NOTHING,
    ) -> RuleRun:
        """Return what the rules say of a message, those that read the score left out.

        Args:
            findings: What checks saw.
            facts: What checks know; asked only for those that some rule reads.
            known: The stage up to which facts are known; rules of later ones wait.
            doubted: Facts that nobody knows for certain: only allows that read one are true.
        """
        run = RuleRun(self._language, facts, findings, doubted)
        for level in self._levels:
            run.take(level, known)
        return run


class RuleRun:
    """The rules of one message.

    Attributes:
        found: Findings of the rules that are true, and of those that could not be evaluated.
        true: The rules that are true, in the order in which they were evaluated.
    """

    __slots__ = ("_doubted", "_facts", "_language", "_symbols", "_values", "found", "true")

    def __init__(
        self,
        language: Language,
        facts: Mapping[str, FactValue],
        findings: Iterable[Finding],
        doubted: frozenset[str] = _NOTHING,
    ) -> None:
        self._language = language
        self._facts = facts
        self._doubted = doubted
        # A shadow may ask for more than the policy knows of: that is not for its rules.
        seen = {each.symbol for each in findings if each.symbol in language.symbols}
        self._symbols = dict.fromkeys(sorted(seen))
        self._values: dict[str, Any] = {}
        self.found: list[Finding] = []
        self.true: list[Rule] = []

    def take(self, level: _Level, known: str) -> None:
        """Evaluate the rules of `level` that can be true."""
        latest = STAGES.index(known)
        single = [*_candidates(level.by_symbol, self._symbols), *level.by_symbols]
        parts = level.always
        if latest < len(STAGES) - 1:
            single = [rule for rule in single if STAGES.index(rule.stage) <= latest]
            # All rules of a part are of one stage.
            parts = tuple(part for part in parts if STAGES.index(part.rules[0].stage) <= latest)
        if not single and not parts:
            return
        true: list[Rule] = []
        open_: list[Rule] = []
        for rule in single:
            by_symbols = rule.condition.by_symbols
            if by_symbols is None or by_symbols(self._symbols):
                (true if rule.condition.rest is None else open_).append(rule)
        if open_ or parts:
            message = self._message(open_, parts)
            true += self._asked(open_, message)
            for part in parts:
                true += self._part(part, message)
        self._add(true)

    def take_last(self, rule: Rule, score: float) -> bool:
        """Evaluate a rule that reads the score; return whether it is true."""
        required = rule.condition.reading.required
        if required is not None and self._symbols.keys().isdisjoint(required):
            return False
        self._values[_SCORE] = score
        if not self._holds(rule, self._message([rule])):
            return False
        self._add([rule])
        return True

    def _asked(self, rules: Sequence[Rule], message: Any) -> list[Rule]:
        """Return the true ones of `rules`; what several of them share is asked once."""
        if message is None:
            return []
        true: list[Rule] = []
        results: dict[Any, bool | Failure] = {}
        for rule in rules:
            rest = rule.condition.rest
            result = results.get(rest)
            if result is None:
                result = results[rest] = holds(rest, message)
            if self._is_true(rule, result):
                true.append(rule)
        return true

    def _part(self, part: _Part, message: Any) -> list[Rule]:
        if message is None:
            return []
        results = None if part.program is None else all_hold(part.program, message)
        if results is not None:
            return list(compress(part.rules, results))
        return [rule for rule in part.rules if self._holds(rule, message)]

    def _holds(self, rule: Rule, message: Any) -> bool:
        return message is not None and self._is_true(rule, holds(rule.condition.program, message))

    def _is_true(self, rule: Rule, result: bool | Failure) -> bool:
        if isinstance(result, Failure):
            self._failed(rule, result.why)
            return False
        return result

    def _message(self, rules: Sequence[Rule], parts: Sequence[_Part] = ()) -> Any:
        """Return what is known of the message; None where the facts cannot be read at all."""
        names: set[str] = set().union(
            *[rule.condition.reading.facts for rule in rules], *[part.facts for part in parts]
        )
        try:
            missing = sorted(names - {_SYMBOLS, _SCORE} - self._values.keys())
            self._values |= values(self._facts, missing)
            self._values[_SYMBOLS] = list(self._symbols)
            return self._language.message(self._values)
        except (TypeError, ValueError, RuntimeError, AttributeError) as err:
            # A check yields what its row of the table of facts does not allow.
            for rule in (*rules, *(rule for part in parts for rule in part.rules)):
                self._failed(rule, str(err))
            return None

    def _add(self, true: Sequence[Rule]) -> None:
        if self._doubted:
            true = [r for r in true if r.action is Action.PASS or not self._doubts(r)]
        self.true += true
        self.found += [rule.finding for rule in true]
        self._symbols |= dict.fromkeys(rule.id for rule in true)

    def _doubts(self, rule: Rule) -> bool:
        return not self._doubted.isdisjoint(rule.condition.reading.facts)

    def _failed(self, rule: Rule, why: str) -> None:
        shown = "".join(c if c.isprintable() else " " for c in why[:_MAX_EVIDENCE])
        self.found.append(Finding(RULE_ERROR, f"{rule.id}: {shown}", {"rule": rule.id}))


def _level(language: Language, rules: Sequence[Rule]) -> _Level:
    always = [rule for rule in rules if rule.condition.reading.required is None]
    by_symbols = tuple(rule for rule in always if rule.condition.rest is None)
    always = [rule for rule in always if rule.condition.rest is not None]
    parts: list[_Part] = []
    for stage in STAGES:
        of_stage = [rule for rule in always if rule.stage == stage]
        parts += [
            _part(language, tuple(of_stage[start : start + _TOGETHER]))
            for start in range(0, len(of_stage), _TOGETHER)
        ]
    by_symbol: dict[str, list[Rule]] = {}
    for rule in rules:
        for symbol in sorted(rule.condition.reading.required or ()):
            by_symbol.setdefault(symbol, []).append(rule)
    needing = {symbol: tuple(rules) for symbol, rules in by_symbol.items()}
    return _Level(by_symbols, tuple(parts), needing)


def _part(language: Language, rules: tuple[Rule, ...]) -> _Part:
    facts = frozenset().union(*(rule.condition.reading.facts for rule in rules))
    return _Part(rules, language.together([rule.condition for rule in rules]), facts)


def _candidates(by_symbol: Mapping[str, tuple[Rule, ...]], symbols: Iterable[str]) -> list[Rule]:
    if not by_symbol:
        return []
    return list(
        {rule.id: rule for symbol in symbols for rule in by_symbol.get(symbol, ())}.values()
    )
