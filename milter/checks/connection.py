"""What the connection itself shows before any command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message


class ConnectionCheck:
    """Whether the client spoke before our greeting, as programs do that never read replies.

    RFC 5321 §4.3.1 has the client wait for the greeting. How long is the listener's
    `greeting_delay_s`; without it nobody can be early.
    """

    name = "connection"
    stage = Stage.CONNECT
    directions = STRANGERS
    symbols = frozenset({"EARLY_TALKER"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return EARLY_TALKER or nothing."""
        if not txn.connection.early_talker:
            return NOTHING
        return Evidence((Finding("EARLY_TALKER", "spoke before the greeting"),))
