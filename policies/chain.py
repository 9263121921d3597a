"""A policy with all that it is made of as one tree: files that it extends, packs that it names.

What is wrong with one of them does not keep the others from being read, so that all mistakes are
told at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from policies.errors import ConfigError, ConfigErrors, Mistakes
from policies.extends import merge
from policies.list_catalogue import CatalogueFile, ListCatalogue, build_catalogue
from policies.mistakes import near
from policies.packs import KEY as RULES_PACKS
from policies.packs import PackFile, beneath, expanded
from policies.positions import Node, Positions
from policies.reading import Shipped, read_node, root_of, validate
from policies.schema import PolicyFile

if TYPE_CHECKING:
    from policies.sources import Source

PRESETS: Final = frozenset({"monitor", "balanced", "strict"})
PRESET_PATHS: Final = frozenset(f"presets/{name}.yaml" for name in PRESETS)
# The shipped rule packs, `policies/rules`: one for each language, and one for those that read none.
PACKS: Final = ("any", "ar", "de", "en", "es", "fr", "hi", "it", "ja", "nl", "pt", "ru", "zh")

_PRESET: Final = "preset:"
_ENDINGS: Final = (".yaml", ".yml")
_EXTENDS: Final = ("extends",)
_MAX_CHAIN: Final = 10


@dataclass(slots=True)
class Chain:
    """What was read.

    Attributes:
        root: Everything merged; None: nothing could be read.
        is_whole: Whether every file was; else names may be unknown for that alone.
        lost: Parts that were read and could not be merged.
    """

    root: Node | None = None
    is_whole: bool = True
    lost: list[Node] = field(default_factory=list)


def policy_path(path: str) -> str:
    """Return where the policy that is named `path` is read: a preset, a file or a folder."""
    if path in PRESETS:
        return f"{_PRESET}{path}"
    if path.endswith(_ENDINGS):
        return path
    return str(PurePath(path) / "policy.yaml")


def beside(path: str, named: str) -> str:
    """Return the path of a file that the file at `path` names."""
    return str(PurePath(path).parent / named)


def pack_path(positions: Positions, index: int, name: str) -> str:
    """Return the path of the pack that is named `index`th in a policy."""
    if name.endswith(_ENDINGS):
        return beside(positions.path((RULES_PACKS, index)), name)
    return f"rules/{name}.yaml"


@lru_cache(maxsize=1)
def load_list_catalogue() -> ListCatalogue:
    """Return the shipped catalogue of DNS lists; read once, for it never changes."""
    root = read_node(Shipped(), "dnslists.yaml")
    return build_catalogue(root, validate(root, CatalogueFile))


def load_pack(name: str) -> PackFile:
    """Return the shipped pack `name`, one of `PACKS`, with the messages that it is tried on."""
    return validate(read_node(Shipped(), f"rules/{name}.yaml"), PackFile)


def read_chain(source: Source, path: str, mistakes: Mistakes) -> Chain:
    """Return the policy at `path`, as `policy_path` gives it, merged over all that it extends.

    What is wrong with the files, taken each by itself, goes to `mistakes`.
    """
    chain = Chain()
    roots: list[Node] = []
    seen: list[str] = []
    following: str | None = path
    while following is not None:
        seen.append(os.path.normpath(following))
        root = _read(source, following, roots, chain, mistakes)
        if root is None:
            chain.is_whole = False
            break
        roots.append(root)
        try:
            following = _extended(root, seen)
        except ConfigErrors as err:
            mistakes.take(err.errors)
            chain.is_whole, following = False, None
    if roots:
        chain.root = _with_its_packs(source, reduce(merge, reversed(roots)), chain, mistakes)
    return chain


def _read(
    source: Source, path: str, above: list[Node], chain: Chain, mistakes: Mistakes
) -> Node | None:
    """Return the document at `path`, with what it takes from the catalogue of lists."""
    wrong = Mistakes()
    inner = Shipped() if path.startswith(_PRESET) else source
    name = f"presets/{path.removeprefix(_PRESET)}.yaml" if path.startswith(_PRESET) else path
    root = root_of(inner, name, wrong)
    if root is not None:
        root, unknown, lost = load_list_catalogue().filled(root, Positions(root))
        chain.lost += lost
        wrong.take(unknown)
        with wrong.taken():
            validate(root, PolicyFile)
    if root is None and not above:
        wrong = _as_preset(path, wrong)
    named = Positions(above[-1]) if above else None
    mistakes.take(located(each, named, _EXTENDS) if named else each for each in wrong.errors())
    return root


def _as_preset(path: str, wrong: Mistakes) -> Mistakes:
    """Return what is wrong with the first file; one that is not there may be a preset misspelt."""
    close = near(PurePath(path).parent.name, PRESETS) if path.endswith("/policy.yaml") else ""
    if "did you mean" not in close:
        return wrong
    said = Mistakes()
    said.take(
        ConfigError(each.path, each.line, each.column, f"{each.what}{close}")
        for each in wrong.errors()
    )
    return said


def located(error: ConfigError, positions: Positions, loc: tuple[str | int, ...]) -> ConfigError:
    """Return what is wrong with a file as a whole at the place that names the file."""
    return error if error.line else positions.error(loc, f"{error.path} {error.what}")


def _extended(root: Node, seen: list[str]) -> str | None:
    """Return the path of what `root` extends, None when it extends nothing.

    Raises:
        ConfigErrors: There is no such thing, or no end of it.
    """
    positions = Positions(root)
    member = root.content.get("extends") if isinstance(root.content, Mapping) else None
    name = member.node.content if member else None
    if not isinstance(name, str):
        return None
    if name not in PRESETS and not name.endswith(_ENDINGS):
        what = f"there is no preset `{name}`, and a file ends in .yaml{near(name, PRESETS)}"
        raise ConfigErrors([positions.error(_EXTENDS, what)])
    path = f"{_PRESET}{name}" if name in PRESETS else beside(positions.path(_EXTENDS), name)
    if os.path.normpath(path) in seen:
        raise ConfigErrors([positions.error(_EXTENDS, "the files extend one another in a circle")])
    if len(seen) >= _MAX_CHAIN:
        what = f"more than {_MAX_CHAIN} files extend one another"
        raise ConfigErrors([positions.error(_EXTENDS, what)])
    return path


def _with_its_packs(source: Source, root: Node, chain: Chain, mistakes: Mistakes) -> Node:
    """Return the policy `root` with the rules of the packs that it names put below its own."""
    positions = Positions(root)
    named = positions.node((RULES_PACKS,))
    if not isinstance(named.content, tuple):
        return root
    packs: list[Node] = []
    for index, item in enumerate(named.content):
        loc, name = (RULES_PACKS, index), str(item.value())
        if name.endswith(_ENDINGS):
            wrong = Mistakes()
            pack = _own_pack(source, pack_path(positions, index, name), chain, wrong)
            mistakes.take(located(each, positions, loc) for each in wrong.errors())
        elif name in PACKS:
            pack = _shipped_pack(name)
        else:
            what = f"there is no pack `{name}`, and a file ends in .yaml{near(name, PACKS)}"
            mistakes.take([positions.error(loc, what)])
            pack, chain.is_whole = None, False
        packs += [pack] if pack else []
    return beneath(root, packs)


def _own_pack(source: Source, path: str, chain: Chain, wrong: Mistakes) -> Node | None:
    """Return the pack at `path` as a part of a policy; None where it has mistakes."""
    root = root_of(source, path, wrong)
    if root is None:
        chain.is_whole = False
        return None
    try:
        return expanded(root, validate(root, PackFile))
    except ConfigErrors as err:
        wrong.take(err.errors)
        chain.lost.append(root)
        return None


@lru_cache(maxsize=len(PACKS))
def _shipped_pack(name: str) -> Node:
    """Return a shipped pack as a part of a policy; read once, for it never changes."""
    root = read_node(Shipped(), f"rules/{name}.yaml")
    return expanded(root, validate(root, PackFile))
