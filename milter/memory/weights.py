"""The classifier's weights as a process that only reads sees them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from reputation.classifier.learner import WEIGHTS_NAME
from reputation.classifier.model import new_state
from reputation.classifier.weights import Weights
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reputation.classifier.model import State

_log: Final = logging.getLogger("gatepost.memory")
_TRY_EVERY_S: Final = 1.0


class LiveWeights:
    """Maps the file when it is there; what others learn is seen without opening it again.

    Args:
        folder: Where the classifier's files lie.
        monotonic: Seconds, never going back.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float]) -> None:
        self._path = folder / WEIGHTS_NAME
        self._monotonic = monotonic
        self._weights: Weights | None = None
        self._fallback: State | None = new_state()
        self._tried_again_at = 0.0

    def state(self) -> State | None:
        """Return the weights as they are now; None where there are some that cannot be read."""
        if self._weights is None and self._monotonic() >= self._tried_again_at:
            self._open()
        return self._weights.state if self._weights is not None else self._fallback

    def _open(self) -> None:
        self._tried_again_at = self._monotonic() + _TRY_EVERY_S
        try:
            # Before the first lesson there is no file, and nothing is known: no trouble.
            self._weights = Weights(self._path) if self._path.exists() else None
        except (OSError, StoreError) as err:
            if self._fallback is not None:
                what = err.what if isinstance(err, StoreError) else str(err)
                _log.error("weights of the classifier cannot be read", extra={"error": what})
            self._fallback = None
