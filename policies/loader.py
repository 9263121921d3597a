"""The one reader of YAML configuration.

`load` reads a file into a model and reports every mistake at its line and column. It follows no
`extends` and knows no policy; `load_policies` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache, reduce
from importlib import resources
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import pydantic

from policies.assemble import Beside, assemble
from policies.document import parse_document
from policies.errors import ConfigError, ConfigErrors
from policies.extends import merge
from policies.list_catalogue import CatalogueFile, ListCatalogue, build_catalogue
from policies.lists import Kind, ListBuilder
from policies.mistakes import in_words, near
from policies.packs import KEY as RULES_PACKS
from policies.packs import PackFile, beneath, expanded
from policies.positions import Node, Positions, Value
from policies.schema import PolicyFile
from policies.shadow import Shadow, beside_live, widened
from policies.sources import MAX_FILE_BYTES, FileSource, Source
from policies.symbols import SymbolSpec, SymbolTable

if TYPE_CHECKING:
    from policies.compile import Plan
    from policies.lists import LocalList
    from policies.positions import Loc
    from policies.schema import PatternEntry
    from policies.schema_rules import RuleEntry
    from policies.select import PolicySet

__all__ = [
    "DEFAULT_PRESET", "MAX_FILE_BYTES", "PACKS", "PRESETS", "FileSource", "LoadedPolicy",
    "Source", "beside", "load", "load_document", "load_list_catalogue", "load_pack",
    "load_policies", "load_symbols", "read_node", "read_policy", "validate",
]  # fmt: skip

PRESETS: Final = frozenset({"monitor", "balanced", "strict"})
DEFAULT_PRESET: Final = "balanced"
# The shipped rule packs, `policies/rules`: one for each language, and one for those that read none.
PACKS: Final = ("any", "ar", "de", "en", "es", "fr", "hi", "ja", "pt", "ru", "zh")

M = TypeVar("M", bound=pydantic.BaseModel)

_PRESET: Final = "preset:"
_ENDINGS: Final = (".yaml", ".yml")
_MAX_CHAIN: Final = 10
# `addresses` are of people or of machines, which their form tells apart.
_LIST_KINDS: Final = {
    "domains": Kind.DOMAIN,
    "addresses": None,
    "networks": Kind.NETWORK,
    "hashes": Kind.HASH,
}
# Labels of a domain name (RFC 1035 §2.3.1); some lists hand out keys of more than one.
_KEY: Final = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,3}")


def read_node(source: Source, path: str) -> Node:
    """Return the document at `path` with its places.

    Raises:
        ConfigErrors: It cannot be read or is not YAML as `document` reads it.
    """
    try:
        data = source.read(path)
    except ConfigError as err:
        raise ConfigErrors([err]) from err
    return parse_document(data, path)


def load_document(source: Source, path: str) -> tuple[Value, Positions]:
    """Return the plain values at `path`, keys always text, and where they stand.

    Raises:
        ConfigErrors: It cannot be read or is not YAML as `document` reads it.
    """
    root = read_node(source, path)
    return root.value(), Positions(root)


def load(source: Source, path: str, model: type[M]) -> tuple[M, Positions]:
    """Return what stands at `path` as a `model`, and where it stands.

    Raises:
        ConfigErrors: Every mistake of the file, in its order.
    """
    root = read_node(source, path)
    return validate(root, model), Positions(root)


def validate(root: Node, model: type[M]) -> M:
    """Return `root` as a `model`.

    Types are taken strictly, as JSON has them: text is never made a number nor a truth value.

    Raises:
        ConfigErrors: Every mistake, in the order of the files.
    """
    try:
        return model.model_validate_json(json.dumps(root.value()), strict=True)
    except pydantic.ValidationError as err:
        raise ConfigErrors(in_words(err, Positions(root), model)) from err


def load_symbols() -> dict[str, SymbolSpec]:
    """Return the shipped table of symbols, by name."""
    root = read_node(_Shipped(), "symbols.yaml")
    return validate(root, SymbolTable).specs()


@lru_cache(maxsize=1)
def load_list_catalogue() -> ListCatalogue:
    """Return the shipped catalogue of DNS lists; read once, for it never changes."""
    root = read_node(_Shipped(), "dnslists.yaml")
    return build_catalogue(root, validate(root, CatalogueFile))


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
        """Return the ids of the rules or patterns that come from no pack, in their order.

        Those of packs are tried where the packs are.
        """
        packs = {
            _pack_path(self.positions, index, name)
            for index, name in enumerate(self.file.rules_packs)
        }
        entries: tuple[RuleEntry | PatternEntry, ...] = getattr(self.file, part)
        return tuple(
            entry.id
            for index, entry in enumerate(entries)
            if self.positions.path((part, index)) not in packs
        )


def _pack_path(positions: Positions, index: int, name: str) -> str:
    """Return the path of the pack that is named `index`th."""
    if name.endswith(_ENDINGS):
        return beside(positions.path((RULES_PACKS, index)), name)
    return f"rules/{name}.yaml"


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


def read_policy(source: Source, path: str | None = None) -> LoadedPolicy:
    """Return the policy file at `path`, as `load_policies` finds it, with its places.

    Raises:
        ConfigErrors: Every mistake, in the order of the files.
    """
    root = _with_what_it_extends(source, _policy_path(path or DEFAULT_PRESET))
    file, positions = validate(root, PolicyFile), Positions(root)
    policies = _assembled(source, file, positions)
    policies.plan = widened(policies.plan, _shadows(source, file, positions, policies.plan))
    return LoadedPolicy(file, positions, policies)


def _assembled(source: Source, file: PolicyFile, positions: Positions) -> PolicySet:
    mistakes: list[ConfigError] = []
    keys = _keys(source, file, positions, mistakes)
    lists, digest = _lists(source, file, positions, mistakes)
    if mistakes:
        raise ConfigErrors(mistakes)
    others = Beside(load_list_catalogue(), keys, lists, digest)
    return assemble(file, positions, load_symbols(), others)


def _shadows(source: Source, file: PolicyFile, positions: Positions, live: Plan) -> list[Shadow]:
    """Return the policies that run beside the live one; shadows of theirs are none of ours."""
    shadows: list[Shadow] = []
    for index, entry in enumerate(file.shadow):
        loc = ("shadow", index, "policy")
        path = entry.policy
        if path not in PRESETS:
            path = beside(positions.path(loc), path)
        if os.path.normpath(path) == os.path.normpath(positions.path(loc)):
            raise ConfigErrors([positions.error(loc, "this is the live policy itself")])
        root = _named(source, _policy_path(path), positions, loc)
        other = validate(root, PolicyFile).model_copy(update={"shadow": ()})
        policies = _assembled(source, other, Positions(root))
        shadows.append(beside_live(other.name, policies, live, entry.until, ask=entry.ask))
    return shadows


def _named(source: Source, path: str, positions: Positions, loc: Loc) -> Node:
    """Return the document at `path`, which `loc` names: that is where a missing one is told."""
    try:
        return _with_what_it_extends(source, path)
    except ConfigErrors as err:
        raise ConfigErrors([_at(each, positions, loc) for each in err.errors]) from err


def _at(error: ConfigError, positions: Positions, loc: Loc) -> ConfigError:
    """Return what is wrong with a file as a whole at the place that names the file."""
    return error if error.line else positions.error(loc, f"{error.path} {error.what}")


def _policy_path(path: str) -> str:
    if path in PRESETS:
        return f"{_PRESET}{path}"
    if path.endswith(_ENDINGS):
        return path
    return str(PurePath(path) / "policy.yaml")


def _with_what_it_extends(source: Source, path: str) -> Node:
    """Return the document at `path` merged over all that it extends."""
    chain: list[Node] = []
    mistakes: list[ConfigError] = []
    seen: list[str] = []
    following: str | None = path
    while following is not None:
        seen.append(os.path.normpath(following))
        try:
            root = _read_policy(source, following)
            chain.append(root)
            following = _extended(validate(root, PolicyFile), Positions(root), seen)
        except ConfigErrors as err:
            named = Positions(chain[-1]) if chain else None
            mistakes += [_at(each, named, ("extends",)) if named else each for each in err.errors]
            break
    if mistakes:
        raise ConfigErrors(mistakes)
    return _with_its_packs(source, reduce(merge, reversed(chain)))


def _with_its_packs(source: Source, root: Node) -> Node:
    """Return the policy `root` with the rules of the packs that it names put below its own."""
    positions = Positions(root)
    named = positions.node((RULES_PACKS,))
    if not isinstance(named.content, tuple):
        return root
    packs: list[Node] = []
    mistakes: list[ConfigError] = []
    for index, item in enumerate(named.content):
        loc, name = (RULES_PACKS, index), str(item.value())
        try:
            if name.endswith(_ENDINGS):
                packs.append(_pack(source, _pack_path(positions, index, name)))
            elif name in PACKS:
                packs.append(_shipped_pack(name))
            else:
                what = f"there is no pack `{name}`{near(name, PACKS)}; a file ends in .yaml"
                mistakes.append(positions.error(loc, what))
        except ConfigErrors as err:
            mistakes.extend(err.errors)
    if mistakes:
        raise ConfigErrors(mistakes)
    return beneath(root, packs)


def _pack(source: Source, path: str) -> Node:
    root = read_node(source, path)
    return expanded(root, validate(root, PackFile))


@lru_cache(maxsize=len(PACKS))
def _shipped_pack(name: str) -> Node:
    """Return a shipped pack as a part of a policy; read once, for it never changes."""
    return _pack(_Shipped(), f"rules/{name}.yaml")


def load_pack(name: str) -> PackFile:
    """Return the shipped pack `name`, one of `PACKS`, with the messages that it is tried on."""
    return validate(read_node(_Shipped(), f"rules/{name}.yaml"), PackFile)


def _read_policy(source: Source, path: str) -> Node:
    if path.startswith(_PRESET):
        root = read_node(_Shipped(), f"presets/{path.removeprefix(_PRESET)}.yaml")
    else:
        root = read_node(source, path)
    return load_list_catalogue().filled(root, Positions(root))


def _extended(file: PolicyFile, positions: Positions, seen: list[str]) -> str | None:
    """Return the path of what `file` extends, None when it extends nothing."""
    name = file.extends
    if name is None:
        return None
    loc = ("extends",)
    if name not in PRESETS and not name.endswith(_ENDINGS):
        what = f"there is no preset `{name}`{near(name, PRESETS)}; a file ends in .yaml"
        raise ConfigErrors([positions.error(loc, what)])
    path = f"{_PRESET}{name}" if name in PRESETS else beside(positions.path(loc), name)
    if os.path.normpath(path) in seen:
        raise ConfigErrors([positions.error(loc, "the files extend one another in a circle")])
    if len(seen) >= _MAX_CHAIN:
        raise ConfigErrors(
            [positions.error(loc, f"more than {_MAX_CHAIN} files extend one another")]
        )
    return path


def beside(path: str, named: str) -> str:
    """Return the path of a file that the file at `path` names."""
    return str(PurePath(path).parent / named)


def _keys(
    source: Source, file: PolicyFile, positions: Positions, mistakes: list[ConfigError]
) -> dict[int, str]:
    """Return the secret labels of the DNS lists that have one, by index."""
    keys: dict[int, str] = {}
    for index, entry in enumerate(file.dns_lists):
        if entry.key_file is None:
            continue
        loc = ("dns_lists", index, "key_file")
        path = beside(positions.path(loc), entry.key_file)
        try:
            keys[index] = _label(source.read(path))
        except ConfigError as err:
            mistakes.append(positions.error(loc, f"{path} {err.what}"))
    return keys


def _lists(
    source: Source, file: PolicyFile, positions: Positions, mistakes: list[ConfigError]
) -> tuple[dict[str, LocalList], str]:
    """Return the lists by name, and a digest of the files that they stand in."""
    lists: dict[str, LocalList] = {}
    digest = hashlib.blake2b(digest_size=8)
    for name, entry in file.lists.items():
        builder, loc = ListBuilder(), ("lists", name)
        for key, kind in _LIST_KINDS.items():
            for index, text in enumerate(getattr(entry, key)):
                try:
                    builder.add(text, kind)
                except ValueError as err:
                    mistakes.append(positions.error((*loc, key, index), str(err)))
        if entry.file is not None:
            path = beside(positions.path((*loc, "file")), entry.file)
            try:
                data = source.read(path)
                if len(data) > MAX_FILE_BYTES:
                    raise ConfigError(path, 0, 0, f"is larger than {MAX_FILE_BYTES >> 20} MB")  # noqa: TRY301 - told as what the source says is told
                digest.update(data)
                builder.add_file(data, path)
            except ConfigErrors as err:
                mistakes.extend(err.errors)
            except ConfigError as err:
                mistakes.append(positions.error((*loc, "file"), f"{path} {err.what}"))
        lists[name] = builder.build()
    return lists, digest.hexdigest()


def _label(data: bytes) -> str:
    """Return the key in a file; what is wrong with it is said without showing it."""
    text = data.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise ConfigError("", 0, 0, "does not hold one key of letters, digits and hyphens")
    return text


class _Shipped:
    """The YAML files inside this package."""

    def read(self, path: str) -> bytes:
        return resources.files("policies").joinpath(path).read_bytes()
