"""What the protocol does of itself, as time passes; the clock is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from milter.milter8.protocol import MilterProtocol
from milter.milter8.server import MilterServer
from tests.support import milter_packets as mta
from tests.support.milter_session import a_door, in_a_loop
from tests.support.pipeline import POLICY, Asks

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = mta.offer() + mta.connect() + mta.helo()


class Written(asyncio.Transport):
    """The other end: what was written, and whether it was closed.

    Args:
        through: The socket of the connection, where one is asked for.
    """

    def __init__(self, through: socket.socket | None = None) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "socket": through})
        self.written = b""
        self._aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what is said."""
        self.written += data

    def abort(self) -> None:
        """Take note."""
        self._aborted = True

    def was_cut(self) -> bool:
        """Whether the connection was cut."""
        return self._aborted

    def close(self) -> None:
        """Nothing else is looked at."""


class Connected:
    """A mail server's connection.

    Args:
        check: What is asked about its messages.
        through: The socket, where one is asked for.
        policy: What the messages are judged by.
    """

    def __init__(
        self, check: Asks, through: socket.socket | None = None, policy: str = POLICY
    ) -> None:
        door = a_door(check, policy=policy)
        self.loop = asyncio.get_running_loop()
        self.wire = Written(through)
        self.door = door
        self.protocol = MilterProtocol(door, MilterServer(door), self.loop)
        self.protocol.connection_made(self.wire)

    async def says(self, data: bytes) -> None:
        """Take bytes of the mail server."""
        self.protocol.data_received(data)
        await asyncio.sleep(0)

    def after(self, seconds: float) -> None:
        """Have the server look after the connection in `seconds`."""
        self.protocol.look_after(self.loop.time() + seconds)

    def leaves(self) -> str:
        """End the connection; return why, as it is counted."""
        self.protocol.connection_lost(None)
        metrics = self.door.metrics
        metrics.flush()
        name = "gatepost_milter_broken_total"
        reasons = ("malformed", "gone", "timeout")
        counted = [r for r in reasons if metrics.registry.get_sample_value(name, {"reason": r})]
        return ",".join(counted)


@in_a_loop
async def test_who_waits_for_a_verdict_is_told_that_we_still_work() -> None:
    connected = Connected(Asks(answered=False))
    await connected.says(BEGIN + mta.a_message())
    connected.after(9)
    assert mta.letters(connected.wire.written) == "Ocs"
    connected.after(11)
    assert mta.letters(connected.wire.written) == "Ocsp"
    assert not connected.wire.was_cut()


@in_a_loop
async def test_who_waits_for_a_recipient_is_not_told_what_is_for_the_end_of_a_message() -> None:
    check = Asks(answered=False)
    connected = Connected(check, policy="version: 1\nname: test\nearly: {rcpt: 5}\n")
    await connected.says(BEGIN + mta.mail() + mta.rcpt())
    assert mta.letters(connected.wire.written) == "O"
    for seconds in (11, 22, 400):
        connected.after(seconds)
    assert mta.letters(connected.wire.written) == "O"
    assert not connected.wire.was_cut()


@pytest.mark.parametrize(
    ("data", "patience_s"),
    [
        pytest.param(b"", 7210, id="nothing"),
        pytest.param(mta.offer(), 7210, id="no-client"),
        pytest.param(BEGIN + mta.mail(), 7210, id="a-slow-client"),
        pytest.param(BEGIN + mta.mail()[:-1], 180, id="half-a-packet"),
    ],
)
@in_a_loop
async def test_who_says_nothing_more_is_given_up(data: bytes, patience_s: float) -> None:
    connected = Connected(Asks())
    await connected.says(data)
    connected.after(patience_s - 10)
    assert not connected.wire.was_cut()
    connected.after(patience_s + 10)
    assert connected.wire.was_cut()
    assert connected.leaves() == "timeout"


@in_a_loop
async def test_who_does_not_read_is_given_up() -> None:
    connected = Connected(Asks())
    connected.protocol.pause_writing()
    await connected.says(BEGIN + mta.a_message())
    assert connected.wire.written == b""
    connected.after(190)
    assert connected.wire.was_cut()


@in_a_loop
async def test_who_reads_again_gets_all_answers() -> None:
    connected = Connected(Asks())
    connected.protocol.pause_writing()
    await connected.says(BEGIN + mta.mail())
    await connected.says(mta.rcpt())
    connected.protocol.resume_writing()
    assert mta.letters(connected.wire.written) == "Oc"


@in_a_loop
async def test_nothing_is_said_to_who_left_while_we_judged() -> None:
    check = Asks(answered=False)
    connected = Connected(check)
    await connected.says(BEGIN + mta.a_message())
    assert connected.leaves() == "gone"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert check.cancelled == 1
    assert mta.letters(connected.wire.written) == "Ocs"


@contextlib.contextmanager
def slow_to_acknowledge(family: socket.AddressFamily) -> Iterator[socket.socket]:
    """Give our side of a connection whose kernel waits for an answer before it acknowledges."""
    unix = family == socket.AF_UNIX
    with socket.socket(family) as listening:
        listening.bind("" if unix else ("127.0.0.1", 0))
        listening.listen()
        with socket.socket(family) as theirs:
            theirs.connect(listening.getsockname())
            ours, _ = listening.accept()
            with ours:
                if not unix:
                    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
                yield ours


@pytest.mark.parametrize(
    ("data", "at_once"),
    [
        pytest.param(mta.macros("L", i="4XyZ"), 1, id="macros"),
        pytest.param(mta.header("Subject", "hello"), 0, id="nothing-is-held-back"),
        pytest.param(mta.content(), 0, id="answered"),
    ],
)
@in_a_loop
async def test_macros_are_acknowledged_at_once(data: bytes, at_once: int) -> None:
    with slow_to_acknowledge(socket.AF_INET) as ours:
        connected = Connected(Asks(), ours)
        await connected.says(BEGIN + mta.mail() + mta.rcpt())
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        await connected.says(data)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == at_once


@in_a_loop
async def test_unix_socket_has_nothing_to_acknowledge() -> None:
    with slow_to_acknowledge(socket.AF_UNIX) as ours:
        connected = Connected(Asks(), ours)
        await connected.says(BEGIN)
        await connected.says(mta.macros("M", i="4XyZ"))
        assert mta.letters(connected.wire.written) == "O"
