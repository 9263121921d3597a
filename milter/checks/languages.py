"""In which languages and scripts a message is written: a fact for rules, and no judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message


class LanguagesCheck:
    """The fact `languages`; runs only where a rule reads it."""

    name = "languages"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols: frozenset[str] = frozenset()

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return the languages of subject and texts."""
        if message is None:
            return NOTHING
        return Evidence(
            facts={
                "languages": [
                    {
                        "language": guess.language,
                        "script": guess.script,
                        "confidence": guess.confidence,
                    }
                    for guess in message.languages
                ]
            }
        )
