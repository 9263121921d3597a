"""Where the daemon keeps what can be made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from milter.daemon.premises import cache_folder
from milter.memory.opening import Home

_FILE = Home("sqlite:/var/lib/gatepost/gatepost.db")
_SERVER = Home("redis://127.0.0.1")
_GIVEN = Path("/var/cache/gatepost")
_OWN = Path("/run/gatepost/1")


@pytest.mark.parametrize("home", [_FILE, _SERVER, None], ids=["file", "server", "no memory"])
def test_cache_is_where_the_service_manager_says(home: Home | None) -> None:
    assert cache_folder(_GIVEN, home, _OWN) == _GIVEN


def test_cache_is_beside_a_file_where_nobody_says() -> None:
    assert cache_folder(None, _FILE, _OWN) == Path("/var/lib/gatepost")


@pytest.mark.parametrize("home", [_SERVER, None], ids=["server", "no memory"])
def test_cache_goes_with_the_daemon_where_nothing_lasts(home: Home | None) -> None:
    assert cache_folder(None, home, _OWN) == _OWN / "cache"
