import asyncio
from collections.abc import Callable

import pytest

from milter.auth.bridge import ask, run_with_dns
from milter.core.errors import LocalProtocolError
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Rrtype

Ask = Callable[[str, Rrtype], Answer]


def zone_of(number: int) -> FakeResolver:
    return FakeResolver({"a.example": {"A": [f"192.0.2.{number}"]}, "quiet.example": "silence"})


def addresses(dns: Ask) -> list[object]:
    return [*dns("a.example", "A").records, *dns("a.example", "A").records]


def test_run_with_dns_lookups_reach_the_resolver() -> None:
    resolver = zone_of(1)
    assert asyncio.run(run_with_dns(addresses, resolver)) == ["192.0.2.1", "192.0.2.1"]
    assert resolver.asked == [("a.example", "A"), ("a.example", "A")]


def test_run_with_dns_many_at_once_do_not_mix() -> None:
    class Slow:
        def __init__(self, inner: FakeResolver) -> None:
            self.inner = inner

        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            await asyncio.sleep(0)
            return await self.inner.resolve(name, rrtype)

    async def run() -> list[list[object]]:
        calls = [run_with_dns(addresses, Slow(zone_of(number))) for number in range(20)]
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == [[f"192.0.2.{number}"] * 2 for number in range(20)]


def test_run_with_dns_exception_of_the_function_comes_out() -> None:
    def fails(dns: Ask) -> None:
        dns("a.example", "A")
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(run_with_dns(fails, zone_of(1)))


def test_run_with_dns_exception_of_the_resolver_comes_out_and_unwinds() -> None:
    class Faulty:
        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            raise ConnectionResetError

    unwound: list[bool] = []

    def waits(dns: Ask) -> None:
        try:
            dns("a.example", "A")
        finally:
            unwound.append(True)

    with pytest.raises(ConnectionResetError):
        asyncio.run(run_with_dns(waits, Faulty()))
    assert unwound == [True]


def cancelled_while(function: Callable[[Ask], object]) -> bool:
    async def run() -> bool:
        task = asyncio.ensure_future(run_with_dns(function, zone_of(1)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    return asyncio.run(run())


def test_run_with_dns_cancelled_unwinds_the_function() -> None:
    unwound: list[bool] = []

    def waits(dns: Ask) -> None:
        try:
            dns("quiet.example", "A")
        finally:
            unwound.append(True)

    assert cancelled_while(waits)
    assert unwound == [True]


def test_run_with_dns_cancelled_ends_a_function_that_swallows_everything() -> None:
    steps: list[int] = []

    def swallows(dns: Ask) -> None:
        for step in range(3):
            try:
                dns("quiet.example", "A")
            except:  # noqa: E722 - what pyspf does
                steps.append(step)

    assert cancelled_while(swallows)
    assert steps == [0, 1, 2]


def test_run_with_dns_cancelled_stays_so_when_the_function_raises_another() -> None:
    def turns(dns: Ask) -> None:
        try:
            dns("quiet.example", "A")
        except BaseException as err:
            raise ConnectionResetError from err

    assert cancelled_while(turns)


def test_ask_outside_of_the_bridge_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        ask("a.example", "A")
