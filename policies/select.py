"""Which policy holds for a message: the file's, changed by the overrides that match.

Precedence: recipient, recipient domain, account, sender, listener, direction. Among overrides whose
strongest key is the same, the one with more keys wins, then the later one in the file. An override
changes only what it says, key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policies.compile import Plan, Policy, build_policy, early_stages, effective_weights
from policies.domains import domain_key
from policies.mailboxes import plain_mailbox
from policies.schema import Judging, Match, Override
from policies.verdict import Action

if TYPE_CHECKING:
    from policies.symbols import SymbolSpec

_STRONGEST_FIRST: Final = (
    "recipient",
    "recipient_domain",
    "account",
    "sender",
    "listener",
    "direction",
)
# Globs are in the spelling of what they are compared with.
_PLAIN: Final[Mapping[str, Callable[[str], str]]] = {
    "recipient": plain_mailbox,
    "recipient_domain": domain_key,
    "sender": plain_mailbox,
}
# Overrides can combine in more ways than a process should remember.
_MAX_CACHED: Final = 1024
_JUDGING: Final = frozenset(Judging.model_fields)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known before the recipients.

    Attributes:
        listener: Name of the listener.
        direction: inbound, outbound or internal.
        mail_from: The reverse path; empty for the null one, None before MAIL.
        account: Login of an authenticated client; empty when there is none.
    """

    listener: str
    direction: str
    mail_from: str | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Condition:
    """One key of an override's `match`: globs, one of which must fit."""

    key: str
    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Override:
    """One override, ready to be matched and merged; `index` is its place in the file."""

    index: int
    name: str
    changes: Mapping[str, Any]
    conditions: tuple[_Condition, ...]


class PolicySet:
    """The policies of one file: one for each way in which its overrides combine.

    Attributes:
        plan: What they need to know, together.
        version: Of the files they came from.
        only: The one policy there is where no override is; else None.
        early: The stages, `greeting`, `connect` and `rcpt`, at which one of them may refuse.
        slows: Whether one of them may slow a client down.
    """

    __slots__ = (
        "_base",
        "_cache",
        "_defaults",
        "_lenient",
        "_name",
        "_overrides",
        "_rules",
        "_table",
        "early",
        "only",
        "plan",
        "slows",
        "version",
    )

    def __init__(
        self,
        *,
        name: str,
        base: Judging,
        overrides: Sequence[Override],
        table: Mapping[str, SymbolSpec],
        default_weights: Sequence[str],
        plan: Plan,
        version: str,
    ) -> None:
        self.plan = plan
        self.version = version
        self._name = name
        self._base = judging_said(base)
        self._table = table
        self._defaults = tuple(default_weights)
        self._rules = plan.rules
        self._overrides = _in_order(overrides)
        self._cache: dict[tuple[int, ...], Policy] = {}
        self._lenient: dict[tuple[int, ...], Policy] = {}
        self.only: Policy | None = None if self._overrides else self._policy(())
        variants = [self._base, *(override.changes for override in self._overrides)]
        self.slows = any(said.get("slow", {}).get("connect") for said in variants)
        self.early: frozenset[str] = _early(variants)
        if plan.rules is not None:
            self.early |= early_stages(plan.rules.by_id.values())

    def select(self, context: Context, recipient: str | None) -> Policy:
        """Return the policy for one recipient; for None that of one whom no override names."""
        if self.only is not None:
            return self.only
        known = {**_known(context), **_known_of(recipient)}
        return self._policy(
            tuple(i for i, each in enumerate(self._overrides) if _fits(each.conditions, known))
        )

    def applied(self, context: Context, recipient: str | None) -> list[int]:
        """Return the overrides that hold for one recipient, by index, the strongest last."""
        known = {**_known(context), **_known_of(recipient)}
        return [each.index for each in self._overrides if _fits(each.conditions, known)]

    def common(self, context: Context) -> tuple[Policy, ...]:
        """Return policies that bound what any recipient can get under `context`.

        The first is that of a recipient whom no override names; a refusal uses its words. Where
        overrides name recipients, or the sender before MAIL, a second one is as lenient as all of
        them could be together. What both refuse is refused for every recipient; what one lets
        through has to wait until more is known.
        """
        known = _known(context)
        possible = tuple(
            i for i, each in enumerate(self._overrides) if _may_fit(each.conditions, known)
        )
        certain = tuple(i for i in possible if _fits(self._overrides[i].conditions, known))
        if certain == possible:
            return (self._policy(certain),)
        return (self._policy(certain), self._most_lenient(possible))

    def all_single(self) -> list[Policy]:
        """Return the policy without overrides and that of each override alone."""
        return [self._policy(()), *(self._policy((i,)) for i in range(len(self._overrides)))]

    def _policy(self, applied: tuple[int, ...]) -> Policy:
        policy = self._cache.get(applied)
        if policy is None:
            said = self._base
            for index in applied:
                said = merged(said, self._overrides[index].changes)
            name = "+".join([self._name, *(self._overrides[i].name for i in applied)])
            policy = self._built(name, said)
            _remember(self._cache, applied, policy)
        return policy

    def _most_lenient(self, fitting: tuple[int, ...]) -> Policy:
        policy = self._lenient.get(fitting)
        if policy is None:
            policy = self._built(self._name, self._lenient_said(fitting))
            _remember(self._lenient, fitting, policy)
        return policy

    def _lenient_said(self, fitting: tuple[int, ...]) -> dict[str, Any]:
        """Take the lowest of each weight, cap and floor and the highest of each threshold.

        The score grows with each weight, cap and floor, so no combination of the overrides gives
        less, whichever recipients there are.
        """
        variants = [self._base, *(self._overrides[i].changes for i in fitting)]
        said = self._base
        for changes in variants[1:]:
            said = merged(said, changes)
        every_weight = {s for v in variants for s in v.get("weights", {})}
        weights = {
            symbol: min(w for v in variants if (w := self._weight(v, symbol)) is not None)
            for symbol in every_weight
        }
        weights |= {allow: 1.0 for allow in self._allows() if any(map(_allowed(allow), variants))}
        lenient = {
            "weights": weights,
            "thresholds": _most(variants, "thresholds"),
            "early": _most(variants, "early"),
            "groups": _least_groups(variants),
        }
        return {**said, **lenient}

    def _allows(self) -> list[str]:
        rules = self._rules.by_id.values() if self._rules else ()
        return [rule.id for rule in rules if rule.action is Action.PASS]

    def _weight(self, said: Mapping[str, Any], symbol: str) -> float | None:
        weight: float | None = said.get("weights", {}).get(symbol)
        if weight is None and said is self._base:
            return self._table[symbol].weight if symbol in self._defaults else 0.0
        return weight

    def _built(self, name: str, said: Mapping[str, Any]) -> Policy:
        judging = Judging.model_validate(said)
        return build_policy(
            name, judging, self._table, default_weights=self._defaults, rules=self._rules
        )


def judging_said(judging: Judging) -> dict[str, Any]:
    """Return what was said of the keys that policies and overrides share, and nothing else."""
    return judging.model_dump(include=set(_JUDGING), exclude_unset=True)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` over it, mappings key by key."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def counted_symbols(
    base: Judging,
    overrides: Sequence[Override],
    table: Mapping[str, SymbolSpec],
    default_weights: Sequence[str],
) -> frozenset[str]:
    """Return every symbol that some combination of overrides counts."""
    counted = set(effective_weights(base, table, default_weights))
    for override in overrides:
        counted.update(symbol for symbol, weight in override.weights.items() if weight)
    return frozenset(counted)


def glob_matches(glob: str, text: str) -> bool:
    """Whether `text` fits `glob`, in which `*` stands for any text; letters fit in either case.

    Linear in the text: each part is looked for once, from where the one before it ended.
    """
    first, *parts = glob.lower().split("*")
    text = text.lower()
    if not parts:
        return text == first
    if not text.startswith(first):
        return False
    position = len(first)
    for part in parts[:-1]:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return len(text) - len(parts[-1]) >= position and text.endswith(parts[-1])


def _in_order(overrides: Sequence[Override]) -> tuple[_Override, ...]:
    """Return the overrides in the order in which they are applied: the strongest last."""
    keyed = []
    for number, override in enumerate(overrides, 1):
        conditions = _conditions(override.match)
        rank = min(_STRONGEST_FIRST.index(condition.key) for condition in conditions)
        ready = _Override(
            number - 1,
            override.name or str(number),
            judging_said(override),
            conditions,
        )
        keyed.append(((-rank, len(conditions), number), ready))
    return tuple(ready for _, ready in sorted(keyed, key=lambda pair: pair[0]))


def _conditions(match: Match) -> tuple[_Condition, ...]:
    return tuple(
        _Condition(key, _globs(key, (said,) if isinstance(said, str) else said))
        for key, said in match.model_dump(exclude_none=True).items()
    )


def _globs(key: str, said: Sequence[str]) -> tuple[str, ...]:
    plain = _PLAIN.get(key)
    return tuple(said) if plain is None else tuple([plain(glob) for glob in said])


def _known(context: Context) -> dict[str, str]:
    known = {
        "account": context.account,
        "listener": context.listener,
        "direction": context.direction,
    }
    if context.mail_from is not None:
        known["sender"] = plain_mailbox(context.mail_from) or "<>"
    return known


def _known_of(recipient: str | None) -> dict[str, str]:
    if recipient is None:
        return {}
    plain = plain_mailbox(recipient)
    _, at, domain = plain.rpartition("@")
    return {"recipient": plain, "recipient_domain": domain if at else ""}


def _fits(conditions: Sequence[_Condition], known: Mapping[str, str]) -> bool:
    return all(_fits_one(condition, known.get(condition.key, "")) for condition in conditions)


def _may_fit(conditions: Sequence[_Condition], known: Mapping[str, str]) -> bool:
    """Whether the conditions fit, or can still come to, when the rest is known."""
    return _fits([condition for condition in conditions if condition.key in known], known)


def _fits_one(condition: _Condition, value: str) -> bool:
    return bool(value) and any(glob_matches(glob, value) for glob in condition.globs)


def _early(variants: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the stages at which some policy may refuse by score.

    A threshold holds at later stages too (`evaluate.until`), so an earlier one makes it one.
    """
    limited = {
        stage
        for said in variants
        for stage, least in said.get("early", {}).items()
        if least is not None
    }
    stages = ("greeting", "connect", "rcpt")
    return frozenset(stages[min(map(stages.index, limited)) :]) if limited else frozenset()


def _most(variants: Sequence[Mapping[str, Any]], key: str) -> dict[str, float | None]:
    """Return the highest of each threshold; None, which is never reached, is the highest of all."""
    said = [variant.get(key, {}) for variant in variants]
    highest: dict[str, float | None] = {}
    for name in said[0]:
        values = [values[name] for values in said if name in values]
        highest[name] = None if None in values else max(values)
    return highest


def _least_groups(variants: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return the lowest cap and floor of each group; no floor is the lowest, no cap the highest."""
    base, *changes = [variant.get("groups", {}) for variant in variants]
    least: dict[str, dict[str, float | None]] = {}
    for group in {name for groups in (base, *changes) for name in groups}:
        said = [groups[group] for groups in changes if group in groups]
        known = base.get(group, {})
        caps = [bounds.get("cap") for bounds in (known, *said)]
        floors = [known.get("floor"), *(bounds["floor"] for bounds in said if "floor" in bounds)]
        least[group] = {
            "cap": min((cap for cap in caps if cap is not None), default=None),
            "floor": None if None in floors else min(floors),
        }
    return least


def _allowed(rule: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return whether a variant leaves the allow `rule` on, or switches it on."""
    return lambda said: bool(said.get("weights", {}).get(rule, 1))


def _remember(cache: dict[tuple[int, ...], Policy], key: tuple[int, ...], policy: Policy) -> None:
    if len(cache) >= _MAX_CACHED:
        cache.clear()
    cache[key] = policy
