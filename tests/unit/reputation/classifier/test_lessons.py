"""How lessons are handed over when the store does not take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from reputation.classifier.lessons import STREAM, Heard, Lesson, report
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from tests.support.lessons import features_of
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reputation.store import Write

DIGEST: Final = bytes(16)


class FullStore(MemoryStore):
    """A store that takes no batches while it is full."""

    full = False

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        if self.full:
            raise StoreError("no space left", reason="full")
        super().write(batch, attempt)


def a_lesson(*, spam: bool) -> Lesson:
    return Lesson(DIGEST, spam, changed=False, features=features_of(spam=spam, seed=1))


@pytest.mark.parametrize(
    ("before", "heard"),
    [
        pytest.param(None, Heard.LEARNED, id="new"),
        pytest.param(False, Heard.CHANGED, id="other-label-before"),
    ],
)
def test_report_that_was_not_written_is_heard_when_it_is_made_again(
    *, before: bool | None, heard: Heard
) -> None:
    store = FullStore(random_bytes())
    if before is not None:
        report(store, a_lesson(spam=before), now=1)
    lessons = store.newest(STREAM)

    store.full = True
    with pytest.raises(StoreError):
        report(store, a_lesson(spam=True), now=2)
    store.full = False

    assert store.newest(STREAM) == lessons
    assert report(store, a_lesson(spam=True), now=3) is heard
    assert store.newest(STREAM) == lessons + 1
