"""Reads statistics for the page and the API: in the supervisor, so that no worker is kept busy.

It has a client of the store of its own. What was read is told again for two seconds, however many
look: a page that many have open costs no more than one.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from milter.memory.client import StoreClient
from milter.memory.opening import home_of
from reputation.statistics.figures import TOP, read_window
from reputation.statistics.money import Prices, money
from reputation.statistics.past import Past
from reputation.statistics.windows import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.settings import Settings
    from reputation.statistics.figures import Figures
    from reputation.statistics.money import Money
    from reputation.store import Store

_KEPT_S: Final = 2.0
# A window is many rows: longer than a question of a check may take, and nobody's mail waits.
_TIMEOUT_S: Final = 10.0


class WindowReader:
    """Reads windows, from its first question to `close`.

    Args:
        client: Asked for them.
        prices: What things cost.
        privacy: Whether nothing is shown that may point to somebody.
    """

    def __init__(self, client: StoreClient, prices: Prices, *, privacy: bool) -> None:
        self._client = client
        self._prices = prices
        self._privacy = privacy
        self._past = Past(TOP)
        self._kept: dict[str, tuple[float, asyncio.Task[tuple[Figures, Money]]]] = {}

    @property
    def privacy(self) -> bool:
        """Whether nothing is shown that may point to somebody."""
        return self._privacy

    async def window(self, word: str) -> tuple[Figures, Money]:
        """Return the figures of a window of `WINDOWS`, and what they cost.

        Raises:
            StoreError: The store does not answer.
        """
        now = time.monotonic()
        asked_at, reading = self._kept.get(word, (0.0, None))
        if reading is None or now - asked_at > _KEPT_S:
            reading = asyncio.get_running_loop().create_task(self._read(word))
            self._kept[word] = (now, reading)
        # Whoever goes away does not take the answer from the others.
        return await asyncio.shield(reading)

    async def close(self) -> None:
        """Let go of the store."""
        for _, reading in self._kept.values():
            reading.cancel()
        await self._client.close()

    async def _read(self, word: str) -> tuple[Figures, Money]:
        def question(store: Store) -> tuple[Figures, Money]:
            figures = read_window(store, WINDOWS[word], self._client.clock(), self._past)
            return figures, money(figures, self._prices)

        return await self._client.ask("sums", question, _TIMEOUT_S)


class _Uncounted:
    """Tells nobody how the store did: the metrics of it are those of the workers."""

    def store(self, operation: str, seconds: float) -> None:
        """Forget it."""

    def store_failed(self, reason: str) -> None:
        """Forget it."""

    def store_dropped(self, writes: int) -> None:
        """Forget it."""


def open_reader(settings: Settings, read_file: Callable[[str], bytes]) -> WindowReader | None:
    """Return what reads the statistics of a site; None where nothing is counted."""
    file = settings.memory.password_file
    home = home_of(settings, read_file(file) if file else b"")
    if home is None:
        return None
    client = StoreClient(
        home.open,
        counts=_Uncounted(),
        clock=time.time,
        monotonic=time.monotonic,
        timeout_s=_TIMEOUT_S,
    )
    return WindowReader(client, prices_of(settings), privacy=settings.statistics.privacy)


def prices_of(settings: Settings) -> Prices:
    """Return the prices that the settings name."""
    return Prices(**settings.statistics.costs.model_dump())
