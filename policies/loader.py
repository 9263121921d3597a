"""Policies and what is shipped with them, read from files.

Every mistake is told at its line and column, and all of them at once: what one look finds wrong is
taken out (`remains`), and the next look goes on with the rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from policies.assemble import Beside, assemble
from policies.chain import (
    PACKS,
    PRESET_PATHS,
    PRESETS,
    beside,
    load_list_catalogue,
    load_pack,
    located,
    pack_path,
    policy_path,
    read_chain,
)
from policies.collector import without_collections
from policies.errors import Mistakes
from policies.lists import ListBuilder
from policies.other_files import read_keys, read_lists
from policies.positions import Positions
from policies.reading import Shipped, load, load_document, read_node, validate
from policies.remains import Remains, by_themselves, declared_by, remains, stand_ins
from policies.shadow import Shadow, beside_live, widened
from policies.sources import MAX_FILE_BYTES, FileSource, Source
from policies.symbols import SymbolSpec, SymbolTable

if TYPE_CHECKING:
    from policies.chain import Chain
    from policies.schema import PatternEntry, PolicyFile
    from policies.schema_rules import RuleEntry
    from policies.select import PolicySet

__all__ = [
    "DEFAULT_PRESET", "MAX_FILE_BYTES", "PACKS", "PRESETS", "FileSource", "LoadedPolicy",
    "Source", "beside", "load", "load_document", "load_list_catalogue", "load_pack",
    "load_policies", "load_symbols", "read_node", "read_policy", "validate",
]  # fmt: skip

DEFAULT_PRESET: Final = "balanced"


@lru_cache(maxsize=1)
def load_symbols() -> dict[str, SymbolSpec]:
    """Return the shipped table of symbols, by name; read once, for it never changes."""
    root = read_node(Shipped(), "symbols.yaml")
    return validate(root, SymbolTable).specs()


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy file as it was read, for whoever looks at more than its judgement.

    Attributes:
        file: What it says, with all that it extends.
        positions: Where everything of it stands.
        policies: What it judges by.
    """

    file: PolicyFile
    positions: Positions
    policies: PolicySet

    def own(self, part: Literal["rules", "patterns"]) -> tuple[str, ...]:
        """Return the ids of the rules or patterns that come from no pack or preset, in their order.

        Those of packs and presets are tried where these are.
        """
        elsewhere = PRESET_PATHS | {
            pack_path(self.positions, index, name)
            for index, name in enumerate(self.file.rules_packs)
        }
        entries: tuple[RuleEntry | PatternEntry, ...] = getattr(self.file, part)
        return tuple(
            entry.id
            for index, entry in enumerate(entries)
            if self.positions.path((part, index)) not in elsewhere
        )

    def own_packs(self) -> dict[str, frozenset[str]]:
        """Return the packs of the site by their paths, with the ids of the rules they bring here.

        A rule that the policy replaces or does not count is not among them.
        """
        brought: dict[str, set[str]] = {
            pack_path(self.positions, index, name): set()
            for index, name in enumerate(self.file.rules_packs)
            if name not in PACKS
        }
        plan = self.policies.plan
        live = {spec.id for spec in plan.patterns.patterns}
        live |= plan.rules.by_id.keys() if plan.rules else set()
        entries: tuple[tuple[str, int, RuleEntry | PatternEntry], ...] = (
            *(("patterns", index, each) for index, each in enumerate(self.file.patterns)),
            *(("rules", index, each) for index, each in enumerate(self.file.rules)),
        )
        for part, index, entry in entries:
            path = self.positions.path((part, index))
            if path in brought and entry.id in live:
                brought[path].add(entry.id)
        return {path: frozenset(ids) for path, ids in brought.items()}


def load_policies(source: Source, path: str | None = None) -> PolicySet:
    """Return the policies of a file, with what it extends.

    Args:
        source: Reads it, what it extends, the keys of its lists and the files of lists.
        path: Name of a preset, a file ending in .yaml or .yml, or a folder that is read at its
            `policy.yaml`; None: the preset `balanced`.

    Raises:
        ConfigErrors: Every mistake, in the order of the files.
    """
    return read_policy(source, path).policies


@without_collections()
def read_policy(source: Source, path: str | None = None) -> LoadedPolicy:
    """Return the policy file at `path`, as `load_policies` finds it, with its places.

    Raises:
        ConfigErrors: Every mistake, in the order of the files.
    """
    mistakes = Mistakes()
    chain = read_chain(source, policy_path(path or DEFAULT_PRESET), mistakes)
    left, policies = _assembled(source, chain, mistakes)
    shadows = _shadows(source, left, policies, mistakes) if left else []
    mistakes.refuse()
    assert left is not None and policies is not None  # noqa: S101, PT018 - else there was a mistake
    policies.plan = widened(policies.plan, shadows)
    return LoadedPolicy(left.file, Positions(left.root), policies)


def _assembled(
    source: Source, chain: Chain, mistakes: Mistakes
) -> tuple[Remains | None, PolicySet | None]:
    """Return what is left of the files, and their policies where nothing is wrong."""
    left = remains(chain.root) if chain.root else None
    if left is None:
        return None, None
    positions = Positions(left.root)
    keys = read_keys(source, left.file, positions, mistakes)
    lists, digest = read_lists(source, left.file, positions, mistakes)
    lost = [*chain.lost, *left.lost]
    if not chain.is_whole:
        # Whatever is not known may stand in what could not be read.
        mistakes.take(by_themselves([left.root, *lost], None, lists))
        return left, None
    symbols = load_symbols()
    if lost:
        promised, more = stand_ins(left, lost)
        symbols = {**symbols, **promised}
        lists = {**dict.fromkeys(more, ListBuilder().build()), **lists}
        known = symbols.keys() | declared_by(left)
        mistakes.take(by_themselves(lost, known, lists))
    others = Beside(load_list_catalogue(), keys, lists, digest, _of_any(left.file))
    policies: PolicySet | None = None
    with mistakes.taken():
        policies = assemble(left.file, positions, symbols, others)
    return left, policies


def _of_any(file: PolicyFile) -> frozenset[str]:
    """Return the symbols of the pack `any` where it was not chosen: the languages ask for some."""
    if "any" in file.rules_packs or not file.rules_packs:
        return frozenset()
    return frozenset(rule.id for _, _, rule in load_pack("any").rules())


def _shadows(
    source: Source, live: Remains, policies: PolicySet | None, mistakes: Mistakes
) -> list[Shadow]:
    """Return the policies that run beside the live one; shadows of theirs are none of ours."""
    shadows: list[Shadow] = []
    positions = Positions(live.root)
    for index, entry in enumerate(live.file.shadow):
        loc = ("shadow", index, "policy")
        path = entry.policy
        if path not in PRESETS:
            path = beside(positions.path(loc), path)
        if os.path.normpath(path) == os.path.normpath(positions.path(loc)):
            mistakes.take([positions.error(loc, "this is the live policy itself")])
            continue
        wrong = Mistakes()
        left, other = _assembled(source, read_chain(source, policy_path(path), wrong), wrong)
        mistakes.take(located(each, positions, loc) for each in wrong.errors())
        if left and any(each.name == left.file.name for each in shadows):
            what = f"another shadow is called {left.file.name}: nothing could tell them apart"
            mistakes.take([positions.error(loc, what)])
        elif left and other and policies:
            name, plan = left.file.name, policies.plan
            shadow = beside_live(name, path, other, plan, until=entry.until, ask=entry.ask)
            shadows.append(shadow)
    return shadows
