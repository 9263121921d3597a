"""The narrow waist: what checks say, and all that policies know of a message.

A `Finding` is a symbol with its evidence; it carries no weight, for weights live in policies alone.
`Facts` are named values that a person may read or an expression may use (`policies.facts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from policies.facts import FACTS_BY_NAME, FactValue

# What costs so much to tell that nobody works it out before somebody reads it.
Reasons = Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence.

    Attributes:
        symbol: UPPER_SNAKE name, listed in `symbols.yaml` or declared by the policy.
        evidence: What was seen, for the admin: `127.0.0.2 from bl.example`. Never put in a reply.
        details: Values for the places in the symbol's words: `{"domain": "example.org"}`. They may
            reach the client, so they hold what the client knows already or may know.
        reasons: Why, where that is worked out only when it is read.
    """

    symbol: str
    evidence: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    reasons: Reasons | None = field(default=None, compare=False, repr=False)

    @property
    def told(self) -> str:
        """The evidence with its reasons: for whoever reads it, and not before."""
        return with_reasons(self.evidence, self.reasons)


def with_reasons(evidence: str, reasons: Reasons | None) -> str:
    """Return `evidence` and behind it `reasons`, which are worked out now."""
    return evidence if reasons is None else "; ".join((evidence, *reasons()))


class Facts(Mapping[str, FactValue]):
    """Facts by name. What nobody found is absent here and shown as the empty value of its type."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, FactValue] | None = None) -> None:
        values = dict(values or {})
        unknown = values.keys() - FACTS_BY_NAME.keys()
        if unknown:
            raise ValueError(f"not in the table of facts: {', '.join(sorted(unknown))}")
        self._values = values

    def __getitem__(self, name: str) -> FactValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def merged(self, other: Mapping[str, FactValue]) -> Facts:
        """Return these facts and `other`; where both name one, `other` holds."""
        merged = Facts(other)
        merged._values = {**self._values, **merged._values}
        return merged
