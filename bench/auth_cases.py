"""What one row of `bench.auth` is, and the names that its cases ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.dns.fake import FakeResolver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from milter.dns.resolver import Answer, Rrtype


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        words: What is measured.
        work: Does it once.
        count: How often it is done in one round.
        yardstick: The row that it is compared with; empty: none.
        limit: Of the ratio; 0: none.
    """

    words: str
    work: Callable[[], Awaitable[object]]
    count: int
    yardstick: str = ""
    limit: float = 0.0


class Zone:
    """Answers from a zone that were worked out before, as a cache does."""

    def __init__(self, names: dict[str, object]) -> None:
        self._fake = FakeResolver(names)
        self._known: dict[tuple[str, Rrtype], Answer] = {}

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer; worked out once."""
        known = self._known.get((name, rrtype))
        if known is None:
            known = self._known[name, rrtype] = await self._fake.resolve(name, rrtype)
        return known

    def plain(self, name: str, rrtype: Rrtype) -> list[tuple[tuple[str, str], object]]:
        """Answer pyspf."""
        return [((name, rrtype), record) for record in self._known[name, rrtype].records]
