"""The collector of cycles is kept away, and comes back whatever happens."""

from __future__ import annotations

import gc

import pytest

from policies.collector import without_collections


@without_collections()
def fails_inside() -> None:
    with without_collections():
        assert not gc.isenabled()
    assert not gc.isenabled()
    raise RuntimeError


def test_collector_is_away_in_the_block_and_back_after_an_error() -> None:
    with pytest.raises(RuntimeError):
        fails_inside()

    assert gc.isenabled()
