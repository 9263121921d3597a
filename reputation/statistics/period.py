"""Periods of a report: a year, a quarter or a month, in whole days of UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

_PERIOD: Final = re.compile(r"(20[0-9]{2})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?")
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole days.

    Attributes:
        name: As it was asked for.
        first: Its first day, numbered since 1970.
        last: Its last day.
    """

    name: str
    first: int
    last: int


def parse_period(text: str) -> Period:
    """Return the period that `text` names.

    Raises:
        ValueError: It names none.

    >>> parse_period("2026-Q3").last - parse_period("2026-Q3").first + 1
    92
    """
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        raise ValueError("a period is a year, a quarter or a month: 2026, 2026-Q3 or 2026-09")
    year, quarter, month = int(found[1]), found[2], found[3]
    if quarter:
        first_month, months = 3 * int(quarter) - 2, 3
    elif month:
        first_month, months = int(month), 1
    else:
        first_month, months = 1, 12
    after = first_month + months
    end = date(year + (after > 12), (after - 1) % 12 + 1, 1)
    return Period(
        found[0],
        date(year, first_month, 1).toordinal() - _EPOCH,
        end.toordinal() - _EPOCH - 1,
    )
