import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from milter.dns.cache import CachingResolver
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome, Rdata, Rrtype
from milter.settings import Dns

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
    cache = CachingResolver(inner, clock, Dns())

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
    cache = CachingResolver(inner, clock, Dns())

    async def run() -> None:
        await cache.resolve("a.example", "A")
        clock.now += 3_600
        await cache.resolve("a.example", "A")

    asyncio.run(run())
    assert inner.asked == 2


@pytest.mark.parametrize("name", ["long.example", "nowhere.example"])
def test_resolve_first_answer_says_no_longer_life_than_it_has(name: str) -> None:
    settings = Dns(max_ttl_s=200, max_negative_ttl_s=200)
    cache = CachingResolver(FakeResolver(NAMES), Clock(), settings)
    assert asyncio.run(cache.resolve(name, "A")).ttl_s == 200


def test_resolve_hit_says_the_ttl_that_is_left() -> None:
    clock = Clock()
    cache = CachingResolver(FakeResolver(NAMES), clock, Dns())

    async def run() -> list[int]:
        ttls = [(await cache.resolve("a.example", "A")).ttl_s]
        for seconds in (20.5, 20):
            clock.now += seconds
            ttls.append((await cache.resolve("a.example", "A")).ttl_s)
        return ttls

    assert asyncio.run(run()) == [60, 39, 19]


def test_resolve_least_recently_used_leaves_first() -> None:
    inner = FakeResolver({f"{c}.example": {"A": ["192.0.2.1"]} for c in "abc"})
    cache = CachingResolver(inner, Clock(), Dns(cache_entries=2))

    async def run() -> None:
        for name in ("a", "b", "a", "c", "a", "b"):
            await cache.resolve(f"{name}.example", "A")

    asyncio.run(run())
    assert [name[0] for name, _ in inner.asked] == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_resolve_what_is_no_name_is_not_asked() -> None:
    inner = FakeResolver({})
    answer = asyncio.run(CachingResolver(inner, Clock(), Dns()).resolve("a..b", "A"))
    assert answer.outcome is Outcome.NXDOMAIN
    assert inner.asked == []


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_resolve_equal_questions_in_flight_are_asked_once() -> None:
    async def run() -> tuple[int, set[Outcome]]:
        gate = Gate()
        cache = CachingResolver(gate, Clock(), Dns(cache_entries=0))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.resolve("a.example", "A")) for _ in range(5)]
            await turns()
            gate.opened.set()
        return gate.asked, {task.result().outcome for task in tasks}

    assert asyncio.run(run()) == (1, {Outcome.ANSWER})


async def cancel_one(victim: int) -> tuple[int, list[bool]]:
    """Cancel one of three waiters; return the number of queries and who was cancelled."""
    gate = Gate()
    cache = CachingResolver(gate, Clock(), Dns())
    tasks = [asyncio.ensure_future(cache.resolve("a.example", "A")) for _ in range(3)]
    await turns()
    tasks[victim].cancel()
    await turns()
    gate.opened.set()
    await asyncio.wait(tasks)
    return gate.asked, [task.cancelled() for task in tasks]


def test_resolve_cancelled_waiter_leaves_the_others_waiting() -> None:
    assert asyncio.run(cancel_one(1)) == (1, [False, True, False])


def test_resolve_cancelled_asker_leaves_the_question_to_the_others() -> None:
    assert asyncio.run(cancel_one(0)) == (2, [True, False, False])


def test_resolve_everybody_cancelled_leaves_nothing_behind() -> None:
    async def run() -> int:
        cache = CachingResolver(Gate(), Clock(), Dns())
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
        cache = CachingResolver(Faulty(fails, answers), Clock(), Dns())
        with pytest.raises(ConnectionResetError):
            await cache.resolve("a.example", "A")
        return await cache.resolve("a.example", "A")

    assert asyncio.run(run()).outcome is Outcome.ANSWER


class Flaky:
    """A resolver whose answer the test sets; None is no answer until `release`."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.asked = 0
        self.released = asyncio.Event()

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        self.asked += 1
        if self.answer is None:
            await self.released.wait()
        assert self.answer is not None
        return self.answer


FIRST = Answer(Outcome.ANSWER, ("192.0.2.1",), 60)
STALE = Answer(Outcome.ANSWER, ("192.0.2.1",), 30, stale=True)


def expired(inner: Flaky, clock: Clock, settings: Dns | None = None) -> CachingResolver:
    """Return a cache that holds an answer whose life is over."""
    cache = CachingResolver(inner, clock, settings or Dns())
    asyncio.run(cache.resolve("a.example", "A"))
    clock.now += 61
    return cache


@pytest.mark.parametrize("outcome", [Outcome.SERVFAIL, Outcome.REFUSED, Outcome.TIMEOUT])
def test_resolve_failure_is_answered_with_what_was_known(outcome: Outcome) -> None:
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock)
    inner.answer = Answer(outcome)
    assert asyncio.run(cache.resolve("a.example", "A")) == STALE


def test_resolve_stale_answer_is_tried_anew_after_half_a_minute() -> None:
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock)
    inner.answer = Answer(Outcome.TIMEOUT)
    asyncio.run(cache.resolve("a.example", "A"))
    clock.now += 29
    assert asyncio.run(cache.resolve("a.example", "A")).stale
    assert inner.asked == 2
    clock.now += 1
    inner.answer = Answer(Outcome.ANSWER, ("192.0.2.2",), 60)
    assert asyncio.run(cache.resolve("a.example", "A")) == inner.answer
    assert inner.asked == 3


def test_resolve_new_nothing_replaces_a_stale_answer() -> None:
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock)
    inner.answer = Answer(Outcome.NXDOMAIN, ttl_s=60)
    assert asyncio.run(cache.resolve("a.example", "A")) == inner.answer


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        pytest.param(Dns(), 86_400, id="after-a-day"),
        pytest.param(Dns(stale_s=0), 0, id="switched-off"),
        pytest.param(Dns(cache_entries=0), 0, id="nothing-kept"),
    ],
)
def test_resolve_too_old_an_answer_does_not_stand_in(settings: Dns, seconds: int) -> None:
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock, settings)
    clock.now += seconds
    inner.answer = Answer(Outcome.TIMEOUT)
    assert asyncio.run(cache.resolve("a.example", "A")).outcome is Outcome.TIMEOUT


def test_resolve_failure_never_stands_in_for_a_failure() -> None:
    inner, clock = Flaky(Answer(Outcome.SERVFAIL)), Clock()
    cache = expired(inner, clock)
    inner.answer = Answer(Outcome.TIMEOUT)
    assert asyncio.run(cache.resolve("a.example", "A")) == inner.answer


def test_resolve_slow_answer_is_not_waited_for_where_an_old_one_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("milter.dns.cache.STALE_AFTER_S", 0.01)
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock)
    inner.answer = None

    async def run() -> tuple[Answer, Answer]:
        before = await cache.resolve("a.example", "A")
        # Nobody waits any more, and still the question goes on to renew the answer.
        inner.answer = Answer(Outcome.ANSWER, ("192.0.2.2",), 60)
        inner.released.set()
        await turns()
        return before, await cache.resolve("a.example", "A")

    assert asyncio.run(run()) == (STALE, Answer(Outcome.ANSWER, ("192.0.2.2",), 60))
    assert inner.asked == 2


def test_resolve_quick_answer_is_better_than_an_old_one() -> None:
    inner, clock = Flaky(FIRST), Clock()
    cache = expired(inner, clock)
    inner.answer = Answer(Outcome.ANSWER, ("192.0.2.2",), 60)
    assert asyncio.run(cache.resolve("a.example", "A")) == inner.answer


def test_close_gives_those_who_wait_a_timeout() -> None:
    async def run() -> list[Outcome]:
        cache = CachingResolver(Gate(), Clock(), Dns())
        leader, *others = [asyncio.ensure_future(cache.resolve("a.example", "A")) for _ in range(3)]
        await turns()
        cache.close()
        answers = await asyncio.gather(*others)
        leader.cancel()
        await asyncio.wait([leader])
        return [answer.outcome for answer in answers]

    assert asyncio.run(run()) == [Outcome.TIMEOUT, Outcome.TIMEOUT]


def test_resolve_observe_hears_where_each_answer_is_from() -> None:
    heard: list[str] = []

    async def run() -> None:
        gate, clock = Gate(), Clock()
        cache = CachingResolver(gate, clock, Dns(), heard.append)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(cache.resolve("a.example", "A"))
            await turns()
            gate.opened.set()
        await cache.resolve("a.example", "A")

    asyncio.run(run())
    assert sorted(heard) == ["asked", "hit", "shared"]


def test_resolve_memory_is_bounded_in_octets_as_well() -> None:
    settings = Dns(cache_bytes=100_000)
    large = Answer(Outcome.ANSWER, ((b"x" * 255,) * 10,), 60)
    cache = CachingResolver(Flaky(large), Clock(), settings)

    async def run() -> None:
        for number in range(1000):
            await cache.resolve(f"n{number}.example", "TXT")

    asyncio.run(run())
    assert 10 < len(cache) < 40
    assert 0 < cache.size_bytes <= 100_000


def test_resolve_answer_larger_than_all_memory_is_not_kept() -> None:
    cache = CachingResolver(Flaky(FIRST), Clock(), Dns(cache_bytes=10))
    asyncio.run(cache.resolve("a.example", "A"))
    assert (len(cache), cache.size_bytes) == (0, 0)


def fresh(kind: str) -> Answer:
    """Return an answer of objects that nobody else holds."""
    records: dict[str, tuple[Rdata, ...]] = {
        "A": tuple(f"192.0.2.{n}" for n in range(3)),
        "TXT": tuple((bytes([n]) * 200, bytes([n]) * 40) for n in range(2)),
        "MX": tuple((1000 + n, f"mx{n}.example.org") for n in range(3)),
        "nothing": (),
    }
    outcome = Outcome.ANSWER if records[kind] else Outcome.NXDOMAIN
    return Answer(outcome, records[kind], 60)


@pytest.mark.parametrize("kind", ["A", "TXT", "MX", "nothing"])
def test_size_is_near_what_is_really_used(kind: str) -> None:
    class Fresh:
        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            return fresh(kind)

    cache = CachingResolver(Fresh(), Clock(), Dns())

    async def run() -> None:
        for number in range(2000):
            await cache.resolve(f"name-number-{number}.example", "A")

    asyncio.run(cache.resolve("warm.example", "A"))
    tracemalloc.start()
    asyncio.run(run())
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 < cache.size_bytes / used < 1.5
