"""What is done after the reply: in order, within bounds, and without harm to anybody."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from milter.checks.base import Evidence
from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.core.transaction import Transaction
from milter.message.document import Message
from milter.pipeline.aftermath import Aftermath, Seen
from policies.verdict import Action, Verdict
from tests.support.pipeline import a_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Notes:
    """A consumer that notes what it sees, and raises where it was told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[str] = []
        self.error = error

    def see(self, seen: Seen) -> None:
        """Note it."""
        self.seen.append(seen.txn.txn_id)
        if self.error is not None:
            raise self.error


def seen(number: int, size: int = 10) -> Seen:
    raw = b"x" * size
    return Seen(
        at=1.0,
        txn=Transaction(TxnId(f"T{number}"), a_connection(), message=raw),
        message=Message(raw),
        evidence=Evidence(),
        verdict=Verdict(Action.PASS, 0.0, 5.0, "test"),
        reply=Reply.of(250, "2.0.0 Ok"),
        duration_s=0.1,
    )


def run(main: Callable[[], object]) -> None:
    async def inside() -> None:
        main()

    asyncio.run(inside())


def test_take_returns_before_any_consumer_is_called_and_all_are_called_in_order() -> None:
    async def main() -> None:
        first, second = Notes(), Notes()
        aftermath = Aftermath([first, second], lambda: 1.0)
        for number in range(50):
            aftermath.take(seen(number))
        assert first.seen == []
        for _ in range(500):
            if len(second.seen) == 50:
                break
            await asyncio.sleep(0.01)
        assert first.seen == second.seen == [f"T{number}" for number in range(50)]

    asyncio.run(main())


def test_take_beyond_its_bounds_drops_and_tells() -> None:
    dropped: list[None] = []

    def main() -> None:
        notes = Notes()
        aftermath = Aftermath([notes], lambda: 1.0, lambda: dropped.append(None))
        for number in range(510):
            aftermath.take(seen(number))
        aftermath.finish()
        assert (len(notes.seen), len(dropped)) == (500, 10)
        for number in range(5):
            aftermath.take(seen(number, 20 * 2**20))
        aftermath.finish()
        assert (len(notes.seen), len(dropped)) == (503, 12)

    run(main)


def test_consumer_that_raises_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def main() -> None:
        bad, good = Notes(ValueError("no")), Notes()
        aftermath = Aftermath([bad, good], lambda: 1.0)
        aftermath.take(seen(1))
        aftermath.take(seen(2))
        aftermath.finish()
        assert good.seen == ["T1", "T2"]

    with caplog.at_level(logging.ERROR, "gatepost.pipeline"):
        run(main)
    assert caplog.messages == ["aftermath failed"] * 2
