"""What is known of the message that a bounce is about, over the days."""

from __future__ import annotations

import os

import pytest

from reputation import bounces
from reputation.bounces import Origin
from reputation.memory import MemoryStore

DAY = 86_400.0
ANN, BOB = "ann@ours.example", "bob@ours.example"


@pytest.fixture
def store() -> MemoryStore:
    """A store in which ann sent one message on day 100."""
    store = MemoryStore(os.urandom)
    store.write(list(bounces.sent(bounces.secret_of(store), ANN, ["m1@pc", "TXN1"], 100 * DAY)))
    return store


@pytest.mark.parametrize(
    ("ours", "names", "day", "known"),
    [
        pytest.param(ANN, ["m1@pc"], 101, Origin.OURS, id="by-message-id"),
        pytest.param(ANN, ["x@y", "TXN1"], 101, Origin.OURS, id="by-our-id"),
        pytest.param("ANN@ours.example", ["M1@PC"], 101, Origin.OURS, id="case-does-not-count"),
        pytest.param(ANN, ["m1@pc"], 131, Origin.NOT_THEIRS, id="too-long-ago"),
        pytest.param(ANN, ["m2@pc"], 102, Origin.UNTOLD, id="domain-is-new-here"),
        pytest.param(ANN, ["m2@pc"], 110, Origin.NOT_THEIRS, id="another-message"),
        pytest.param(ANN, [], 110, Origin.UNTOLD, id="names-nothing"),
        pytest.param(BOB, ["m1@pc"], 110, Origin.NEVER_SENT, id="never-sent"),
        pytest.param(BOB, [], 110, Origin.NEVER_SENT, id="never-sent-and-names-nothing"),
        pytest.param("c@other.example", ["x@y"], 110, Origin.UNTOLD, id="domain-does-not-send"),
    ],
)
def test_origin(store: MemoryStore, ours: str, names: list[str], day: int, known: Origin) -> None:
    if day > 128:
        store.write(list(bounces.sent(bounces.secret_of(store), ANN, ["m9@pc"], 115 * DAY)))

    assert bounces.origin(store, ours, names, day * DAY) is known
