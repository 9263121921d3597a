"""The memory of a worker: its store, what checks are given of it, and the aftermath."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.atlas import Atlas, AtlasError, open_atlas
from milter.memory.client import StoreClient
from milter.memory.learning import Learning, classifier_folder
from milter.memory.opening import home_of
from milter.memory.pruning import Pruning
from milter.memory.reading import Reading
from milter.memory.recollection import Recollection
from milter.memory.weights import LiveWeights
from milter.pipeline.aftermath import Aftermath
from milter.pipeline.history import HistoryKeeper, Keeping, begun_of, known_of
from milter.pipeline.refusals import RefusalKeeper
from milter.pipeline.remember import keepers
from milter.pipeline.statistics import Statistics
from milter.pipeline.sure_lessons import Agreement, SureLessons
from policies.mailboxes import plain_mailbox
from reputation.history.journal import Keep, retention
from reputation.subjects import Kind, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import IpAddress
    from milter.pipeline.runner import Pipeline
    from milter.settings import Settings
    from milter.settings.history import History
    from milter.settings.networks import Networks
    from milter.telemetry.metrics import Metrics
    from policies.loader import Source

_log: Final = logging.getLogger("gatepost.memory")


@dataclass(frozen=True, slots=True)
class WorkingMemory:
    """What a worker remembers with, from `start` to `close`.

    Attributes:
        recollection: For checks, and for deliveries that were taken in part.
        aftermath: Told of each message after its reply.
        weights: What the classifier learned; None: there is no place for its files.
        learning: Takes the lessons of the classifier, where it has a place.
        reading: Asks long questions.
        statistics: Counts messages.
        pruning: Removes what the history keeps no longer.
    """

    recollection: Recollection
    aftermath: Aftermath
    weights: LiveWeights | None
    learning: Learning | None
    reading: Reading
    statistics: Statistics
    pruning: Pruning

    @property
    def store(self) -> StoreClient:
        """The store, asked and written to."""
        return self.recollection.store

    def keep_history(self, history: History, pipeline: Pipeline, metrics: Metrics) -> None:
        """Keep a record of each message that `pipeline` judges, as `history` says."""
        if history.days:
            keeping = keeping_of(history)
            known, begun = known_of(pipeline), begun_of(pipeline)
            self.aftermath.add(HistoryKeeper(self.store, keeping, known, begun))
            left_out = metrics.refusal_not_kept
            refusals = RefusalKeeper(self.store, keeping.keep, pipeline.version, left_out)
            self.aftermath.add(refusals)
            self.aftermath.watch(refusals)

    async def tend(self) -> None:
        """Look after all of it; run it as a task."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.store.tend())
            group.create_task(self.statistics.tend())
            group.create_task(self.pruning.tend())
            if self.learning is not None:
                group.create_task(self.learning.tend())

    async def close(self) -> None:
        """Remember what waits, and let go of the store."""
        self.aftermath.finish()
        await self.statistics.finish()
        if self.learning is not None:
            await self.learning.close()
        await self.reading.close()
        await self.store.close()


def worker_atlas(settings: Settings) -> Atlas:
    """Return the tables of networks and countries; without those that cannot be read any more."""
    try:
        return open_atlas(settings.networks)
    except AtlasError as err:
        _log.error("table of networks failed", extra={"path": err.path, "error": err.what})
        return Atlas()


def places_of(atlas: Atlas, tables: Networks) -> Callable[[IpAddress | None], tuple[Subject, ...]]:
    """Return what gives the network (AS) and the country of a client as subjects.

    Only where the admin named a table: the built-in countries are those of registration, which say
    too little of who sends to be held against anybody.
    """

    def places(client: IpAddress | None) -> tuple[Subject, ...]:
        place = atlas.place(client)
        found = []
        if tables.asn_file and place.asn:
            found.append(Subject(Kind.ASN, str(place.asn)))
        if tables.country_file and place.country:
            found.append(Subject(Kind.COUNTRY, place.country.lower()))
        return tuple(found)

    return places


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
    atlas = worker_atlas(settings)
    recollection = Recollection(
        store,
        hashed=memory.subjects == "hashed",
        traps=frozenset(plain_mailbox(address).lower() for address in memory.spamtraps),
        places=places_of(atlas, settings.networks),
    )
    aftermath = Aftermath(keepers(recollection), time.time, metrics.aftermath_dropped)
    statistics = Statistics(store, atlas, time.process_time)
    aftermath.add(statistics)
    aftermath.watch(statistics)
    folder = classifier_folder(settings.classifier.folder, home)
    if folder is not None:
        aftermath.add(Agreement(metrics))
        if settings.classifier.learn_from_verdicts:
            aftermath.add(SureLessons(recollection, metrics))
    return WorkingMemory(
        recollection,
        aftermath,
        weights=LiveWeights(folder, time.monotonic) if folder else None,
        learning=Learning(folder, home, metrics.lessons) if folder else None,
        reading=Reading.of(home),
        statistics=statistics,
        pruning=Pruning(store, keeping_of(settings.history).keep),
    )


def keeping_of(history: History) -> Keeping:
    """Return what the history keeps, as `history` says."""
    records = retention(days=history.days, entries=history.records, total_bytes=history.total_bytes)
    messages = retention(
        days=history.message_days,
        entries=history.messages,
        total_bytes=history.messages_total_bytes,
    )
    keep = Keep(records, messages, hashed=history.addresses == "hashed")
    return Keeping(keep, history.keep_messages, history.message_bytes)
