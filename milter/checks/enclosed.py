"""What was found in documents and pictures that were opened, and which could not be.

Their words and links go the way of all words and links; here is told where they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.urls.link import Source
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message


class EnclosedCheck:
    """Files that were opened by the process for it."""

    name = "enclosed"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset({"ENCLOSED_CODE_LINK", "ENCLOSED_UNREAD"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is told of the first such file, or nothing."""
        if message is None or not message.enclosed:
            return NOTHING
        found = []
        url = next((url for url in message.links if url.source is Source.CODE and url.is_web), None)
        if url is not None:
            found.append(Finding("ENCLOSED_CODE_LINK", url.href[:120], {"host": url.host}))
        unread = next((file for file in message.enclosed if file.trouble), None)
        if unread is not None:
            what = f"{unread.name[:60]}: {unread.trouble}"
            found.append(Finding("ENCLOSED_UNREAD", what, {"file": unread.name[:60]}))
        return Evidence(tuple(found)) if found else NOTHING
