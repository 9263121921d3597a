"""What lint says of rules: those that can do nothing, those that do too much, and allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.expressions.language import holds
from policies.facts import FACTS_BY_NAME
from policies.lint_types import Level, Remark, at_value
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from policies.loader import LoadedPolicy
    from policies.rules import Rule, RuleSet
    from policies.schema_rules import RuleEntry

# What vouches for whom: the facts that say who somebody is, and what authenticates them.
_VOUCHED: Final = {"dmarc.aligned": "author_domain", "account": "account", "tls.client": "tls"}
_CLAIMED: Final = frozenset({"author_domain", "mail_from", "helo", "subject", "headers"})


def of_rules(loaded: LoadedPolicy, checks: Collection[str]) -> Iterator[Remark]:
    """Yield what there is to say of the rules; `checks` are the names of the checks there are."""
    rules = loaded.policies.plan.rules
    if rules is None:
        return
    seen: dict[str, RuleEntry] = {}
    read = frozenset().union(*(rule.condition.reading.symbols for rule in rules.by_id.values()))
    for index, entry in enumerate(loaded.file.rules):
        rule, loc = rules.by_id[entry.id], ("rules", index)
        if not entry.describe and not entry.reply:
            what = f"{entry.id} has no `describe`: nobody will know in a year what it is for"
            yield at_value(loaded, loc, Level.WARNING, "no-description", what)
        yield from _dead(loaded, index, entry, read)
        yield from _shadowed(loaded, index, entry, seen)
        yield from _empty_facts(loaded, index, rule, checks)
        yield from _constant(loaded, index, rule, rules)
        yield from _severe(loaded, index, rule)
        if rule.action is Action.PASS:
            yield from _allow(loaded, index, rule)


def _dead(
    loaded: LoadedPolicy, index: int, entry: RuleEntry, read: Collection[str]
) -> Iterator[Remark]:
    said = [loaded.file.weights, *(override.weights for override in loaded.file.overrides)]
    if entry.weight == 0 and entry.id not in read and not any(s.get(entry.id) for s in said):
        what = f"{entry.id} has no points and no rule reads it: it does nothing"
        yield at_value(loaded, ("rules", index, "weight"), Level.WARNING, "dead", what)


def _shadowed(
    loaded: LoadedPolicy, index: int, entry: RuleEntry, seen: dict[str, RuleEntry]
) -> Iterator[Remark]:
    """Find a rule that says the same as one above, so that only the severer of the two counts."""
    condition = " ".join(entry.when.split())
    twin = seen.setdefault(condition, entry)
    if twin is entry:
        return
    if entry.action is not None and twin.action is not None:
        what = f"{entry.id} has the condition of {twin.id}: only the severer action ever counts"
        yield at_value(loaded, ("rules", index, "when"), Level.WARNING, "shadowed", what)
    elif entry.weight is not None and twin.weight is not None:
        what = f"{entry.id} has the condition of {twin.id}: both count for one thing"
        yield at_value(loaded, ("rules", index, "when"), Level.WARNING, "shadowed", what)


def _empty_facts(
    loaded: LoadedPolicy, index: int, rule: Rule, checks: Collection[str]
) -> Iterator[Remark]:
    for fact in sorted(rule.condition.reading.facts):
        check = FACTS_BY_NAME[fact].check
        if check and check not in checks:
            what = f"nothing in this version finds out `{fact}`: it is always empty"
            yield at_value(loaded, ("rules", index, "when"), Level.WARNING, "empty-fact", what)


def _constant(loaded: LoadedPolicy, index: int, rule: Rule, rules: RuleSet) -> Iterator[Remark]:
    """Find conditions that hang on nothing, and refusals of mail of which nothing is known."""
    reading = rule.condition.reading
    loc = ("rules", index, "when")
    message = rules.message({}, reading.facts)
    result = holds(rule.condition.program, message)
    if not reading.facts:
        word = "true of every message" if result is True else "never true"
        yield at_value(loaded, loc, Level.WARNING, "constant", f"{rule.id} is {word}")
    elif result is True and rule.action is not None and rule.action >= Action.QUARANTINE:
        what = (
            f"{rule.id} is true where nothing is known at all, as when a check has failed: "
            f"it would {rule.action.word} every such message"
        )
        yield at_value(loaded, loc, Level.WARNING, "matches-everything", what)


def _severe(loaded: LoadedPolicy, index: int, rule: Rule) -> Iterator[Remark]:
    loc = ("rules", index, "action")
    if rule.action is Action.DISCARD:
        what = f"{rule.id} throws mail away, and neither sender nor recipient will know"
        yield at_value(loaded, loc, Level.WARNING, "discards", what)
    elif rule.action is Action.REJECT:
        what = f"{rule.id} alone refuses a message"
        yield at_value(loaded, loc, Level.NOTE, "rejects-alone", what)
        if _reads_temporary(loaded, rule):
            what = f"{rule.id} reads what could not be asked: it defers then and never rejects"
            yield at_value(loaded, loc, Level.WARNING, "rejects-uncertain", what)


def _reads_temporary(loaded: LoadedPolicy, rule: Rule) -> bool:
    """Whether the rule is true only where something could not be asked."""
    rules = loaded.policies.plan.rules
    reading = rule.condition.reading
    if '"temperror"' in rule.condition.text:
        return any(FACTS_BY_NAME[fact].unasked for fact in reading.facts)
    required = reading.required
    return rules is not None and required is not None and required <= rules.temporary


def _allow(loaded: LoadedPolicy, index: int, rule: Rule) -> Iterator[Remark]:
    loc = ("rules", index, "needs")
    reads = rule.condition.reading.facts
    if rule.needs == "nothing":
        claimed = sorted(reads & _CLAIMED)
        told = f" by {claimed[0]}, which anybody can write" if claimed else ""
        what = f"{rule.id} allows{told}, without anything that authenticates the sender"
        yield at_value(loaded, loc, Level.WARNING, "spoofable-allow", what)
    elif rule.needs == "tls.client":
        what = "no listener asks clients for a certificate in this version: this never allows"
        yield at_value(loaded, loc, Level.WARNING, "dead", what)
    elif _VOUCHED[rule.needs] not in rule_reads_itself(loaded, index):
        claimed = sorted(rule_reads_itself(loaded, index) & _CLAIMED)
        if claimed:
            what = (
                f"{rule.needs} vouches for {_VOUCHED[rule.needs]}, not for {claimed[0]}, "
                "which the sender can choose"
            )
            yield at_value(loaded, loc, Level.WARNING, "spoofable-allow", what)


def rule_reads_itself(loaded: LoadedPolicy, index: int) -> frozenset[str]:
    """Return the facts that the condition of a rule names, without those that it `needs`."""
    text = loaded.file.rules[index].when
    return frozenset(name for name in FACTS_BY_NAME if name in text)
