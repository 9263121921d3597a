"""Answers in time, from resolvers that take longer or none at all."""

from __future__ import annotations

import asyncio

from milter.dns.bounded import BoundedResolver
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome

ZONE = {"a.example": {"TXT": ["x"]}, "silent.example": "silence"}


async def answers(*names: str) -> list[Answer]:
    resolver = BoundedResolver(FakeResolver(ZONE), wait_s=0.01)
    return [await resolver.resolve(name, "TXT") for name in names]


def test_bounded_gives_what_is_answered() -> None:
    (answer,) = asyncio.run(answers("a.example"))

    assert answer.records == ((b"x",),)


def test_bounded_silence_is_a_timeout_and_what_is_at_hand_is_given_behind_it() -> None:
    said = asyncio.run(answers("silent.example", "silent.example", "a.example"))

    assert [answer.outcome for answer in said] == [
        *(Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.ANSWER)
    ]
