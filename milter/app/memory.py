"""The memory of a worker: its store, what checks are given of it, and the aftermath."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.memory.client import StoreClient
from milter.memory.opening import home_of
from milter.memory.recollection import Recollection
from milter.pipeline.aftermath import Aftermath
from milter.pipeline.remember import keepers

if TYPE_CHECKING:
    from milter.settings import Settings
    from milter.telemetry.metrics import Metrics
    from policies.loader import Source


@dataclass(frozen=True, slots=True)
class WorkingMemory:
    """What a worker remembers with, from `start` to `close`.

    Attributes:
        recollection: For checks, and for deliveries that were taken in part.
        aftermath: Told of each message after its reply.
    """

    recollection: Recollection
    aftermath: Aftermath

    @property
    def store(self) -> StoreClient:
        """The store, asked and written to."""
        return self.recollection.store

    async def close(self) -> None:
        """Remember what waits, and let go of the store."""
        self.aftermath.finish()
        await self.store.close()


def build_memory(settings: Settings, source: Source, metrics: Metrics) -> WorkingMemory | None:
    """Return the memory that `settings` describe; None where nothing is remembered."""
    memory = settings.memory
    home = home_of(settings, source.read(memory.password_file) if memory.password_file else b"")
    if home is None:
        return None
    store = StoreClient(
        home.open,
        counts=metrics,
        clock=time.time,
        monotonic=time.monotonic,
        timeout_s=home.timeout_s,
        mend=home.mend,
    )
    recollection = Recollection(
        store,
        hashed=memory.subjects == "hashed",
        traps=frozenset(address.lower() for address in memory.spamtraps),
    )
    aftermath = Aftermath(keepers(recollection), time.time, metrics.aftermath_dropped)
    return WorkingMemory(recollection, aftermath)
