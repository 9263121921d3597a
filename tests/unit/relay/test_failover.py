"""The first host fails where that shows only after it took the connection; the second is well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.relay.nexthop import NextHop
from milter.relay.timers import Timers
from milter.settings import NextHop as NextHopSettings
from tests.support.relay import SHORT, a_next_hop, send_one
from tests.support.scripted_server import Deed, Script, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.relay.conftest import Run

TAKEN = "250 2.0.0 Ok: queued as ABC"


def a_hop_with_clock(clock: Callable[[], float], *addresses: str) -> NextHop:
    """A next hop that keeps no connection."""
    settings = NextHopSettings.model_validate(
        {"hosts": addresses, "pass_client": "none", "idle_s": 0}
    )
    return NextHop(settings, "gate.example", clock=clock, timers=Timers(quit_s=SHORT))


@pytest.mark.parametrize("stage", ["connect", "EHLO"])
def test_host_that_hangs_is_given_up_while_another_is_left(run: Run, stage: str) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({stage: Deed.SILENCE}) as hung,
            ScriptedServer() as well,
            a_next_hop(hung, well, timers=Timers(failover_s=SHORT), idle_s=0) as hop,
        ):
            async with asyncio.timeout(10):
                assert await send_one(hop) == TAKEN
            await hung.connections[0].closed
            # It is tried last now.
            assert await send_one(hop) == TAKEN
            assert len(hung.connections) == 1

    run(main())


def test_last_host_has_all_the_time_that_a_greeting_may_take(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"connect": Deed.SILENCE}) as hung,
            ScriptedServer({"connect": Deed.SILENCE}) as slow,
            a_next_hop(hung, slow, timers=Timers(failover_s=0, quit_s=SHORT)) as hop,
        ):
            task = asyncio.get_running_loop().create_task(send_one(hop))
            await slow.until(lambda: bool(slow.connections))
            slow.protocols[0].write(b"220 hop.example\r\n")
            assert await task == TAKEN

    run(main())


@pytest.mark.parametrize(
    ("waited_s", "failed"),
    [pytest.param(11.0, True, id="long"), pytest.param(9.0, False, id="not-long")],
)
def test_host_for_which_nobody_waits_any_more_counts_as_failed(
    run: Run, waited_s: float, *, failed: bool
) -> None:
    now = [0.0]

    async def main() -> None:
        script: Script = {"connect": [b"220 hop.example\r\n", Deed.SILENCE]}
        async with ScriptedServer(script) as hung, ScriptedServer() as well:
            hop = a_hop_with_clock(lambda: now[0], hung.address, well.address)
            await hop.probe()
            task = asyncio.get_running_loop().create_task(send_one(hop))
            await hung.until(lambda: len(hung.connections) == 2)
            now[0] = waited_s
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert hop.up is not failed
            assert await send_one(hop) == TAKEN
            assert len(well.messages) == failed
            await hop.close()

    run(main())


def test_host_that_failed_is_tried_again_by_one_alone(run: Run) -> None:
    now = [0.0]

    async def main() -> None:
        script = {"connect": [Deed.CLOSE, Deed.SILENCE]}
        async with ScriptedServer(script) as hung, ScriptedServer() as well:
            hop = a_hop_with_clock(lambda: now[0], hung.address, well.address)
            assert await send_one(hop) == TAKEN
            now[0] = 31.0
            task = asyncio.get_running_loop().create_task(send_one(hop))
            await hung.until(lambda: len(hung.connections) == 2)
            assert await send_one(hop) == TAKEN
            assert len(well.messages) == 2
            task.cancel()
            await asyncio.wait([task])
            await hop.close()

    run(main())


def test_probe_waits_for_each_host_so_long(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"connect": Deed.SILENCE}) as hung,
            ScriptedServer() as well,
            a_next_hop(hung, well) as hop,
        ):
            async with asyncio.timeout(10):
                assert await hop.probe(SHORT) is None
            assert hop.up

    run(main())


def test_probe_of_a_host_that_hangs_says_so(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"connect": Deed.SILENCE}) as hung,
            a_next_hop(hung) as hop,
        ):
            async with asyncio.timeout(10):
                error = await hop.probe(SHORT)
            assert error is not None
            assert error.what == "not ready within 0.2 s"
            assert not hop.up

    run(main())
