"""What the supervisor shows of itself over HTTP, read from the shared table when it is asked."""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING, Final, Literal, get_args

from milter import __version__
from milter.daemon.figures import open_reader
from milter.daemon.list_board import read_boards
from milter.daemon.shared import NextHopState, WorkerState
from milter.http.catalogue import OF_WORKERS
from milter.http.checks import CheckTimes
from milter.http.health import ReloadResult, Status
from milter.http.passing import Passer
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
from milter.settings.certificates import end_of
from milter.telemetry.multiprocess import samples, scraper

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from milter.daemon.configuration import Configuration
    from milter.daemon.premises import Premises
    from milter.http.lists import ListStatus
    from milter.settings import Http

State = Literal["starting", "serving", "reloading", "draining"]

# A request that no worker takes for so long is told so.
_UNTAKEN_S: Final = 30.0


def daemon_status(
    premises: Premises, state: State, workers: int, last_reload: ReloadResult
) -> Status:
    """Return how the daemon is at this moment."""
    table, ready = premises.table, premises.pulse.answering()
    return Status(
        version=__version__,
        state=state,
        workers_ready=len(ready),
        workers=workers,
        next_hop=_next_hop({table.next_hop[slot] for slot in ready}),
        sessions=table.total_sessions(),
        bytes_in_flight=table.total_bytes(),
        uptime_s=int(time.monotonic() - premises.started),
        last_reload=last_reload,
        workers_silent=premises.pulse.silent_pids(),
        dns_lists_aside=tuple(
            f"{one.zone}: {one.reason}" for one in dns_lists(premises) if one.reason
        ),
    )


def dns_lists(premises: Premises) -> list[ListStatus]:
    """Return the DNS lists as the workers that take mail see them."""
    table = premises.table
    workers = {slot: table.pid[slot] for slot in table.in_state(WorkerState.READY)}
    return read_boards(premises.lists_folder, workers)


def check_times(metrics_folder: Path) -> list[CheckTimes]:
    """Return how the checks did since the start, over all workers."""
    runs: dict[str, float] = {}
    failed: dict[str, float] = {}
    seconds: dict[str, float] = {}
    into = {"check_seconds_count": runs, "check_seconds_sum": seconds}
    for name, labels, value in samples(metrics_folder, (*into, "check_results_total")):
        check = labels["check"]
        if name in into:
            into[name][check] = into[name].get(check, 0.0) + value
        elif labels["result"] != "ok":
            failed[check] = failed.get(check, 0.0) + value
    return [
        CheckTimes(check, int(count), int(failed.get(check, 0)), seconds.get(check, 0.0))
        for check, count in runs.items()
    ]


def http_server(
    premises: Premises, configuration: Configuration, http: Http, status: Callable[[], Status]
) -> HttpServer:
    """Return the HTTP port of the daemon, not yet started."""
    passer = Passer(
        premises.channel.dup(),
        OF_WORKERS,
        _UNTAKEN_S,
        lambda: bool(premises.pulse.answering()),
    )
    lasting = tuple(_lasting_gauges(configuration))
    scrape = scraper(premises.metrics_folder, lambda: (*_gauges(status()), *lasting))
    return HttpServer(
        Views(
            status,
            scrape,
            passer,
            lambda: dns_lists(premises),
            Rate(http.requests_per_s, time.monotonic),
            configuration.files[http.token_file] if http.token_file else b"",
            open_reader(configuration.settings, configuration.files.__getitem__),
            lambda: check_times(premises.metrics_folder),
        ),
        http,
        premises.metrics.http_refused,
    )


def _next_hop(states: Collection[int]) -> Literal["up", "down", "unknown"]:
    """Return what is known over all workers: one that reaches it is enough."""
    if NextHopState.UP in states:
        return "up"
    if not states or NextHopState.UNKNOWN in states:
        return "unknown"
    return "down"


def _gauges(now: Status) -> Iterator[tuple[str, Mapping[str, str], float]]:
    yield "next_hop_up", {}, float(now.next_hop != "down")
    yield "bytes_in_flight", {}, float(now.bytes_in_flight)
    yield "workers", {}, float(now.workers_ready)
    yield "workers_silent", {}, float(len(now.workers_silent))
    for result in get_args(ReloadResult):
        yield "config_last_reload", {"result": result}, float(result == now.last_reload)
    build = {"version": now.version, "python": platform.python_version()}
    yield "build_info", build, 1.0


def _lasting_gauges(configuration: Configuration) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """Give the gauges that only a reload changes."""
    yield "policy_info", {"version": configuration.version}, 1.0
    yield "sessions_limit", {}, float(configuration.settings.limits.sessions)
    for listener in configuration.settings.listeners:
        if listener.tls is not None:
            ends = end_of(configuration.files[listener.tls.certificate])
            yield "certificate_expires_seconds", {"listener": listener.name}, ends
