"""The first host fails where that shows only after it took the connection; the second is well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from milter.core.errors import RelayError
from milter.relay.nexthop import NextHop
from milter.relay.timers import Timers
from milter.settings import NextHop as NextHopSettings
from tests.support.relay import HURRIED, SHORT, a_client, a_next_hop, send_one
from tests.support.scripted_server import Deed, Script, ScriptedServer, ThenClose

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.support.scripted_server import Answer
    from tests.unit.relay.conftest import Run

TAKEN = "250 2.0.0 Ok: queued as ABC"
XCLIENT_EHLO = b"250-hop.example\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n"


def a_hop_with_clock(clock: Callable[[], float], *addresses: str) -> NextHop:
    """A next hop that keeps no connection."""
    settings = NextHopSettings.model_validate(
        {"hosts": addresses, "pass_client": "none", "idle_s": 0}
    )
    return NextHop(settings, "gate.example", clock=clock, timers=Timers(quit_s=SHORT))


@contextlib.contextmanager
def silent_address(address: str, port: int) -> Iterator[None]:
    """Have an address answer no more connections: those that wait to be taken fill its queue."""
    with contextlib.ExitStack() as open_sockets:
        listening = open_sockets.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


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


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"XCLIENT": Deed.CLOSE}, id="closes"),
        pytest.param({"XCLIENT": Deed.SILENCE}, id="hangs"),
        pytest.param({"EHLO": [XCLIENT_EHLO, Deed.SILENCE]}, id="hangs after it"),
        pytest.param({"EHLO": b"250 hop.example\r\n"}, id="does not offer it"),
    ],
)
def test_host_that_cannot_be_told_of_the_client_is_tried_last_next_time(
    run: Run, script: Script
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": XCLIENT_EHLO, **script}) as failing,
            ScriptedServer({"EHLO": XCLIENT_EHLO}) as well,
            a_next_hop(
                failing,
                well,
                timers=Timers(failover_s=SHORT, quit_s=SHORT),
                pass_client="xclient",
                idle_s=0,
            ) as hop,
        ):
            async with asyncio.timeout(10):
                assert await send_one(hop) == TAKEN
            await failing.connections[0].closed
            assert await send_one(hop) == TAKEN
            assert len(failing.connections) == 1

    run(main())


@pytest.mark.parametrize("words", [b"421 4.7.0 too many\r\n", b"550 5.7.1 not that one\r\n"])
def test_host_that_refuses_one_client_after_xclient_is_asked_first_for_the_next(
    run: Run, words: bytes
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": XCLIENT_EHLO, "XCLIENT": [words]}) as first,
            ScriptedServer({"EHLO": XCLIENT_EHLO}) as second,
            a_next_hop(first, second, pass_client="xclient", idle_s=0) as hop,
        ):
            assert await send_one(hop) == TAKEN
            assert len(second.messages) == 1
            assert await send_one(hop, a_client("S2", "192.0.2.8")) == TAKEN
            assert len(first.messages) == 1

    run(main())


def test_address_that_is_silent_is_left_for_the_next_one_of_the_same_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def names(
        _loop: object, host: str, port: int, **_more: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        assert host == "hop.example"
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

    async def main() -> None:
        async with ScriptedServer() as well:
            _, _, port = well.address.rpartition(":")
            monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", names)
            timers = Timers(address_s=SHORT, quit_s=SHORT)
            with silent_address("127.0.0.2", int(port)):
                async with (
                    a_next_hop(f"hop.example:{port}", timers=timers) as hop,
                    asyncio.timeout(10),
                ):
                    assert await send_one(hop) == TAKEN

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


# After the answer to EHLO.


@pytest.mark.parametrize("fault", [Deed.CLOSE, b"421 4.3.2 down\r\n", b"what?\r\n", Deed.SILENCE])
@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
def test_host_that_takes_mail_and_then_fails_is_tried_last_next_time(
    run: Run, stage: str, fault: bytes | Deed
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({stage: fault}) as first,
            ScriptedServer() as second,
            a_next_hop(first, second, timers=HURRIED) as hop,
        ):
            with pytest.raises(RelayError):
                await send_one(hop)
            assert await send_one(hop) == TAKEN
            assert [len(first.connections), len(second.messages)] == [1, 1]

    run(main())


def test_host_that_closes_while_it_reads_the_message_is_tried_last_next_time(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"DATA": ThenClose(b"354 go\r\n")}) as first,
            ScriptedServer() as second,
            a_next_hop(first, second, timers=HURRIED) as hop,
        ):
            with pytest.raises(RelayError):
                await send_one(hop, message=b"x" * 78 + b"\r\n" * 4_000_000)
            assert await send_one(hop) == TAKEN
            assert [len(first.connections), len(second.messages)] == [1, 1]

    run(main())


async def refused_then_cut_off(first: ScriptedServer, hop: NextHop) -> None:
    """The first host ends a session in which it refused a recipient."""
    relaying = hop.open(a_client())
    await relaying.mail(b"FROM:<a@b>")
    assert (await relaying.rcpt(b"TO:<x@d>", "x@d", 1)).code == 550
    with pytest.raises(RelayError):
        await relaying.rcpt(b"TO:<y@d>", "y@d", 1)
    relaying.abort()


async def left_waiting(first: ScriptedServer, hop: NextHop) -> None:
    """The first host ends a session in which the client said nothing for long."""
    relaying = hop.open(a_client())
    await relaying.mail(b"FROM:<a@b>")
    assert (await relaying.rcpt(b"TO:<c@d>", "c@d", 1)).code == 250
    first.protocols[0].close()
    await relaying._groups[1].connection.closed
    with pytest.raises(RelayError):
        await relaying.rcpt(b"TO:<e@f>", "e@f", 1)
    relaying.abort()


@pytest.mark.parametrize(
    ("answers", "session"),
    [
        pytest.param(
            [b"550 5.1.1 no\r\n", b"421 4.7.0 too many errors\r\n"],
            refused_then_cut_off,
            id="after-a-refusal",
        ),
        pytest.param([], left_waiting, id="nobody-asked"),
    ],
)
def test_session_that_the_host_ends_for_what_the_client_did_says_nothing_of_the_host(
    run: Run,
    answers: list[Answer],
    session: Callable[[ScriptedServer, NextHop], Awaitable[None]],
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"RCPT": answers}) as first,
            ScriptedServer() as second,
            a_next_hop(first, second) as hop,
        ):
            await session(first, hop)
            assert await send_one(hop) == TAKEN
            assert len(first.messages) == 1

    run(main())
