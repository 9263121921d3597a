"""Rules of SpamAssassin as patterns and rules of a policy.

| type | looked for in |
|---|---|
| header | the decoded field; `ALL` the whole header, `EnvelopeFrom` the reverse path |
| header, `:raw` `:addr` `:name` | the field undecoded, the addresses in it, their display names |
| body | what a person reads, lines joined as SpamAssassin joins them, and the subject |
| rawbody | the decoded texts and the source of HTML |
| uri | the links |
| full | the bytes |
| meta | the rules that it names, and symbols of ours that are called so |

A rule that looks in several places becomes a pattern for each and a rule over them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policies.engine import PatternError, PatternSpec, compile_pattern
from policies.expressions.language import Language
from policies.expressions.reading import ExpressionError
from policies.spamassassin.meta import names_in, to_cel
from policies.spamassassin.regexps import NotImportedError, read_regexp, to_re2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.spamassassin.source import Place, RuleSource, SourceRule

_HEADER_TEST: Final = re.compile(
    r"(?P<name>[!-9;-~]{1,80}?)(?P<part>:(?:raw|addr|name|first|last))*\s*(?P<operator>[=!]~)\s*"
    r"(?P<test>.*?)(?:\s*\[if-unset:\s*(?P<unset>[^\]]*)\])?",
    re.DOTALL,
)
_EXISTS: Final = re.compile(r"exists:\s*([!-9;-~]{1,80})")
# Fields that SpamAssassin makes up.
_MADE_UP: Final = re.compile(
    r"x-spam-relays|x-spam-languages|x-languages|x-relay-countries|all-(?:un)?trusted"
    r"|all-(?:in|ex)ternal",
    re.IGNORECASE,
)
_FIELDS: Final = {
    "tocc": ("header:to", "header:cc"),
    "all": ("headers",),
    "messageid": ("header:message-id",),
    "envelopefrom": ("mail_from",),
}
_PLACES: Final = {
    "body": ("subject", "body"),
    "rawbody": ("text", "html"),
    "uri": ("urls",),
    "full": ("raw",),
}
_ARITHMETIC: Final = re.compile(r"[-+*/<>=]")
_NOT_LINE_BY_LINE: Final = frozenset(("uri", "header"))
_SYMBOL: Final = re.compile(r"[^A-Z0-9_]")
_LONGEST_SYMBOL: Final = 56
_LONGEST_MATCH: Final = 4096
_SUB: Final = "__"
_DEFAULT_SCORE: Final = 1.0
# A rule whose name begins so is on trial (Mail::SpamAssassin::Conf, `score`).
_ON_TRIAL: Final = "T_"
_TRIAL_SCORE: Final = 0.01
# No rule looks in more places.
_MOST_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that is not imported, and why."""

    place: Place
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Pack:
    """What became of the rules.

    Attributes:
        patterns: Entries for `patterns` of a policy.
        rules: Entries for `rules`.
        imported: Rules of SpamAssassin that are whole in it.
        switched_off: Rules whose score is 0.
        unused: Parts that no imported rule asks for.
        refused: Those that are not imported.
    """

    patterns: list[dict[str, object]]
    rules: list[dict[str, object]]
    imported: list[str]
    switched_off: list[str]
    unused: list[str]
    refused: list[Refused]


@dataclass(slots=True)
class _Said:
    """One rule said in the language of policies."""

    patterns: list[tuple[str, str]]
    when: str = ""
    asks: frozenset[str] = field(default_factory=frozenset)


def translate(source: RuleSource, taken: frozenset[str], score_set: int = 1) -> Pack:
    """Return the rules as a pack.

    Args:
        source: The rules.
        taken: Symbols that a policy knows already: rules of these names get others, and `meta`
            rules may ask for them.
        score_set: Which of four scores holds, from 0 on.
    """
    return _Translator(source, taken, score_set).run()


class _Translator:
    """Translates rules, each when it is first asked for; lives as long as that takes."""

    def __init__(self, source: RuleSource, taken: frozenset[str], score_set: int) -> None:
        self._source = source
        self._taken = taken
        self._score_set = score_set
        self._symbols: dict[str, str] = {}
        self._used = set(taken)
        self._language = Language(self._used, {})
        self._said: dict[str, _Said] = {}
        self._why: dict[str, str] = {}
        self._waiting: set[str] = set()

    def run(self) -> Pack:
        rules = self._source.rules
        off = [name for name in rules if self._score(name) == 0 and not name.startswith(_SUB)]
        wanted = [name for name in rules if self._score(name) != 0]
        for name in rules:
            if name not in off:
                self._translate(name)
        imported = [name for name in wanted if name in self._said]
        needed = self._needed(imported)
        refused = [Refused(rules[name].place, name, why) for name, why in self._why.items()]
        order = [name for name in rules if name in needed]
        return Pack(
            patterns=[entry for name in order for entry in self._patterns(name)],
            rules=[entry for name in order for entry in self._rule(name)],
            imported=imported,
            switched_off=off,
            unused=[name for name in self._said if name not in needed],
            refused=refused,
        )

    def _score(self, name: str) -> float:
        scores = self._source.scores.get(name)
        if scores:
            return scores[self._score_set] if len(scores) > self._score_set else scores[0]
        if name.startswith(_SUB):
            return 0.0
        nice = "nice" in self._source.flags.get(name, ())
        score = _TRIAL_SCORE if name.startswith(_ON_TRIAL) else _DEFAULT_SCORE
        return -score if nice else score

    def _needed(self, imported: list[str]) -> set[str]:
        needed, waiting = set[str](), list(imported)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(self._said[name].asks)
        return needed

    def _translate(self, name: str) -> bool:
        """Translate a rule, with all that it asks for; return whether that went well."""
        if name in self._said or name in self._why:
            return name in self._said
        if name in self._waiting:
            raise NotImportedError(f"a circle of meta rules through {name}")
        self._waiting.add(name)
        try:
            rule = self._source.rules[name]
            self._symbol(name)
            said = self._meta(rule) if rule.type == "meta" else self._test(rule)
            if said.when:
                self._language.compile(said.when)
            self._said[name] = said
        except NotImportedError as err:
            self._why[name] = str(err)
        except (PatternError, ExpressionError) as err:
            self._why[name] = err.what
        except RecursionError:
            self._why[name] = "meta rules that ask for one another too deeply"
        finally:
            self._waiting.discard(name)
        return name in self._said

    def _symbol(self, name: str) -> str:
        """Return the symbol of a rule: its name in capitals, changed where it is taken."""
        if name not in self._symbols:
            stem = f"SUB_{name.lstrip('_')}" if name.startswith("_") else name
            stem = _SYMBOL.sub("_", stem.upper())[:_LONGEST_SYMBOL]
            # A symbol has two characters or more.
            symbol, number = stem if len(stem) > 1 else f"SA_{stem}", 1
            while not self._used.isdisjoint(names := {symbol, *_parts(symbol, _MOST_PARTS)}):
                symbol = f"SA_{stem}" if number == 1 else f"SA_{stem}_{number}"
                number += 1
            self._used |= names
            self._symbols[name] = symbol
        return self._symbols[name]

    def _meta(self, rule: SourceRule) -> _Said:
        asks: set[str] = set()

        def condition_of(name: str) -> str:
            if name in self._source.rules:
                if self._score(name) == 0 and not name.startswith(_SUB):
                    return "false"
                if not self._translate(name):
                    raise NotImportedError(f"{name}, which it asks for, is not imported")
                asks.add(name)
                return f'"{self._symbol(name)}" in symbols'
            if name in self._taken:
                return f'"{name}" in symbols'
            raise NotImportedError(f"{name}, which it asks for, is nowhere defined")

        names = names_in(rule.text)
        if not names:
            raise NotImportedError("a meta expression that names no rule")
        counted = sorted(name for name in names if "multiple" in self._source.flags.get(name, ()))
        if counted and _ARITHMETIC.search(rule.text):
            raise NotImportedError(f"how often {counted[0]} hits; here a rule hits once")
        return _Said([], to_cel(rule.text, condition_of), frozenset(asks))

    def _test(self, rule: SourceRule) -> _Said:
        if rule.name in self._source.replaced:
            raise NotImportedError("tags of `replace_tag` in its pattern")
        if rule.text.startswith("eval:"):
            raise NotImportedError(f"the function {rule.text[5:60].partition('(')[0]}()")
        if rule.type == "header":
            return self._header(rule)
        regexp = read_regexp(rule.text)
        body = rule.type == "body"
        match = to_re2(regexp, lines=rule.type not in _NOT_LINE_BY_LINE, spaces=body)
        return self._looked_for(rule, _PLACES[rule.type], match)

    def _header(self, rule: SourceRule) -> _Said:
        if exists := _EXISTS.fullmatch(rule.text):
            return _Said([], f"count(headers, {_quoted(exists[1].lower())}) > 0")
        found = _HEADER_TEST.fullmatch(rule.text)
        if found is None:
            raise NotImportedError("a header test that is not understood")
        part = found["part"] or ""
        if part in (":first", ":last"):
            raise NotImportedError(f"`{part}`, one of several headers")
        name = found["name"].lower()
        if part and name in _FIELDS:
            raise NotImportedError(f"`{found['name']}{part}`, a part of what is no single header")
        if _MADE_UP.match(name):
            raise NotImportedError(f"the field {found['name']}, which SpamAssassin makes up")
        views = _FIELDS.get(name, (f"header:{name}{part}",))
        match = to_re2(read_regexp(found["test"]), lines=name == "all")
        said = self._looked_for(rule, views, match)
        said = self._unset(rule, said, name, found["unset"], match)
        if found["operator"] == "!~":
            return _Said(said.patterns, f"!({self._condition(rule, said)})")
        return said

    def _unset(
        self, rule: SourceRule, said: _Said, name: str, unset: str | None, match: str
    ) -> _Said:
        """Return `said` so that an absent field counts as holding `unset`."""
        if not unset or not _matches(match, unset):
            return said
        absent = f"count(headers, {_quoted(name)}) == 0"
        when = f"{self._condition(rule, said)} || {absent}"
        return _Said(said.patterns, when)

    def _condition(self, rule: SourceRule, said: _Said) -> str:
        if said.when:
            return said.when
        return " || ".join(
            f'"{symbol}" in symbols'
            for symbol in _parts(self._symbol(rule.name), len(said.patterns))
        )

    def _looked_for(self, rule: SourceRule, views: tuple[str, ...], match: str) -> _Said:
        if len(match) > _LONGEST_MATCH:
            raise NotImportedError(f"a pattern of more than {_LONGEST_MATCH} characters")
        for view in views:
            compile_pattern(PatternSpec(rule.name, view, match))
        said = _Said([(view, match) for view in views])
        if len(views) > 1:
            said.when = self._condition(rule, said)
        return said

    def _patterns(self, name: str) -> Iterator[dict[str, object]]:
        said, symbol = self._said[name], self._symbol(name)
        rule = self._source.rules[name]
        ids = _parts(symbol, len(said.patterns)) if said.when else [symbol]
        for each, (view, match) in zip(ids, said.patterns, strict=False):
            yield {
                "id": each,
                "in": view,
                "match": match,
                "class": "characteristics" if rule.type == "header" else "content",
                "describe": self._describe(name),
                "weight": 0.0 if said.when else self._score(name),
            }

    def _rule(self, name: str) -> Iterator[dict[str, object]]:
        said = self._said[name]
        if said.when:
            yield {
                "id": self._symbol(name),
                "when": said.when,
                "weight": self._score(name),
                "describe": self._describe(name),
            }

    def _describe(self, name: str) -> str:
        return self._source.describe.get(name) or f"Rule {name} of SpamAssassin"


def _parts(symbol: str, count: int) -> list[str]:
    return [f"{symbol}__{number}" for number in range(1, count + 1)]


def _matches(match: str, text: str) -> bool:
    found = compile_pattern(PatternSpec("A", "subject", match)).search(text.encode())
    return found is not None and found.end() > found.start()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
