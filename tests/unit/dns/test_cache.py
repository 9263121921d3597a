import asyncio
from collections.abc import Awaitable, Callable

import pytest

from milter.dns.cache import CachingResolver
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome, Rrtype

NAMES: dict[str, object] = {
    "a.example": {"A": ["192.0.2.1"], "TTL": 60},
    "short.example": {"A": ["192.0.2.1"], "TTL": 1},
    "never.example": {"A": ["192.0.2.1"], "TTL": 0},
    "long.example": {"A": ["192.0.2.1"], "TTL": 10_000_000},
    "bare.example": {"TXT": ["x"]},
    "broken.example": "servfail",
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A resolver that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.opened = asyncio.Event()

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        self.asked += 1
        await self.opened.wait()
        return Answer(Outcome.ANSWER, ("192.0.2.1",), 60)


def asked_after(name: str, seconds: float, rrtype: Rrtype = "A") -> int:
    """Return how often the inner resolver was asked when `name` is asked for twice."""
    inner, clock = FakeResolver(NAMES), Clock()
    cache = CachingResolver(inner, clock, 10)

    async def run() -> None:
        await cache.resolve(name, rrtype)
        clock.now += seconds
        await cache.resolve(name.upper() + ".", rrtype)

    asyncio.run(run())
    return len(inner.asked)


@pytest.mark.parametrize(
    ("name", "kept_s"),
    [
        pytest.param("a.example", 60, id="ttl"),
        pytest.param("short.example", 5, id="floor"),
        pytest.param("long.example", 86_400, id="a-day-at-most"),
        pytest.param("nowhere.example", 300, id="nxdomain"),
        pytest.param("bare.example", 300, id="nodata"),
        pytest.param("broken.example", 3, id="failure"),
    ],
)
def test_resolve_answer_is_kept_for_its_life(name: str, kept_s: int) -> None:
    assert asked_after(name, kept_s - 0.5) == 1
    assert asked_after(name, kept_s) == 2


def test_resolve_ttl_zero_is_not_kept() -> None:
    assert asked_after("never.example", 0) == 2


def test_resolve_negative_answer_is_kept_an_hour_at_most() -> None:
    class Never:
        asked = 0

        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            self.asked += 1
            return Answer(Outcome.NXDOMAIN, ttl_s=86_400)

    inner, clock = Never(), Clock()
    cache = CachingResolver(inner, clock, 10)

    async def run() -> None:
        await cache.resolve("a.example", "A")
        clock.now += 3_600
        await cache.resolve("a.example", "A")

    asyncio.run(run())
    assert inner.asked == 2


def test_resolve_hit_says_the_ttl_that_is_left() -> None:
    clock = Clock()
    cache = CachingResolver(FakeResolver(NAMES), clock, 10)

    async def run() -> list[int]:
        ttls = [(await cache.resolve("a.example", "A")).ttl_s]
        for seconds in (20.5, 20):
            clock.now += seconds
            ttls.append((await cache.resolve("a.example", "A")).ttl_s)
        return ttls

    assert asyncio.run(run()) == [60, 39, 19]


def test_resolve_least_recently_used_leaves_first() -> None:
    inner = FakeResolver({f"{c}.example": {"A": ["192.0.2.1"]} for c in "abc"})
    cache = CachingResolver(inner, Clock(), 2)

    async def run() -> None:
        for name in ("a", "b", "a", "c", "a", "b"):
            await cache.resolve(f"{name}.example", "A")

    asyncio.run(run())
    assert [name[0] for name, _ in inner.asked] == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_resolve_what_is_no_name_is_not_asked() -> None:
    inner = FakeResolver({})
    answer = asyncio.run(CachingResolver(inner, Clock(), 10).resolve("a..b", "A"))
    assert answer.outcome is Outcome.NXDOMAIN
    assert inner.asked == []


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_resolve_equal_questions_in_flight_are_asked_once() -> None:
    async def run() -> tuple[int, set[Outcome]]:
        gate = Gate()
        cache = CachingResolver(gate, Clock(), 0)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.resolve("a.example", "A")) for _ in range(5)]
            await turns()
            gate.opened.set()
        return gate.asked, {task.result().outcome for task in tasks}

    assert asyncio.run(run()) == (1, {Outcome.ANSWER})


async def cancel_one(victim: int) -> tuple[int, list[bool]]:
    """Cancel one of three waiters; return the number of queries and who was cancelled."""
    gate = Gate()
    cache = CachingResolver(gate, Clock(), 10)
    tasks = [asyncio.ensure_future(cache.resolve("a.example", "A")) for _ in range(3)]
    await turns()
    tasks[victim].cancel()
    await turns()
    gate.opened.set()
    await asyncio.wait(tasks)
    return gate.asked, [task.cancelled() for task in tasks]


def test_resolve_cancelled_waiter_leaves_the_others_waiting() -> None:
    assert asyncio.run(cancel_one(1)) == (1, [False, True, False])


def test_resolve_cancelled_asker_hands_the_question_on() -> None:
    assert asyncio.run(cancel_one(0)) == (2, [True, False, False])


def test_resolve_everybody_cancelled_leaves_nothing_behind() -> None:
    async def run() -> int:
        cache = CachingResolver(Gate(), Clock(), 10)
        tasks = [asyncio.ensure_future(cache.resolve("a.example", "A")) for _ in range(3)]
        await turns()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


def test_resolve_inner_that_raises_frees_the_question() -> None:
    class Faulty:
        def __init__(self, *ways: Callable[[], Awaitable[Answer]]) -> None:
            self.ways = list(ways)

        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            return await self.ways.pop(0)()

    async def fails() -> Answer:
        raise ConnectionResetError

    async def answers() -> Answer:
        return Answer(Outcome.ANSWER, ("192.0.2.1",), 60)

    async def run() -> Answer:
        cache = CachingResolver(Faulty(fails, answers), Clock(), 10)
        with pytest.raises(ConnectionResetError):
            await cache.resolve("a.example", "A")
        return await cache.resolve("a.example", "A")

    assert asyncio.run(run()).outcome is Outcome.ANSWER
