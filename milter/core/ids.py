"""Ids of connections and transactions.

An id is short enough to be read over the telephone: 12 characters of an alphabet without
look-alikes, 60 bits from the caller's source of randomness.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NewType

if TYPE_CHECKING:
    from collections.abc import Callable

SessionId = NewType("SessionId", str)
TxnId = NewType("TxnId", str)

# Crockford's base 32: no I, L, O or U. Each of the 256 bytes stands for one, each eight times.
_ALPHABET: Final = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ" * 8
_LENGTH: Final = 12
_READ: Final = str.maketrans("OIL", "011")
_ID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")


def new_id(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new id of 12 characters; `random_bytes(12)` supplies the chance."""
    return random_bytes(_LENGTH).translate(_ALPHABET).decode("ascii")


def read_id(text: str) -> str:
    """Return the id that a person copied or typed; empty where it can be none.

    Brackets come along from a reply; what looks alike is one, as the alphabet has it.

    >>> read_id("(7zz0aaaaaaol)")
    '7ZZ0AAAAAA01'
    """
    word = text.strip(" ()<>[].,").upper().translate(_READ)
    return word if _ID.fullmatch(word) else ""
