"""From a policy file to the policies it stands for, and the mistakes that only the whole shows.

The file has been read, what it extends has been merged below it, and its shape is right. This
module reads no file.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from policies.compile import Plan
from policies.declared import Declared
from policies.errors import ConfigError, ConfigErrors
from policies.mistakes import near
from policies.select import PolicySet, counted_symbols, judging_said, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.positions import Loc, Positions
    from policies.schema import Judging, PolicyFile
    from policies.symbols import SymbolSpec

_RISING: Final = ("tag", "quarantine", "defer", "reject")


def assemble(
    file: PolicyFile,
    positions: Positions,
    shipped: Mapping[str, SymbolSpec],
    keys: Mapping[int, str],
) -> PolicySet:
    """Return the policies of `file`.

    Args:
        file: What it extends is merged in already.
        positions: Places of everything in it.
        shipped: The shipped table of symbols.
        keys: Secret labels of DNS lists by their index in `file.dns_lists`.

    Raises:
        ConfigErrors: Every mistake that is left, in the order of the files.
    """
    declared = Declared(positions, shipped)
    for index, pattern in enumerate(file.patterns):
        declared.add_pattern(index, pattern)
    for index, dns_list in enumerate(file.dns_lists):
        declared.add_dns_list(index, dns_list, keys.get(index, ""))
    table = {**shipped, **declared.symbols}
    mistakes = [*declared.mistakes, *_mistakes(file, positions, table)]
    if mistakes:
        raise ConfigErrors(sorted(mistakes, key=lambda err: (err.path, err.line, err.column)))
    defaults = (*(shipped if file.default_weights else ()), *declared.symbols)
    plan = _plan(declared, counted_symbols(file, file.overrides, table, defaults))
    return PolicySet(
        name=file.name,
        base=file,
        overrides=file.overrides,
        table=table,
        default_weights=defaults,
        plan=plan,
        version=_version(file, shipped),
    )


def _plan(declared: Declared, counted: frozenset[str]) -> Plan:
    lists = tuple(one for one in declared.dns_lists if one.symbols & counted)
    return Plan(symbols=counted, dns_lists=lists, patterns=declared.pattern_set(counted))


def _mistakes(
    file: PolicyFile, positions: Positions, table: Mapping[str, SymbolSpec]
) -> Iterator[ConfigError]:
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
            own = (*loc, "thresholds", name)
            other = (*loc, "thresholds", milder)
            yield positions.error(own if positions.depth(own) == len(own) else other, what)
        milder, least = name, max(score, least)


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


def _version(file: PolicyFile, shipped: Mapping[str, SymbolSpec]) -> str:
    """Return a digest of all that decides; secrets are no part of it."""
    weights = {name: spec.weight for name, spec in shipped.items()}
    content = [file.model_dump(mode="json", exclude_unset=True), weights]
    written = json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(written, digest_size=8).hexdigest()
