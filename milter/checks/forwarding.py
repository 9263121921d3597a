"""Mail that our own relays passed on: whether they tell from whom it came.

Finding the client is the pipeline's business; a relay that does not tell leaves the mail without
SPF, without lists and without reverse DNS, and its admin should know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message


class ForwardingCheck:
    """Whether the client before our relays is known."""

    name = "forwarding"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset({"FORWARDED", "FORWARDED_CLIENT_UNKNOWN"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return which relays passed the mail on, or nothing."""
        connection = txn.connection
        if not connection.relays:
            return NOTHING
        relays = ", ".join(map(str, connection.relays))
        if connection.client_ip is None:
            return Evidence((Finding("FORWARDED_CLIENT_UNKNOWN", f"passed on by {relays}"),))
        client = str(connection.client_ip)
        evidence = f"{client} as {connection.helo_name or 'nobody'}, passed on by {relays}"
        return Evidence((Finding("FORWARDED", evidence, {"client_ip": client}),))
