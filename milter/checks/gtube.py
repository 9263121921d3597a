"""The test string that every filter counts as spam, so that people can see it at work.

GTUBE, the Generic Test for Unsolicited Bulk Email, has no RFC; it came with SpamAssassin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message

# In three pieces, so that this file passes through filters.
GTUBE: Final = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_BYTES: Final = GTUBE.encode()


class GtubeCheck:
    """Whether the test string stands in the body, as sent or decoded."""

    name = "gtube"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset({"GTUBE"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return GTUBE or nothing."""
        if message is None:
            return NOTHING
        if message.raw.find(_BYTES, message.body_start) >= 0:
            return Evidence((Finding("GTUBE", "in the body"),))
        if any(GTUBE in part.text for part in message.texts):
            return Evidence((Finding("GTUBE", "in a decoded text"),))
        if any(GTUBE in file.text for file in message.enclosed):
            return Evidence((Finding("GTUBE", "in a document"),))
        return NOTHING
