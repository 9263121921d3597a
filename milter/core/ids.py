"""Ids of connections and transactions.

An id is short enough to be read over the telephone: 12 characters of an alphabet without
look-alikes, 60 bits from the caller's source of randomness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NewType

if TYPE_CHECKING:
    from collections.abc import Callable

SessionId = NewType("SessionId", str)
TxnId = NewType("TxnId", str)

# Crockford's base 32: no I, L, O or U.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters for ten bits: an id is made for every message.
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id(getrandbits: Callable[[int], int]) -> str:
    """Return a new id of 12 characters; `getrandbits(60)` supplies the chance."""
    bits = getrandbits(60)
    return "".join([_PAIRS[(bits >> shift) & 1023] for shift in (50, 40, 30, 20, 10, 0)])
