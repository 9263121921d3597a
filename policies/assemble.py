"""From a policy file to the policies it stands for, and the mistakes that only the whole shows.

The file has been read, what it extends has been merged below it, and its shape is right. This
module reads no file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policies.compile import Plan
from policies.declared import Declared
from policies.declared_lists import DeclaredLists
from policies.errors import ConfigError, ConfigErrors
from policies.mistakes import near
from policies.rates import declare_rates
from policies.ruling import Ruling, rule_symbols
from policies.schema import Group
from policies.select import PolicySet, counted_symbols, judging_said, merged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from policies.list_catalogue import ListCatalogue
    from policies.lists import LocalList
    from policies.positions import Loc, Positions
    from policies.rates import Rate
    from policies.rules import RuleSet
    from policies.schema import Judging, PolicyFile
    from policies.symbols import SymbolSpec

_RISING: Final = ("tag", "quarantine", "defer", "reject")


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands in other files than the policy's own.

    Attributes:
        keys: Secret labels of DNS lists by their index in `dns_lists`.
        lists: What the entries of `lists` hold, by name.
        digest: Of the files of the lists.
        catalogue: The well-known DNS lists.
        elsewhere: Symbols of shipped packs that were not chosen.
    """

    catalogue: ListCatalogue
    keys: Mapping[int, str] = field(default_factory=dict)
    lists: Mapping[str, LocalList] = field(default_factory=dict)
    digest: str = ""
    elsewhere: Collection[str] = ()


def assemble(
    file: PolicyFile,
    positions: Positions,
    shipped: Mapping[str, SymbolSpec],
    beside: Beside,
) -> PolicySet:
    """Return the policies of `file`.

    Args:
        file: What it extends is merged in already.
        positions: Places of everything in it.
        shipped: The shipped table of symbols.
        beside: What other files hold.

    Raises:
        ConfigErrors: Every mistake that is left, in the order of the files.
    """
    declared = Declared(positions, shipped)
    for index, pattern in enumerate(file.patterns):
        declared.add_pattern(index, pattern)
    lists = _lists(file, positions, shipped, beside, declared)
    file = _bounded(file, lists.bounds)
    rates = _rates(file, positions, shipped, declared)
    found = {**shipped, **declared.symbols}
    of_rules, taken = rule_symbols(file.rules, found, positions)
    table = {**found, **of_rules}
    ruling = Ruling(file.rules, positions, table, beside.lists, beside.elsewhere)
    rules = ruling.rule_set()
    _refuse([*declared.mistakes, *taken, *ruling.mistakes, *_mistakes(file, positions, table)])
    defaults = (*(shipped if file.default_weights else ()), *declared.symbols, *of_rules)
    needed = counted_symbols(file, file.overrides, table, defaults) | _read_by(rules, table)
    return PolicySet(
        name=file.name,
        base=file,
        overrides=file.overrides,
        table=table,
        default_weights=defaults,
        plan=_plan(declared, lists, rates, _ranked(needed, declared, table), rules),
        version=_version(file, shipped, beside.digest),
    )


def _refuse(mistakes: list[ConfigError]) -> None:
    if mistakes:
        raise ConfigErrors(sorted(mistakes, key=lambda err: (err.path, err.line, err.column)))


def _lists(
    file: PolicyFile,
    positions: Positions,
    shipped: Mapping[str, SymbolSpec],
    beside: Beside,
    declared: Declared,
) -> DeclaredLists:
    """Return the DNS lists of `file`; their symbols and mistakes go to `declared`."""
    lists = DeclaredLists(positions, shipped, beside.catalogue, declared.symbols, declared.mistakes)
    for index, dns_list in enumerate(file.dns_lists):
        lists.add(index, dns_list, beside.keys.get(index, ""))
    return lists


def _rates(
    file: PolicyFile, positions: Positions, shipped: Mapping[str, SymbolSpec], declared: Declared
) -> Sequence[Rate]:
    """Return the rates of `file`; their symbols and mistakes go to `declared`."""
    symbols, rates, doubled = declare_rates(file.rates, {**shipped, **declared.symbols}, positions)
    declared.symbols.update(symbols)
    declared.mistakes.extend(doubled)
    return rates


def _plan(
    declared: Declared,
    lists: DeclaredLists,
    rates: Sequence[Rate],
    ranked: Sequence[str],
    rules: RuleSet | None,
) -> Plan:
    needed = frozenset(ranked)
    return Plan(
        symbols=needed,
        ranked=tuple(ranked),
        facts=rules.facts if rules else frozenset(),
        dns_lists=tuple(one for one in lists.dns_lists if one.symbols & needed),
        patterns=declared.pattern_set(needed),
        rules=rules,
        rates=tuple(rate for rate in rates if rate.symbol in needed),
    )


def _ranked(
    needed: frozenset[str], declared: Declared, table: Mapping[str, SymbolSpec]
) -> Sequence[str]:
    """Return the symbols `needed`, in the same order wherever this file is read."""
    patterns = {spec.id for spec in declared.patterns}
    # What a rule reads may stand in a pack that was not chosen.
    points = {name: abs(table[name].weight) if name in table else 0 for name in needed}
    return sorted(needed, key=lambda name: (name in patterns, -points[name], name))


def _read_by(rules: RuleSet | None, table: Mapping[str, SymbolSpec]) -> frozenset[str]:
    """Return the symbols that some rule reads, and those of the rules themselves."""
    if rules is None:
        return frozenset()
    readings = [rule.condition.reading for rule in rules.by_id.values()]
    if any(reading.every_symbol for reading in readings):
        return frozenset(table)
    return frozenset(rules.by_id).union(*(reading.symbols for reading in readings))


def _bounded(file: PolicyFile, bounds: Mapping[str, Mapping[str, float]]) -> PolicyFile:
    """Return `file` with the caps and floors that its lists bring, where it says none itself."""
    if not bounds:
        return file
    groups = {name: Group(**said) for name, said in bounds.items()}
    for name, group in file.groups.items():
        said = {**bounds.get(name, {}), **group.model_dump(exclude_unset=True)}
        groups[name] = Group(**said)
    return file.model_copy(update={"groups": groups})


def _mistakes(
    file: PolicyFile, positions: Positions, table: Mapping[str, SymbolSpec]
) -> Iterator[ConfigError]:
    """Yield what is wrong beyond single patterns, lists and rules."""
    yield from _switches(file, positions)
    yield from _expected(file, positions, table)
    groups = {spec.group for spec in table.values()} - {""}
    said = judging_said(file)
    yield from _of_judging((), file, said, positions)
    yield from _unknown((), file, table, groups, positions)
    for index, override in enumerate(file.overrides):
        loc = ("overrides", index)
        if not override.match.model_dump(exclude_none=True):
            what = "`match` is empty: say whom the override is for, or move its keys to the top"
            yield positions.error((*loc, "match"), what)
        changes = judging_said(override)
        yield from _of_judging(loc, override, merged(said, changes), positions)
        yield from _unknown(loc, override, table, groups, positions)


def _switches(file: PolicyFile, positions: Positions) -> Iterator[ConfigError]:
    """Yield weights of rules that have an action instead, other than 0 and 1."""
    with_action = {entry.id for entry in file.rules if entry.action is not None}
    said: list[tuple[Loc, Judging]] = [((), file)]
    said += [(("overrides", index), override) for index, override in enumerate(file.overrides)]
    for loc, judging in said:
        for symbol, weight in judging.weights.items():
            if symbol in with_action and weight not in {0, 1}:
                what = f"{symbol} has an action and no points: 0 switches it off, 1 on"
                yield positions.error((*loc, "weights", symbol), what)


def _of_judging(
    loc: Loc, judging: Judging, said: Mapping[str, Any], positions: Positions
) -> Iterator[ConfigError]:
    """Yield what does not fit together in `said`; at `loc` stands the part said last."""
    if "thresholds" in judging.model_fields_set:
        yield from _falling(loc, said.get("thresholds", {}), positions)
    quarantine = said.get("actions", {}).get("quarantine", {})
    aimless = quarantine.get("as_") == "redirect" and not quarantine.get("to")
    if aimless and "actions" in judging.model_fields_set:
        what = "`as: redirect` needs `to`: the address that messages go to instead"
        yield positions.error((*loc, "actions", "quarantine"), what)


def _falling(
    loc: Loc, thresholds: Mapping[str, float | None], positions: Positions
) -> Iterator[ConfigError]:
    milder, least = "", 0.0
    for name in _RISING:
        score = thresholds.get(name)
        if score is None:
            continue
        if score < least:
            what = f"`{name}` ({score:g}) is lower than `{milder}` ({least:g}), which is milder"
            yield from _between((*loc, "thresholds"), name, milder, what, positions)
        milder, least = name, max(score, least)


def _between(
    section: Loc, name: str, milder: str, what: str, positions: Positions
) -> Iterator[ConfigError]:
    """Yield the mistake that two keys make together, at the one that the last file says.

    What an override does not say itself is a mistake further up, and told there.
    """
    last = positions.path(section)
    said = [
        loc for loc in ((*section, name), (*section, milder)) if positions.depth(loc) == len(loc)
    ]
    if not said:
        return
    place = next((loc for loc in said if positions.path(loc) == last), said[0])
    for other in said:
        if positions.path(other) != positions.path(place):
            line, _ = positions.value(other)
            what += f" (`{other[-1]}` stands in {positions.path(other)}, line {line})"
    yield positions.error(place, what)


def _unknown(
    loc: Loc,
    judging: Judging,
    table: Mapping[str, SymbolSpec],
    groups: set[str],
    positions: Positions,
) -> Iterator[ConfigError]:
    for symbol in judging.weights:
        if symbol not in table:
            what = f"there is no symbol {symbol}{near(symbol, table)}"
            yield positions.key_error((*loc, "weights", symbol), what)
    for group in judging.groups:
        if group not in groups:
            what = f"no symbol is in a group `{group}`{near(group, groups)}"
            yield positions.key_error((*loc, "groups", group), what)


def _expected(
    file: PolicyFile, positions: Positions, table: Mapping[str, SymbolSpec]
) -> Iterator[ConfigError]:
    """Find tests that could not fail, or not pass, whatever comes of their message."""
    for index, case in enumerate(file.tests):
        loc, expect = ("tests", index, "expect"), case.expect
        if not expect.model_dump(exclude_defaults=True):
            what = "this expects nothing: say what must come of the message, such as `action: tag`"
            yield positions.error(loc, what)
        named: list[tuple[Loc, str]] = [((*loc, "rule"), expect.rule)] if expect.rule else []
        named += [((*loc, "symbols", i), name) for i, name in enumerate(expect.symbols)]
        named += [((*loc, "not_symbols", i), name) for i, name in enumerate(expect.not_symbols)]
        for place, name in named:
            if name not in table:
                what = f"there is no symbol {name}{near(name, table)}"
                yield positions.error(place, what)


def _version(file: PolicyFile, shipped: Mapping[str, SymbolSpec], digest: str) -> str:
    """Return a digest of all that decides; secrets are no part of it."""
    weights = {name: spec.weight for name, spec in shipped.items()}
    # What a policy is tried by and what runs beside it decide nothing.
    said = file.model_dump(mode="json", exclude_unset=True, exclude={"tests", "shadow"})
    content = [said, weights, digest]
    written = json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(written, digest_size=8).hexdigest()
