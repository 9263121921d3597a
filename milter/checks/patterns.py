"""The patterns of the policies, over the views of the message.

Compiling and matching is `policies.patterns`; this check hands it views, each worked out only when
some pattern looks at it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message, View
    from policies.patterns import PatternHit, PatternSet


class PatternsCheck:
    """Which patterns match; a pattern's id is its symbol.

    Args:
        patterns: Those of all policies.
    """

    name = "patterns"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION

    def __init__(self, patterns: PatternSet) -> None:
        self._patterns = patterns
        self.symbols = frozenset(spec.id for spec in patterns.patterns)

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return a finding for each pattern that matches, with the text that it matched."""
        if message is None:
            return NOTHING
        hits = self._patterns.match(partial(view_of, txn, message))
        if not hits:
            return NOTHING
        return Evidence(
            tuple(Finding(hit.id, f"{_place(hit, message)}: {hit.excerpt}") for hit in hits)
        )


def _place(hit: PatternHit, message: Message) -> str:
    """Return where a person finds what matched: two views hold the subject and all texts."""
    if hit.view == "skeleton":
        return "subject" if hit.start <= message.skeleton.find("\n") else "text"
    if hit.view == "folded":
        return "subject" if hit.start <= message.folded.find("\n") else "text"
    return hit.view


def view_of(txn: Transaction, message: Message, name: str) -> View:
    """Return the view of that name of a message and its envelope."""
    if name == "mail_from":
        return txn.mail_from.plain if txn.mail_from else ""
    if name == "helo":
        return txn.connection.helo_name
    if name == "client_name":
        return txn.connection.told_name or ""
    return message.view(name)
