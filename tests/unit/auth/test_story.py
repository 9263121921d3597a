"""A story is written where somebody listens, and nowhere else."""

from __future__ import annotations

import asyncio

import pytest

from milter.auth.story import Decision, Story, TellingResolver, story_of, without_key
from milter.dns.fake import FakeResolver


def test_story_of_a_plain_resolver_is_none() -> None:
    assert story_of(FakeResolver({})) is None


def test_story_holds_questions_and_conclusions_in_order() -> None:
    story = Story("spf")
    resolver = TellingResolver(
        FakeResolver({"a.example": {"TXT": ["v=spf1 -all"], "MX": [[10, "mx.example"]]}}), story
    )

    asyncio.run(resolver.resolve("a.example", "TXT"))
    asyncio.run(resolver.resolve("a.example", "MX"))
    asyncio.run(resolver.resolve("b.example", "A"))
    told = story_of(resolver)
    assert told is not None
    told.decide("-all matched", "RFC 7208 §5.1")
    told.decide("so be it")

    assert list(story.lines()) == [
        "? a.example TXT: 1 record, TTL 300 s",
        '    "v=spf1 -all"',
        "? a.example MX: 1 record, TTL 300 s",
        "    10 mx.example",
        "? b.example A: nxdomain",
        "= -all matched  [RFC 7208 §5.1]",
        "= so be it",
    ]


def test_question_that_is_asked_again_is_told_once_where_the_answer_is_the_same() -> None:
    story = Story("spf")
    first, second = FakeResolver({"a.example": {"A": ["192.0.2.1"]}}), FakeResolver({})

    for resolver in (first, first, second):
        asyncio.run(TellingResolver(resolver, story).resolve("a.example", "A"))

    assert list(story.lines()) == [
        "? a.example A: 1 record, TTL 300 s",
        "    192.0.2.1",
        "? a.example A: as above",
        "? a.example A: nxdomain",
    ]


def test_key_is_told_by_its_begin_and_length() -> None:
    assert without_key(f"v=DKIM1; p={'MIIB' * 98}; t=s") == (
        "v=DKIM1; p=MIIBMIIBMIIBMIIBMIIBMIIB...(392 characters); t=s"
    )


def test_story_of_many_steps_and_records_is_bounded() -> None:
    story = Story("spf")
    addresses = [f"192.0.2.{i}" for i in range(50)]
    resolver = TellingResolver(FakeResolver({"a.example": {"A": addresses}}), story)

    asyncio.run(resolver.resolve("a.example", "A"))
    lines = list(story.lines())
    for i in range(2000):
        story.decide(f"step {i}")

    assert lines[-1] == "    and 30 more"
    assert len(lines) == 22
    assert len(story.steps) == 1000
    assert story.steps[-1] == Decision("step 998")


def test_story_tells_what_was_waited_for_in_vain() -> None:
    story = Story("spf")
    resolver = TellingResolver(FakeResolver({"a.example": "silence"}), story)

    async def give_up() -> None:
        async with asyncio.timeout(0):
            await resolver.resolve("a.example", "TXT")

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())

    assert list(story.lines()) == ["= no answer in time for TXT of a.example"]
