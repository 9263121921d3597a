"""Fifty thousand look-ups against a server that lies most of the time leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
import uvloop

from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.dns.resolver import Outcome
from milter.settings import Dns

pytestmark = pytest.mark.slow

_LOOK_UPS = 50_000
_AT_ONCE = 200
_RECORD = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\x7f\0\0\2"
_LOOP = b"\xff\xff\0\1\0\1\0\0\x0e\x10\0\4\x7f\0\0\2"
_SOA = b"\0\0\6\0\1\0\0\3\x84\0\x16\0\0" + bytes(16) + b"\0\0\0\x78"


class _Liar(asyncio.DatagramProtocol):
    """Answers with one kind of packet after the other, most of them false."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.count += 1
        ident, question = data[:2], data[12 : data.index(b"\0", 12) + 5]
        one = b"\0\1\0\1\0\0\0\0" + question
        none = b"\0\1\0\0\0\1\0\0" + question
        packets = (
            ident + b"\x81\x80" + one + _RECORD,
            ident + b"\x81\x83" + none + _SOA,
            ident + b"\x81\x80" + one + _LOOP,
            ident + b"\x81\x80" + one + _RECORD[:-1],
            ident + b"\x81\x82" + one,
            b"\0" * 30,
            ident + b"\x81\x80" + one + _RECORD + bytes(6000),
            ident + b"\x81\x80" + b"\0\1\0\1\0\0\0\0\1b\0\0\1\0\1" + _RECORD,
            b"",
        )
        # Every third question finds the truth, as often as all lies together.
        self.transport.sendto(packets[self.count % len(packets) if self.count % 3 else 0], addr)


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4


def _descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def _run() -> tuple[dict[Outcome, int], list[int], int, int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        _Liar, ("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    outcomes: dict[Outcome, int] = {}
    memory: list[int] = []
    names = iter(range(_LOOK_UPS))
    with closing(DnsClient([("127.0.0.1", port)], 0.05, 1)) as client:
        cache = CachingResolver(client, time.monotonic, Dns(cache_entries=2000))

        async def ask() -> None:
            for number in names:
                answer = await cache.resolve(f"n{number}.bl.example", "A")
                outcomes[answer.outcome] = outcomes.get(answer.outcome, 0) + 1
                if number % 10_000 == 9_999:
                    gc.collect()
                    memory.append(_resident_kib())

        before = _descriptors()
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(ask())
        more = _descriptors() - before
        left = len(asyncio.all_tasks())
    transport.close()
    return outcomes, memory, more, left


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_look_ups_of_a_liar_leave_nothing_behind(loop: str) -> None:
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        outcomes, memory, descriptors, tasks = runner.run(_run())
    assert sum(outcomes.values()) == _LOOK_UPS
    assert set(outcomes) == {
        *(Outcome.ANSWER, Outcome.NXDOMAIN, Outcome.SERVFAIL, Outcome.TIMEOUT),
    }
    # From the first ten thousand on, where the cache has long been full.
    assert max(memory[1:]) - memory[0] < 2048
    assert tasks == 1
    assert descriptors <= 16
