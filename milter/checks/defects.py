"""What could not be read of a message, or only by mending it.

Asks for everything that there is to read, so a policy that counts none of it does not pay for it.
It stands behind the other checks: what these read has been noted by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.guard import Fault
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message

_SYMBOLS: Final = {
    Fault.HEADER: "HEADER_MALFORMED",
    Fault.MIME: "MIME_MALFORMED",
    Fault.LIMIT: "MESSAGE_LIMIT",
    Fault.CHARSET: "CHARSET_UNDECODABLE",
}


class DefectsCheck:
    """Defects of the whole message, and the fact `truncated`."""

    name = "defects"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset(_SYMBOLS.values())

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return one finding for each kind of defect, with all that is wrong of that kind."""
        if message is None:
            return NOTHING
        message.read()
        said: dict[Fault, list[str]] = {}
        for defect in message.defects:
            said.setdefault(defect.fault, []).append(defect.what)
        findings = tuple(
            Finding(_SYMBOLS[fault], "; ".join(texts)) for fault, texts in said.items()
        )
        return Evidence(findings, {"truncated": [*message.truncated]})
