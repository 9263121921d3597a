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


def new_id(getrandbits: Callable[[int], int]) -> str:
    """Return a new id of 12 characters; `getrandbits(60)` supplies the chance."""
    bits = getrandbits(60)
    return "".join([_ALPHABET[(bits >> shift) & 31] for shift in range(55, -1, -5)])
