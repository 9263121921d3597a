"""What the classifier that learns says of a message, in words that policies weigh.

Its probability is calibrated, so the symbols say how sure it is. While it knows too little it says
so, and has no say.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final, Protocol

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.checks.classifier_fields import classifier_fields
from milter.core.transaction import Stage
from policies.findings import Finding
from reputation.classifier.explain import Read, heaviest
from reputation.classifier.features import domain_number, extract
from reputation.classifier.model import judge, judge_untaught

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from policies.facts import FactValue
    from reputation.classifier.model import Opinion, State

# From which probability a symbol is meant; of ham as far from 0.
SURE: Final = 0.99
_SPAM: Final = 0.9
_LIKELY: Final = 0.7
_UNSURE: Final = "CLASSIFIER_UNSURE"
_SPAM_SYMBOLS: Final = frozenset(
    {"CLASSIFIER_SPAM_SURE", "CLASSIFIER_SPAM", "CLASSIFIER_SPAM_LIKELY"}
)


class Weights(Protocol):
    """Where the weights are."""

    def state(self) -> State | None:
        """Return the weights as they are now; None where there are none."""
        ...


class ClassifierCheck:
    """What the classifier says of the message.

    Args:
        weights: Looked at for each message: they change while others learn.
    """

    name = "classifier"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *_SPAM_SYMBOLS,
            *("CLASSIFIER_HAM_SURE", "CLASSIFIER_HAM", _UNSURE, "CLASSIFIER_ERROR"),
        }
    )

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return one symbol, or nothing where the message could be either."""
        state = self._weights.state()
        if message is None:
            return NOTHING
        if state is None:
            return Evidence((Finding("CLASSIFIER_ERROR", "its weights cannot be read"),))
        untaught = judge_untaught(state)
        if untaught is not None:
            return _unsure(state, untaught)
        read = classifier_fields(message)
        features, domain = extract(*read), _domain_of(txn)
        opinion = judge(state, features, domain)
        symbol = _symbol(opinion)
        if symbol == _UNSURE:
            return _unsure(state, opinion)
        facts = _facts(opinion)
        if not symbol:
            return Evidence(facts=facts)
        said = f"{opinion.probability:.1%} spam, confidence {opinion.confidence:.2f}"
        spoken_for = symbol in _SPAM_SYMBOLS
        why = partial(heaviest, state, Read(*read, features), spam=spoken_for, domain=domain)
        # Once: the answer and the record tell the same, though the weights change meanwhile.
        return Evidence((Finding(symbol, said, reasons=cache(why)),), facts)


def _unsure(state: State, opinion: Opinion) -> Evidence:
    said = f"{state.ham} ham and {state.spam} spam learned so far"
    return Evidence((Finding(_UNSURE, said),), _facts(opinion))


def _facts(opinion: Opinion) -> dict[str, FactValue]:
    return {"classifier": {**opinion._asdict()}}


def _domain_of(txn: Transaction) -> int:
    """Return the number of the domain that all recipients have in common; 0: of none."""
    domains = {one.domain_key for one in txn.recipients}
    return domain_number(domains.pop()) if len(domains) == 1 else 0


def _symbol(opinion: Opinion) -> str:
    if opinion.unsure:
        return _UNSURE
    for bound, spam, ham in (
        (SURE, "CLASSIFIER_SPAM_SURE", "CLASSIFIER_HAM_SURE"),
        (_SPAM, "CLASSIFIER_SPAM", "CLASSIFIER_HAM"),
        (_LIKELY, "CLASSIFIER_SPAM_LIKELY", ""),
    ):
        if opinion.probability >= bound:
            return spam
        if opinion.probability <= 1 - bound:
            return ham
    return ""
