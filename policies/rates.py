"""Rates: how much of one kind may come from one origin in a time; what a policy declares of them.

Counting is done elsewhere; here are the values and the mistakes in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from policies.sections import Name, NonEmpty, Points, Section
from policies.shapes import Form
from policies.symbols import Kind, SymbolName, SymbolSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.errors import ConfigError
    from policies.positions import Positions

By = Literal[
    "client", "network", "sender", "sender_domain", "recipient", "recipient_domain", "account",
    "author_domain",
]  # fmt: skip
Of = Literal["messages", "recipients", "bytes"]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_WORDS: Final = "there was too much mail at once; please try again later"


class RateEntry(Section):
    """How much may come at once; more of it bears the symbol `id`, for rules and weights."""

    id: SymbolName = Field(description="The symbol of mail that is too much")
    by: Annotated[tuple[By, ...], Field(min_length=1, max_length=4)] = Field(
        description="What is counted apart: client (address), network (/24 or /64), sender, "
        "sender_domain, recipient, recipient_domain, account, author_domain (proven); several of "
        "them together. Mail that lacks one of them is not counted"
    )
    of: Of = Field(default="messages", description="What is counted: messages, recipients or bytes")
    limit: Annotated[int, Field(ge=1, le=10**15)] = Field(
        description="So much at once; it is there again after `per`"
    )
    per: Annotated[str, Form(_DURATION.pattern, "a time such as 30s, 10m, 1h or 1d")] = Field(
        description="How long an exhausted limit takes to be whole again, little by little"
    )
    weight: Points = Field(default=0, description="Points of the symbol")
    kind: Kind = Field(default="other", description="Kind of spam that it speaks for")
    group: Name | None = Field(default=None, description="Group whose cap and floor hold for it")
    describe: NonEmpty = Field(description="Words for the admin")


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, ready to be asked.

    Attributes:
        symbol: Of mail that is too much.
        by: What is counted apart.
        of: What is counted.
        limit: So much at once.
        per_s: Seconds after which an exhausted limit is whole again.
    """

    symbol: str
    by: tuple[By, ...]
    of: Of
    limit: float
    per_s: float


def declare_rates(
    entries: Iterable[RateEntry], taken: Iterable[str], positions: Positions
) -> tuple[dict[str, SymbolSpec], list[Rate], list[ConfigError]]:
    """Return the symbols of `entries`, the rates, and entries whose symbol is taken."""
    symbols: dict[str, SymbolSpec] = {}
    rates: list[Rate] = []
    mistakes: list[ConfigError] = []
    known = set(taken)
    for index, entry in enumerate(entries):
        if entry.id in known:
            what = f"the symbol {entry.id} exists already: choose another id"
            mistakes.append(positions.error(("rates", index, "id"), what))
            continue
        known.add(entry.id)
        symbols[entry.id] = _symbol(entry)
        rates.append(Rate(entry.id, entry.by, entry.of, float(entry.limit), seconds(entry.per)))
    return symbols, rates, mistakes


def seconds(text: str) -> float:
    """Return what a time such as `10m` is in seconds.

    >>> seconds("10m")
    600.0
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"no time: {text}")
    return float(int(found[1]) * _SECONDS[found[2]])


def _symbol(entry: RateEntry) -> SymbolSpec:
    return SymbolSpec(
        name=entry.id,
        words=_WORDS if entry.weight > 0 else "",
        describe=entry.describe,
        class_="source",
        kind=entry.kind if entry.weight > 0 else "",
        group=entry.group or "",
        weight=entry.weight,
        stage="message",
    )
