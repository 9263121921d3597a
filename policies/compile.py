"""Policies made ready: from the models of a file to what is applied to messages.

`Policy` is what one recipient's mail is judged by; `Plan` is the union of what all policies of a
file need to know. Everything that can be known to be wrong is found here, before any mail is
judged. This module reads no file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policies.dnslists import ERROR, UNKNOWN, DnsList, Listed, NoListing
from policies.replies import parse_reply
from policies.verdict import Action, Contribution, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policies.patterns import PatternSet
    from policies.rates import Rate
    from policies.rules import Rule, RuleSet
    from policies.schema import Judging
    from policies.shadow import Shadow
    from policies.symbols import SymbolSpec

__all__ = [
    "ERROR",
    "UNKNOWN",
    "Bounds",
    "DnsList",
    "Listed",
    "NoListing",
    "Plan",
    "Policy",
    "build_policy",
]

_SCORED: Final = (Action.REJECT, Action.DEFER, Action.QUARANTINE, Action.TAG)


class Bounds(NamedTuple):
    """Cap and floor of a group; None where there is none."""

    cap: float | None
    floor: float | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What one recipient's mail is judged by.

    Attributes:
        name: As written, with the overrides that apply: `example+sales`.
        thresholds: Score from which each action is taken, the most severe first.
        early: Score that refuses before the end of data, by `greeting`, `connect` and `rcpt`.
        slow: Score at connect from which a client is slowed down, and by how many seconds; None:
            nobody is.
        weights: Points of each symbol that counts; never 0.
        symbols: What is known of each of them.
        groups: Bounds by name of group.
        subject_prefix: Text put before Subject of a tagged message, or None.
        force_subject: Whether that is done even where a valid signature covers Subject.
        redirect_to: Where quarantined messages go instead, or None.
        defer: The reply that defers.
        headers: Whether results are written into the header.
        explained: Whether the explanation of the verdict is, too.
        rules: Rules over symbols and facts; None where there are none.
        off: Rules with an action that are switched off.
        early_rules: Stages, `connect` and `rcpt`, at which some rule may refuse by itself.
        refusal_key: Equal for two policies of one file exactly when all that can lead to defer,
            reject or discard is equal.
        marks_key: Equal when everything that shows on a message is equal as well.
        plain: What symbols add that were found without any evidence; filled as they are found.
    """

    name: str
    thresholds: Mapping[Action, float]
    early: Mapping[str, float]
    slow: tuple[float, float] | None
    weights: Mapping[str, float]
    symbols: Mapping[str, SymbolSpec]
    groups: Mapping[str, Bounds]
    subject_prefix: str | None
    force_subject: bool
    redirect_to: str | None
    defer: Refusal
    headers: bool
    explained: bool
    rules: RuleSet | None
    off: frozenset[str]
    early_rules: frozenset[str]
    refusal_key: str
    marks_key: str
    plain: dict[str, Contribution] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def __hash__(self) -> int:
        """Return the hash of what is equal in equal policies."""
        return hash(self.marks_key)

    @property
    def required(self) -> float:
        """The lowest threshold; 0 when no score leads to anything."""
        return min(self.thresholds.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the policies of a file need to know, together.

    Attributes:
        symbols: Every symbol that some policy counts or some rule reads.
        dns_lists: The lists that yield one of them.
        patterns: The patterns that yield one of them.
        facts: Every fact that some rule reads.
        rules: The rules over all that; None where there are none.
        rates: The rates that yield one of the symbols.
        shadows: Policies that run beside them; what they need to know is among the above.
        ranked: The symbols, those first that metrics name where they cannot name all: what checks,
            lists, rates and rules find, then patterns by their points.
    """

    symbols: frozenset[str]
    dns_lists: tuple[DnsList, ...]
    patterns: PatternSet
    facts: frozenset[str] = frozenset()
    rules: RuleSet | None = None
    rates: tuple[Rate, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    ranked: tuple[str, ...] = ()


def build_policy(
    name: str,
    judging: Judging,
    table: Mapping[str, SymbolSpec],
    default_weights: Sequence[str],
    rules: RuleSet | None = None,
) -> Policy:
    """Return the policy that `judging`, overrides merged in, describes.

    Args:
        name: With the overrides: `example+sales`.
        judging: What was said.
        table: Every symbol there is.
        default_weights: Symbols that have the weight of the table where `judging` gives none.
        rules: Over symbols and facts; all policies of a file share them.
    """
    active, acting, off = _switches(judging, rules)
    weights = effective_weights(judging, table, default_weights, leave_out=acting)
    groups = _groups(judging, [table[symbol] for symbol in weights])
    thresholds, early = _thresholds(judging), judging.early.model_dump(exclude_none=True)
    refusal_key = _key(_refusing(judging, thresholds, [early, weights, groups], active))
    return Policy(
        name=name,
        thresholds=thresholds,
        early=early,
        slow=_slow(judging),
        weights=weights,
        symbols={symbol: table[symbol] for symbol in weights},
        groups=groups,
        **_marking(judging),
        rules=rules,
        off=off,
        early_rules=early_stages(active),
        refusal_key=refusal_key,
        marks_key=_key([refusal_key, judging.model_dump(mode="json"), weights, sorted(off)]),
    )


def _marking(judging: Judging) -> dict[str, Any]:
    """Return the fields of a policy that say what becomes of mail that is marked or put off."""
    actions = judging.actions
    return {
        "subject_prefix": actions.tag.subject_prefix,
        "force_subject": actions.tag.force,
        "redirect_to": _redirect_to(judging),
        "defer": parse_reply(actions.defer.reply),
        "headers": judging.headers != "none",
        "explained": judging.headers == "explained",
    }


def _switches(
    judging: Judging, rules: RuleSet | None
) -> tuple[list[Rule], frozenset[str], frozenset[str]]:
    """Return the rules that are not off; the names of those with an action; those that are off."""
    every = tuple(rules.by_id.values()) if rules else ()
    acting = frozenset(rule.id for rule in every if rule.action is not None)
    off = frozenset(name for name in acting if judging.weights.get(name) == 0)
    return [rule for rule in every if rule.id not in off], acting, off


def _groups(judging: Judging, symbols: Iterable[SymbolSpec]) -> dict[str, Bounds]:
    """Return the bounds of the groups that `symbols` are in."""
    used = {spec.group for spec in symbols}
    groups = sorted(judging.groups.items())
    return {name: Bounds(said.cap, said.floor) for name, said in groups if name in used}


def _slow(judging: Judging) -> tuple[float, float] | None:
    return (judging.slow.connect, judging.slow.seconds) if judging.slow.connect else None


def _redirect_to(judging: Judging) -> str | None:
    quarantine = judging.actions.quarantine
    return quarantine.to if quarantine.as_ == "redirect" else None


def effective_weights(
    judging: Judging,
    table: Mapping[str, SymbolSpec],
    default_weights: Sequence[str],
    *,
    leave_out: Collection[str] = (),
) -> dict[str, float]:
    """Return the weight of each symbol that counts, by name, but for those in `leave_out`."""
    weights = {symbol: table[symbol].weight for symbol in default_weights}
    weights.update(judging.weights)
    counting = sorted(weights.items())
    return {symbol: weight for symbol, weight in counting if weight and symbol not in leave_out}


def _thresholds(judging: Judging) -> dict[Action, float]:
    said = judging.thresholds.model_dump(exclude_none=True)
    return {action: said[action.word] for action in _SCORED if action.word in said}


def early_stages(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the stages, `connect` and `rcpt`, at which one of `rules` may refuse by itself.

    What could be refused at connect can be refused at RCPT as well, where more is known of it.
    """
    stages = {rule.stage for rule in rules if rule.early}
    if not stages:
        return frozenset()
    return frozenset({"rcpt"} if stages == {"rcpt"} else {"connect", "rcpt"})


def _refusing(
    judging: Judging,
    thresholds: Mapping[Action, float],
    scored: Sequence[object],
    rules: Sequence[Rule],
) -> object:
    """Return all that can lead to a refusal; the same for all policies in which nothing can.

    Args:
        judging: What was said.
        thresholds: Score from which each action is taken.
        scored: What the score depends on, the early thresholds first.
        rules: Those that are not switched off.
    """
    refusing = {action.word: score for action, score in thresholds.items() if action.refuses}
    by_rule = [rule for rule in rules if rule.action is not None and rule.action.refuses]
    by_score = refusing or scored[0] or any(rule.last for rule in by_rule)
    if not by_score and not by_rule:
        return None
    allows = sorted(rule.id for rule in rules if rule.action is Action.PASS)
    names = sorted(rule.id for rule in by_rule)
    return [[refusing, scored, allows] if by_score else None, names, judging.actions.defer.reply]


def _key(content: object) -> str:
    written = json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(written, digest_size=16).hexdigest()
