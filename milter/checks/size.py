"""How big a message is, and whether there is anything in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message

_SOMETHING: Final = re.compile(rb"\S")


class SizeCheck:
    """The fact `size_bytes`, and whether the body is empty, as when address lists are tried out."""

    name = "size"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset({"EMPTY_MESSAGE"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return the size, and EMPTY_MESSAGE for a body of nothing but space."""
        if message is None:
            return NOTHING
        facts = {"size_bytes": len(message.raw)}
        if _SOMETHING.search(message.raw, message.body_start):
            return Evidence((), facts)
        return Evidence((Finding("EMPTY_MESSAGE", "no text, no part"),), facts)
