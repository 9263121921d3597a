"""What people write when they look for a message: times, and words that may mean several things."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from math import isfinite
from typing import TYPE_CHECKING, Final

from reputation.history.journal import Wanted
from reputation.subjects import plain_ip

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGO: Final = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# Before that (2001) nothing was kept: a smaller number is a time ago without its unit.
_OLDEST: Final = 1e9
_NEEDED: Final = "a time like 90m, 24h, 7d, 2027-01-31 or 2027-01-31T14:02:07 (UTC) is needed"


def parse_time(text: str, now: float) -> float:
    """Return a time in seconds since the epoch.

    >>> parse_time("2h", 10_000.0)
    2800.0

    Raises:
        ValueError: It is none; the words say what to write.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        at = float(text)
    except ValueError:
        at = _date(text)
    if not isfinite(at):
        raise ValueError(_NEEDED)
    if at < _OLDEST:
        raise ValueError(f"a unit is missing, as in {text}d for days: {_NEEDED}")
    return at


def _date(text: str) -> float:
    try:
        said = datetime.fromisoformat(text)
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as err:
        raise ValueError(_NEEDED) from err


def readings(word: str) -> Iterator[Wanted]:
    """Yield what `word` may mean: an id, a Message-ID, a queue id, somebody, an address, a client.

    Each is a search of its own; a message is meant where one of them finds it.
    """
    bare = word.strip()
    if not bare:
        return
    yield Wanted(txn_id=bare.upper())
    yield Wanted(message_id=bare)
    yield Wanted(queue_id=bare)
    with suppress(ValueError):
        yield Wanted(client_ip=str(ip_address(plain_ip(bare))))
    somebody = bare.removeprefix("@").strip("<>")
    yield Wanted(sender=somebody)
    yield Wanted(recipient=somebody)
