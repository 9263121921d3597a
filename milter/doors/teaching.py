"""Lessons that come in through a door: somebody says of a message that it is spam, or is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.checks.classifier_fields import lesson_of
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.lessons import STREAM, report

if TYPE_CHECKING:
    from milter.checks.classifier import Weights
    from milter.memory.client import StoreClient
    from reputation.classifier.lessons import Heard, Lesson, Reporter


class Teacher:
    """Hands lessons to all that learn.

    Args:
        store: Through which they travel.
        weights: What was learned so far, to see what contradicts it; None: nothing does.
    """

    def __init__(self, store: StoreClient, weights: Weights | None = None) -> None:
        self._store = store
        self._weights = weights

    async def lessons(self) -> int:
        """Return how many lessons were heard so far.

        Raises:
            StoreError: The store does not answer.
        """
        return await self._store.ask("newest", lambda store: store.newest(STREAM))

    async def teach(self, data: bytes, *, spam: bool, reporter: Reporter | None) -> Heard:
        """Have the message learned, and return how the lesson was heard.

        Args:
            data: The message; lines may end in LF.
            spam: Whether it is.
            reporter: Who says so; None: an administrator.

        Raises:
            StoreError: The store does not answer.
        """
        lesson = await asyncio.to_thread(_read, data, spam=spam)
        now = self._store.clock()
        taught = self._weights.state() if self._weights is not None else None
        return await self._store.ask(
            "replace",
            lambda store: report(store, lesson, now=now, reporter=reporter, taught=taught),
        )


def _read(data: bytes, *, spam: bool) -> Lesson:
    return lesson_of(Message(with_crlf(data)), spam=spam)
