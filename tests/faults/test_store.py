"""Several processes at one store, and one that is killed while it writes: no count is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from milter.memory.opening import Home
from milter.memory.presence import Presence
from reputation.store import Drop
from tests.support.ports import free_port
from tests.support.redis_server import a_redis
from tests.support.store_hammer import BATCH, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store

pytestmark = pytest.mark.slow

ROUNDS: Final = 150
EACH: Final = BATCH // 4
KILLS: Final = 8


def start(checkout: Path, place: str, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_hammer", place, str(rounds)],
        cwd=checkout,
        stdout=subprocess.PIPE,
        text=True,
    )


def hammer(checkout: Path, place: str, processes: int) -> str:
    """Run `processes` at once; return a table of what they took."""
    running = [start(checkout, place, ROUNDS) for _ in range(processes)]
    took: dict[str, list[float]] = {}
    for one in running:
        said, _ = one.communicate(timeout=110)
        assert one.returncode == 0
        for name, times in json.loads(said).items():
            took.setdefault(name, []).extend(times)
    rows = [f"{'operation':10} {'p50 ms':>8} {'p99 ms':>8} {'worst ms':>9}"]
    for name, times in took.items():
        times.sort()
        middle, nearly = times[len(times) // 2], times[len(times) * 99 // 100]
        rows.append(f"{name:10} {middle:8.2f} {nearly:8.2f} {times[-1]:9.2f}")
    return "\n".join(rows)


def check_counts(store: Store, rounds: int) -> None:
    batches = rounds * EACH
    assert store.sums("series", 1, 1)[0].amounts[0] == batches
    assert store.faded("space", [b"key"], NOW)[b"key"].values == (batches,)
    assert store.newest("stream") == batches
    assert store.records("space", [b"record"], NOW) == {b"record": b"%d" % rounds}
    assert store.take([Drop("space", b"bucket", 0, 10**9, 1e-9)], NOW).levels == (rounds,)
    # Beside one key for each round of a batch: the bucket, the record, the fading one.
    assert sum(1 for _ in store.keys("space")) == batches + 3


def test_four_processes_hammer_one_file_and_no_count_is_lost(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(f"sqlite:{tmp_path}/s.db", timeout_s=5)
    home.open().close()

    table = hammer(checkout, home.place, 4)

    with capsys.disabled():
        print(f"\nSQLite, 4 processes, {BATCH} writes a batch\n{table}")  # noqa: T201 - figures for people
    store = home.open()
    check_counts(store, 4 * ROUNDS)
    store.close()


def test_eight_processes_hammer_one_server_and_no_count_is_lost(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with a_redis("--port", str(port)):
        home = Home(f"redis://127.0.0.1:{port}/0", timeout_s=5)

        table = hammer(checkout, home.place, 8)

        with capsys.disabled():
            print(f"\nRedis, 8 processes, {BATCH} writes a batch\n{table}")  # noqa: T201 - figures for people
        store = home.open()
        check_counts(store, 8 * ROUNDS)
        store.close()


def test_process_killed_while_it_writes_loses_its_last_batch_at_most(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(f"sqlite:{tmp_path}/s.db", timeout_s=5)
    written = 0
    for kill in range(KILLS):
        process = start(checkout, home.place, 0)
        assert process.stdout is not None
        # Each time a little later, at whatever it does then.
        said = [int(process.stdout.readline()) for _ in range(3 + 7 * kill)]
        os.kill(process.pid, signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()

        store = home.open()
        (row,) = store.sums("series", 1, 1)
        batches = row.amounts[0] // EACH - written
        # What was told as written is there; the one that was not told may be, whole.
        assert batches in (said[-1] + 1, said[-1] + 2)
        written += batches
        assert row.amounts[0] == written * EACH == store.newest("stream")
        assert store.faded("space", [b"key"], NOW)[b"key"].values == (written * EACH,)
        assert Presence().arrive(store, NOW) == 1
        Presence().leave(store)
        store.close()
        with sqlite3.connect(tmp_path / "s.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    assert caplog.messages == ["a process ended without closing the store"] * KILLS
