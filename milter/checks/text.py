"""Words hidden from filters and not from people: cut by unseen marks, or in foreign letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.text.fold import disguise
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message

# A stray mark is left behind by editors; in the few words of a header none is.
_LEAST_IN_BODY: Final = 3
_SHOWN: Final = 60


class TextCheck:
    """Disguised words in subject, author's name and texts."""

    name = "text"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset({"TEXT_CUT_WORDS", "TEXT_MIXED_SCRIPTS", "TEXT_DIRECTION_FORCED"})

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return each kind of disguise once, with the place where it was seen first."""
        if message is None:
            return NOTHING
        seen: dict[str, Finding] = {}
        names = " ".join(address.display_name for address in message.authors.addresses[:5])
        places = (
            ("subject", message.subject, 1),
            ("author", names, 1),
            ("body", message.body, _LEAST_IN_BODY),
        )
        for place, text, least in places:
            for finding in _disguises(place, text, least):
                seen.setdefault(finding.symbol, finding)
        return Evidence(tuple(seen.values())) if seen else NOTHING


def _disguises(place: str, text: str, least: int) -> Iterator[Finding]:
    how = disguise(text)
    if how.cuts >= least:
        yield Finding("TEXT_CUT_WORDS", f"{place}: {how.cuts} marks without width inside words")
    if how.mixed_words >= least:
        yield Finding("TEXT_MIXED_SCRIPTS", f"{place}: {how.mixed_words} words of several scripts")
    if how.overrides and place != "body":
        yield Finding("TEXT_DIRECTION_FORCED", f"{place}: the direction of writing is turned")
