"""Waiting for what another process does in its own time and tells nobody: asked until it is so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ASK_AGAIN_S: Final = 0.05


def wait_until(
    holds: Callable[[], bool],
    told: Callable[[], str] = lambda: "what was waited for did not happen",
    *,
    patience_s: float = 60.0,
) -> None:
    """Return as soon as `holds`; the patience is for a busy machine, and passes no test by itself.

    Raises:
        AssertionError: It did not hold in time; `told` says what there was instead.
    """
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, told()
        time.sleep(_ASK_AGAIN_S)
