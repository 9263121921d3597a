"""A message that is large, and one that takes longer than our own client waits."""

from __future__ import annotations

import asyncio
import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from milter.core.address import Mailbox
from milter.core.errors import RelayError
from milter.relay.large import LARGE, slices
from milter.relay.outcome import Sent
from milter.relay.partial import PartialDeliveries
from milter.relay.protocol import wire_form
from milter.relay.timers import Timers
from reputation.memory import MemoryStore
from tests.support.relay import MESSAGE, SHORT, a_client, a_next_hop, send_one
from tests.support.scripted_server import Deed, ScriptedServer
from tests.support.stores import client_of

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run

# Large messages.


class CountingExecutor(ThreadPoolExecutor):
    """The threads of a loop, and how often one was asked for."""

    def __init__(self, max_workers: int = 2) -> None:
        super().__init__(max_workers)
        self.asked = 0
        self.asked_twice = asyncio.Event()

    def submit(self, *args: Any, **more: Any) -> Future[Any]:
        """Count and go on."""
        self.asked += 1
        if self.asked == 2:
            self.asked_twice.set()
        return super().submit(*args, **more)


@pytest.mark.parametrize(
    ("size", "dotted", "remembering", "asked"),
    [
        pytest.param(LARGE, True, False, 0, id="not-large"),
        pytest.param(LARGE + 1, False, False, 0, id="large-without-dots"),
        pytest.param(LARGE + 1, True, False, 1, id="large-with-dots"),
        # The store is asked in a thread of its own.
        pytest.param(LARGE, True, True, 0, id="not-large-and-remembered"),
        pytest.param(LARGE + 1, True, True, 2, id="large-with-dots-and-remembered"),
    ],
)
def test_deliver_large_message_is_made_ready_in_a_thread(
    run: Run, size: int, *, dotted: bool, remembering: bool, asked: int
) -> None:
    start = b".a\r\n" if dotted else b"aa\r\n"
    message = (start * (size // len(start) + 1))[: size - 2] + b"\r\n"
    store = MemoryStore(lambda length: b"k" * length)
    partial = PartialDeliveries(client_of(store)) if remembering else None

    async def main() -> None:
        executor = CountingExecutor()
        asyncio.get_running_loop().set_default_executor(executor)
        async with ScriptedServer() as server, a_next_hop(server, partial=partial) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            await relaying.deliver({1: [message]}, None, Sent(original=message, dotted=dotted))

            assert executor.asked == asked
            (wire,) = server.messages
            assert wire == (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]

    run(main())


async def answered_in_the_middle(words: bytes) -> str:
    """Return how a message ends of which the hop reads nothing before it says `words`."""
    async with ScriptedServer() as server, a_next_hop(server) as hop:
        assert await hop.probe() is None
        server.protocols[0].stop_reading_after("DATA")
        # More than sockets hold.
        message = MESSAGE + b"0123456789abcdef\r\n" * 2_000_000
        task = asyncio.get_running_loop().create_task(send_one(hop, message=message))
        await server.until(lambda: "DATA" in server.connections[0].verbs)
        server.protocols[0].write(words)
        async with asyncio.timeout(10):
            return await task


@pytest.mark.parametrize("words", ["552 5.3.4 too big for me", "452 4.3.1 no room"])
def test_refusal_in_the_middle_of_a_message_is_the_hops_own(run: Run, words: str) -> None:
    async def main() -> None:
        assert await answered_in_the_middle(words.encode() + b"\r\n") == words

    run(main())


@pytest.mark.parametrize("words", [b"250 Ok\r\n", b"421 4.3.2 going\r\n", b"what?\r\n", b"552"])
def test_other_words_in_the_middle_of_a_message_are_no_answer(run: Run, words: bytes) -> None:
    async def main() -> None:
        with pytest.raises(RelayError):
            await answered_in_the_middle(words)

    run(main())


def test_cancelled_while_a_thread_makes_the_message_ready_sends_nothing(run: Run) -> None:
    go_on = threading.Event()

    async def main() -> None:
        executor = CountingExecutor(max_workers=1)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor)
        # The only thread is busy, so the message waits for it.
        busy = loop.run_in_executor(None, go_on.wait, 10)
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            task = loop.create_task(relaying.deliver({1: [b".a\r\n" * LARGE]}))
            async with asyncio.timeout(10):
                await executor.asked_twice.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.connections[0].closed

            assert not relaying.final_dot_sent
            assert server.connections[0].unfinished == b""
            assert server.messages == []
            go_on.set()
            await busy
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"

    run(main())


@pytest.mark.parametrize("before", range(4))
def test_slices_of_a_message_are_stuffed_as_the_whole(before: int) -> None:
    # Lines of four octets, so that each of the four comes to stand at a cut.
    message = b"x" * before + b"\r\n" + b".a\r\n" * 200_000

    stuffed = b"".join(wire_form(slices([message[:7], b"", message[7:]])))

    assert stuffed == message.replace(b"\r\n.", b"\r\n..")


# The patience of our own client.


@pytest.mark.parametrize(
    ("stage", "timers"),
    [
        pytest.param("DATA", Timers(dot_by_s=SHORT), id="no-354"),
        pytest.param("RSET", Timers(dot_by_s=SHORT), id="no-answer-to-rset-where-redirected"),
        pytest.param("body", Timers(dot_by_s=SHORT), id="message-not-taken"),
        pytest.param("late", Timers(dot_by_s=0), id="too-late-already"),
    ],
)
def test_deliver_is_given_up_before_the_dot_where_the_client_would_wait_too_long(
    run: Run, stage: str, timers: Timers
) -> None:
    message = [b"x" * 78 + b"\r\n"] * (400_000 if stage == "body" else 1)

    async def main() -> None:
        async with (
            ScriptedServer({stage: Deed.SILENCE}) as server,
            a_next_hop(server, timers=replace(timers, quit_s=SHORT)) as hop,
        ):
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            if stage == "body":
                server.protocols[0].stop_reading_after("DATA")
            redirects = {1: Mailbox("held", "example.org")} if stage == "RSET" else {}
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout(10):
                with pytest.raises(RelayError) as caught:
                    await relaying.deliver({1: message}, redirects, Sent(dot_at=now))

            assert caught.value.temporary
            assert not relaying.final_dot_sent
            assert hop._pool.kept == 0
            assert server.messages == []

    run(main())


@pytest.mark.parametrize("groups", [1, 2])
def test_deliver_answer_is_not_awaited_longer_than_the_client_waits(run: Run, groups: int) -> None:
    async def main() -> None:
        timers = Timers(answer_by_s=SHORT, quit_s=SHORT)
        async with (
            ScriptedServer({".": Deed.SILENCE}) as server,
            a_next_hop(server, timers=timers) as hop,
        ):
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            for number in range(groups):
                await relaying.rcpt(b"TO:<c@d>", f"c@{number}", number)
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout(10):
                delivered = await relaying.deliver(
                    {number: [MESSAGE] for number in range(groups)}, None, Sent(dot_at=now)
                )

            assert delivered.reply.code == 451
            assert delivered.unknown == tuple(f"c@{number}" for number in range(groups))
            assert server.messages == [MESSAGE] * groups

    run(main())


def test_kept_connection_has_forgotten_how_long_the_last_client_waited(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            now = asyncio.get_running_loop().time()
            await relaying.deliver({1: [MESSAGE]}, None, Sent(dot_at=now))
            (kept,) = hop._pool._kept

            assert kept._give_up_at == math.inf
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 1

    run(main())
