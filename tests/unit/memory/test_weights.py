"""The classifier's weights in a process that only reads them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from milter.memory.weights import LiveWeights
from reputation.classifier.learner import Learner

if TYPE_CHECKING:
    from pathlib import Path


def test_weights_that_are_not_there_yet_know_nothing(tmp_path: Path) -> None:
    state = LiveWeights(tmp_path / "classifier", lambda: 1.0).state()

    assert state is not None
    assert (state.ham, state.spam) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_weights_in_a_folder_of_somebody_elses_cannot_be_read(tmp_path: Path) -> None:
    Learner(tmp_path / "classifier").close()
    weights = LiveWeights(tmp_path / "classifier", lambda: 1.0)

    os.seteuid(12345)
    try:
        state = weights.state()
    finally:
        os.seteuid(0)

    assert state is None
