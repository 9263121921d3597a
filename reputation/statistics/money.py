"""What was spent on mail and filtering, and what filtering saved; each with its formula.

An estimate of the site's own: the prices are its settings. A message that was deferred is not taken
for one that was kept away, for it may have come again.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reputation.statistics.figures import Figures

_GIGABYTE: Final = 1e9
_HOUR_S: Final = 3600
_MONTH_S: Final = 365.25 / 12 * 86_400
_KEPT_AWAY: Final = ("quarantine", "reject", "discard")


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in one currency; the settings `statistics.costs` say what each is."""

    currency: str = "EUR"
    gigabyte: float = 0.0
    cpu_hour: float = 0.0
    admin_hour: float = 0.0
    admin_hours_a_month: float = 0.0
    user_hour: float = 0.0
    spam_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """One sum.

    Attributes:
        name: cpu, traffic, admin, traffic_saved or users.
        amount: In the currency, not rounded.
        formula: How it comes about, with its numbers.
    """

    name: str
    amount: float
    formula: str


@dataclass(frozen=True, slots=True)
class Money:
    """All sums of a span of time."""

    currency: str
    spent: tuple[Item, ...]
    saved: tuple[Item, ...]

    @property
    def spent_total(self) -> float:
        """Sum of what was spent."""
        return sum(item.amount for item in self.spent)

    @property
    def saved_total(self) -> float:
        """Sum of what was saved."""
        return sum(item.amount for item in self.saved)


def money(figures: Figures, prices: Prices) -> Money:
    """Return what the mail of `figures` cost and what filtering it saved."""
    gigabytes = figures.total.bytes / _GIGABYTE
    saved_gigabytes = figures.total.saved / _GIGABYTE
    cpu_hours = figures.cpu_s / _HOUR_S
    months = (figures.until - figures.since) / _MONTH_S
    admin_hours = prices.admin_hours_a_month * months
    kept_away = sum(figures.of("action", action).messages for action in _KEPT_AWAY)
    user_hours = kept_away * prices.spam_minutes / 60
    return Money(
        prices.currency,
        spent=(
            _item("cpu", cpu_hours, "hours of CPU", prices.cpu_hour),
            _item("traffic", gigabytes, "GB received", prices.gigabyte),
            _item("admin", admin_hours, "hours of the admin", prices.admin_hour),
        ),
        saved=(
            _item("traffic_saved", saved_gigabytes, "GB never sent", prices.gigabyte),
            Item(
                "users",
                user_hours * prices.user_hour,
                f"{kept_away} messages kept away x {_plain(f'{prices.spam_minutes:g}')} minutes"
                f" / 60 x {_plain(f'{prices.user_hour:g}')}",
            ),
        ),
    )


def _item(name: str, units: float, words: str, price: float) -> Item:
    formula = f"{_plain(f'{units:.4g}')} {words} x {_plain(f'{price:g}')}"
    return Item(name, units * price, formula)


def _plain(number: str) -> str:
    """Return a number without exponent, as people write it.

    >>> _plain("7.884e-05"), _plain("1.235e+04"), _plain("0.5")
    ('0.00007884', '12350', '0.5')
    """
    return f"{Decimal(number):f}"
