"""Date fields (RFC 5322 §3.3, with the obsolete forms of §4.3 that mail still has)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

_COMMENT: Final = re.compile(r"\([^()]*+\)")
_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3,9} ?,? ?)?(\d{1,2})[ -]([A-Za-z]{3})[ -](\d{2,4})"
    # Two digits each by the grammar; programs that leave out a zero are understood by everybody.
    r" (\d{1,2}):(\d{1,2})(?::(\d{1,2}))?"
    r" ?([+-]\d{4}|[A-Za-z]{1,5})"
)
_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
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
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The clocks of the world lie between these, on quarters of an hour.
_WEST_H, _EAST_H, _QUARTER_MIN = 12, 14, 15
_MAX_LENGTH: Final = 200
# Comments in comments (RFC 5322 §3.2.2): none are seen in mail, two deep in examples.
_MAX_NESTED: Final = 3


class Dated(NamedTuple):
    """A moment, as somebody wrote it.

    Attributes:
        moment: In UTC.
        impossible: What cannot be in it, in words; empty when nothing is. RFC 5322 §3.3: the day of
            the week must be that of the date; and no place on earth has a clock outside of -1200 to
            +1400, or off the quarters of an hour.
    """

    moment: datetime
    impossible: str = ""


def read_date(value: bytes) -> Dated | None:
    """Return what an unfolded Date tells; None when it names no moment."""
    match = _matched(value)
    moment = _moment(match) if match is not None else None
    return Dated(moment, _impossible(match)) if match is not None and moment is not None else None


def parse_date(value: bytes) -> datetime | None:
    """Return the moment that an unfolded Date names, in UTC; None when it names none."""
    match = _matched(value)
    return None if match is None else _moment(match)


def _impossible(match: re.Match[str]) -> str:
    """Return what cannot be in a date whose moment can be told."""
    day = date(_year(match[3]), _MONTHS[match[2].lower()], int(match[1]))
    named, real = match[0][:3].lower(), _WEEKDAYS[day.weekday()]
    if named in _WEEKDAYS and named != real:
        return f"{day} is a {real.title()}, not a {named.title()}"
    return "" if _is_zone(match[7]) else f"no place has the zone {match[7]}"


def _matched(value: bytes) -> re.Match[str] | None:
    text = value[:_MAX_LENGTH].decode("latin-1")
    # As most programs write it; else space and comments are made even first.
    match = _DATE.fullmatch(text)
    for _ in range(_MAX_NESTED):
        if match is not None:
            break
        text = _COMMENT.sub(" ", text)
        match = _DATE.fullmatch(" ".join(text.split()))
    return match if match is not None and match[2].lower() in _MONTHS else None


def _moment(match: re.Match[str]) -> datetime | None:
    month = _MONTHS[match[2].lower()]
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


def _is_zone(zone: str) -> bool:
    if zone[0] not in "+-":
        return True
    offset, most = _offset(zone), _EAST_H if zone[0] == "+" else _WEST_H
    return abs(offset) <= timedelta(hours=most) and int(zone[3:5]) % _QUARTER_MIN == 0


@lru_cache(maxsize=256)
def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(hours=_ZONES.get(zone.lower(), 0))
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    if minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset
