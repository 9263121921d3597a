"""Date fields (RFC 5322 §3.3, with the obsolete forms of §4.3 that mail still has)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_COMMENT: Final = re.compile(r"\([^()]*+\)")
_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3,9} ?,? ?)?(\d{1,2})[ -]([A-Za-z]{3})[ -](\d{2,4})"
    r" (\d{1,2}):(\d{2})(?::(\d{2}))?"
    r" ?([+-]\d{4}|[A-Za-z]{1,5})"
)
_MONTHS: Final[tuple[str, ...]] = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
# RFC 5322 §4.3: other letters tell nothing and count as UTC.
_ZONES: Final = {
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}
_MAX_LENGTH: Final = 200


def parse_date(value: bytes) -> datetime | None:
    """Return the moment that an unfolded Date names, in UTC; None when it names none."""
    text = _COMMENT.sub(" ", value[:_MAX_LENGTH].decode("latin-1"))
    match = _DATE.fullmatch(" ".join(text.split()))
    if match is None or match[2].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(match[2].lower()) + 1
    second = int(match[6] or 0)
    try:
        # RFC 5322 §3.3 allows the leap second, which our calendar has not.
        local = datetime(
            _year(match[3]),
            month,
            int(match[1]),
            int(match[4]),
            int(match[5]),
            min(second, 59),
            tzinfo=UTC,
        )
        return local - _offset(match[7]) if second <= 60 else None
    except (ValueError, OverflowError):
        return None


def _year(digits: str) -> int:
    year = int(digits)
    # RFC 5322 §4.3: two digits from 00 to 49 are of this century, all else counts from 1900.
    if len(digits) == 4:
        return year
    return year + (2000 if len(digits) == 2 and year < 50 else 1900)


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(hours=_ZONES.get(zone.lower(), 0))
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    if minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset
