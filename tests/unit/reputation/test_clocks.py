"""A clock that was ahead and was put right freezes nothing that was written meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reputation.sqlite import SqliteStore
from reputation.store import Append, Drop, Fade, Retention

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store

YEAR_S = 365 * 86_400.0


def test_bucket_runs_empty_from_now_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom)
    drop = Drop("rates", b"a", 1.0, capacity=1.0, leak_per_s=0.1)
    store.take([drop], YEAR_S)

    assert store.take([drop], 0.0).full
    assert not store.take([drop], 10.0).full
    store.close()


def test_fading_values_fade_from_now_on(store: Store) -> None:
    def fade(good: float, at: float) -> Fade:
        return Fade("standing", b"a", (good,), at, half_life_s=10.0, keep_s=YEAR_S * 10)

    store.write([fade(8.0, YEAR_S), fade(0.0, 0.0), fade(0.0, 30.0)])

    assert store.faded("standing", [b"a"], 30.0)[b"a"].values == (1.0,)


def test_entries_behind_one_of_the_future_grow_old(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", os.urandom)
    keep = Retention(100, 2**20, age_s=10.0)

    for at in (YEAR_S, 0.0, 5.0, 12.0):
        store.write([Append("s", at, b"x", (), keep)])

    assert [entry.at for entry in store.follow("s", 0, 10)] == [YEAR_S, 5.0, 12.0]
    store.close()
