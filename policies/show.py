"""Which policy holds for somebody, every value with the place where it was said.

The file's own values come first, then each override that applies, the strongest last. This module
reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policies.schema import Judging
from policies.select import judging_said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.loader import LoadedPolicy
    from policies.positions import Loc
    from policies.select import Context

SHIPPED: Final = "policies/symbols.yaml"
# Keys of the models whose names Python does not allow.
_ALIASES: Final = {"as_": "as"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One value that holds.

    Attributes:
        key: As a path: `thresholds.tag`.
        value: What holds.
        path: The file that says it; empty for a default of the language.
        line: The line there; 0 where the file says it as a whole.
        override: Name or number of the override that says it; empty for the file's own value.
    """

    key: str
    value: Any
    path: str = ""
    line: int = 0
    override: str = ""


def shown(loaded: LoadedPolicy, context: Context, recipient: str | None) -> list[Shown]:
    """Return every value that holds for mail to `recipient`, in the order of the language."""
    values = {one.key: one for one in _defaults()}
    values |= {one.key: one for one in _said(loaded, (), loaded.file, "")}
    for index in loaded.policies.applied(context, recipient):
        override = loaded.file.overrides[index]
        name = override.name or str(index + 1)
        values |= {one.key: one for one in _said(loaded, ("overrides", index), override, name)}
    policy = loaded.policies.select(context, recipient)
    weights = {
        f"weights.{symbol}": Shown(f"weights.{symbol}", weight, SHIPPED)
        for symbol, weight in policy.weights.items()
    }
    own = {one.key: one for one in _declared(loaded)}
    merged = {**weights, **{key: one for key, one in own.items() if key in weights}, **values}
    rules = [one for key, one in own.items() if key.startswith("rules.")]
    order = list(Judging.model_fields)
    rows = sorted(merged.values(), key=lambda one: order.index(one.key.partition(".")[0]))
    return [*rows, *rules]


def _defaults() -> Iterator[Shown]:
    for key, value in _leaves(Judging().model_dump(), ()):
        yield Shown(_dotted(key), value)


def _said(loaded: LoadedPolicy, loc: Loc, judging: Judging, override: str) -> Iterator[Shown]:
    for key, value in _leaves(judging_said(judging), ()):
        steps = [_ALIASES.get(step, step) for step in key]
        mark = loaded.positions.value_mark((*loc, *steps))
        yield Shown(_dotted(key), value, mark.file.path, mark.line, override)


def _declared(loaded: LoadedPolicy) -> Iterator[Shown]:
    """Yield the points and actions of what the file declares itself."""
    for index, pattern in enumerate(loaded.file.patterns):
        mark = loaded.positions.value_mark(("patterns", index))
        yield Shown(f"weights.{pattern.id}", pattern.weight, mark.file.path, mark.line)
    for index, rule in enumerate(loaded.file.rules):
        mark = loaded.positions.value_mark(("rules", index))
        if rule.weight is not None:
            yield Shown(f"weights.{rule.id}", rule.weight, mark.file.path, mark.line)
        does = rule.action or f"{rule.weight:g} points"
        yield Shown(f"rules.{rule.id}", does, mark.file.path, mark.line)
    for index, entry in enumerate(loaded.file.dns_lists):
        for key, answers in (("codes", entry.codes), ("bits", entry.bits)):
            for answer, listed in (answers or {}).items():
                mark = loaded.positions.value_mark(("dns_lists", index, key, str(answer)))
                yield Shown(f"weights.{listed.symbol}", listed.weight, mark.file.path, mark.line)


def _leaves(value: Any, loc: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*loc, str(key)))
    else:
        yield loc, value


def _dotted(key: tuple[str, ...]) -> str:
    return ".".join(_ALIASES.get(step, step) for step in key)
