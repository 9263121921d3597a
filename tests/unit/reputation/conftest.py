"""A store of each home, for tests of what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from tests.support.redis_server import a_redis
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reputation.store import Store
    from tests.support.redis_server import RunningRedis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RunningRedis]:
    """A real server; one for all tests of a process."""
    with a_redis() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each home."""
    made: Store
    if request.param == "memory":
        made = MemoryStore(random_bytes())
    elif request.param == "sqlite":
        made = SqliteStore(tmp_path / "state" / "gatepost.db", random_bytes())
    else:
        server: RunningRedis = request.getfixturevalue("redis_server")
        server.flush()
        made = server.store(random_bytes())
    yield made
    made.close()
