"""What DKIM says of a message whose signers' keys a test holds."""

from __future__ import annotations

import asyncio

from milter.auth.dkim import DkimResult, check_dkim
from milter.dns.fake import FakeResolver
from tests.support.dkim_signer import NAME, NOW


def check(message: bytes, records: object, *, now: int = NOW, limit: int = 10) -> list[DkimResult]:
    """Return the results; `records` is what the name of the key answers."""
    value = {"TXT": [records]} if isinstance(records, bytes) else records
    resolver = FakeResolver({NAME: value})
    return [*asyncio.run(check_dkim(message, resolver, limit=limit, now=now))]


def one(message: bytes, records: object, *, now: int = NOW) -> DkimResult:
    """Return the only result."""
    (outcome,) = check(message, records, now=now)
    return outcome
