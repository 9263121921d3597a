"""How the numbers of several processes become one: a folder of memory-mapped files.

prometheus-client names a process' files by its pid, so a worker that dies every few seconds would
leave thousands of files for each scrape to read. Here a process is known by its slot instead: the
one that takes over a slot goes on counting in the same files. Two living processes never share one.
The library's functions for this carry no types.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from milter.telemetry.mapped import MappedNumbers
from milter.telemetry.metric_table import METRICS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

_log: Final = logging.getLogger("gatepost.telemetry")

# The supervisor's name among the slots of the workers; the library splits names at underscores.
SUPERVISOR: Final = "supervisor"
_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(folder: Path, process: str) -> None:
    """Let every metric made from here on count in `folder`, under the name `process`.

    Changes the whole process, because the library keeps its choice in a module; so only the entry
    of a worker and of the supervisor call it, before they make their metrics. The folder is made
    again where somebody cleared it away; without one the process counts in its own memory.
    """
    try:
        make_folder(folder)
    except OSError as err:
        _log.warning("no folder for counts", extra={"path": str(folder), "error": str(err)})
    os.environ[_FOLDER] = str(folder)
    values.MmapedDict = MappedNumbers  # type: ignore[attr-defined,assignment]
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]


def forget_process(folder: Path, process: str) -> None:
    """Drop the gauges of a process that ended; what it counted stays."""
    mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]


def make_folder(folder: Path) -> None:
    """Make `folder` and the one around it where they are missing: cleaners of /tmp remove them.

    Raises:
        OSError: It cannot be made, or another user made one of that name meanwhile.
    """
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)
        if each.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "the folder is another user's", str(each))


def clean_folder(folder: Path) -> None:
    """Remove what an earlier daemon counted: counters begin at 0 with a new supervisor."""
    make_folder(folder)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)


class _Counted:
    """What all processes counted; nothing while their folder is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        # The library refuses a folder that is not there, and a scrape is no reason to end.
        if self._folder.is_dir():
            collector = MultiProcessCollector(None, str(self._folder))  # type: ignore[no-untyped-call]
            yield from collector.collect()  # type: ignore[no-untyped-call]


class _Gauges:
    """Gauges of the table that are read at the moment of the scrape."""

    def __init__(self, read: Callable[[], Iterable[tuple[str, Mapping[str, str], float]]]) -> None:
        self._read = read
        self._words = {spec.name: spec.words for spec in METRICS}

    def collect(self) -> Iterable[Metric]:
        # One family for all series of a name: the format has each name once.
        families: dict[str, GaugeMetricFamily] = {}
        for name, labels, value in self._read():
            if name not in families:
                words = self._words[name]
                families[name] = GaugeMetricFamily(PREFIX + name, words, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        return families.values()


def scraper(
    folder: Path, read: Callable[[], Iterable[tuple[str, Mapping[str, str], float]]]
) -> Callable[[], bytes]:
    """Return a function that makes the text for Prometheus.

    Args:
        folder: Where the processes count.
        read: Gives name, labels and value of each gauge that is known at this moment.
    """
    registry = CollectorRegistry()
    registry.register(_Counted(folder))
    registry.register(_Gauges(read))
    return lambda: generate_latest(registry)


def label_sums(folder: Path, counter: str, label: str) -> Callable[[], dict[str, float]]:
    """Return a function that adds up one counter over all processes, by the values of one label.

    Args:
        folder: Where the processes count.
        counter: Its name, without the prefix.
        label: Of the counter.
    """
    collector = _Counted(folder)
    name = PREFIX + counter

    def read() -> dict[str, float]:
        sums: dict[str, float] = {}
        for family in collector.collect():
            for sample in family.samples:
                if sample.name == name:
                    value = sample.labels[label]
                    sums[value] = sums.get(value, 0.0) + sample.value
        return sums

    return read


def samples(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Give name without prefix, labels and value of the samples `names`, over all processes."""
    wanted = {PREFIX + name for name in names}
    for family in _Counted(folder).collect():
        for sample in family.samples:
            if sample.name in wanted:
                yield sample.name.removeprefix(PREFIX), sample.labels, sample.value
