"""However many have the page open, no worker is asked for anything."""

from __future__ import annotations

import os
import signal
import sqlite3
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from reputation.sqlite import SqliteStore
from tests.support.gatepost import configuration, running_gatepost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow

# What a page asks for when it is opened, then again and again; and what Prometheus does.
_PATHS = ("/", "/v1/status", "/v1/stats?window=30d", "/v1/checks", "/v1/lists", "/metrics")
_PAGES = 20
# For a busy machine; a request that a worker would have to answer is refused before that.
_PATIENCE_S = 120


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """Let processes do nothing at all for a while."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def _writing(store: Path) -> Iterator[None]:
    """Hold the store as a worker does that is stopped in the middle of a write."""
    with closing(sqlite3.connect(store, _PATIENCE_S, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_twenty_pages_are_answered_while_every_worker_is_stopped(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    SqliteStore(store, os.urandom).close()
    config = configuration("127.0.0.1:1", store=f"sqlite:{store}", workers=2)
    with running_gatepost(config) as daemon:
        workers = daemon.worker_pids

        def look(_: int) -> list[int]:
            found = []
            for path in _PATHS:
                address = f"http://127.0.0.1:{daemon.http_port}{path}"
                with urllib.request.urlopen(address, timeout=_PATIENCE_S) as answer:
                    found.append(answer.status)
            return found

        with _writing(store), _stopped(workers), ThreadPoolExecutor(_PAGES) as pool:
            statuses = list(pool.map(look, range(_PAGES)))

        assert len(workers) == 2
        assert statuses == _PAGES * [[200] * len(_PATHS)]
