"""Dialogs of mail servers with the milter door over a real socket."""

from __future__ import annotations

import contextlib
import resource
from typing import TYPE_CHECKING

import pytest

from tests.support import milter_packets as mta
from tests.support.milter_door import MailServer, running_milter
from tests.support.milter_session import a_door
from tests.support.pipeline import Asks

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = mta.offer() + mta.connect() + mta.helo()
# More than the default of sessions that one client may hold: a mail server is no client.
_MANY = 1000


def test_message_byte_by_byte_gets_its_verdict() -> None:
    with running_milter(a_door()) as milter, MailServer(milter.port) as server:
        for octet in BEGIN + mta.a_message(mta.GTUBE):
            server.send(bytes([octet]))
        assert [server.answer().letter for _ in range(3)] == ["O", "c", "c"]
        assert server.verdict().letter == "y"


def test_two_messages_in_one_write_get_a_verdict_each() -> None:
    with running_milter(a_door()) as milter, MailServer(milter.port) as server:
        server.send(BEGIN + mta.a_message() + mta.a_message(mta.GTUBE))
        assert [server.answer().letter for _ in range(3)] == ["O", "c", "c"]
        assert server.verdict().letter == "c"
        assert [server.answer().letter for _ in range(2)] == ["c", "c"]
        assert server.verdict().letter == "y"


@pytest.mark.parametrize("end", [mta.QUIT, mta.packet("Z")], ids=["quit", "no-packet"])
def test_message_that_the_end_of_the_connection_follows_at_once_gets_its_verdict(
    end: bytes,
) -> None:
    with running_milter(a_door()) as milter, MailServer(milter.port) as server:
        server.send(BEGIN + mta.a_message(mta.GTUBE) + end)
        assert [server.answer().letter for _ in range(3)] == ["O", "c", "c"]
        assert server.verdict().letter == "y"
        assert server.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff\xff" + b"x" * 1000, id="length-that-lies"),
        pytest.param(b"\0\0\0\0", id="nothing-inside"),
        pytest.param(BEGIN + mta.END_OF_MESSAGE, id="out-of-order"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="a-browser"),
        pytest.param(mta.offer(version=1), id="a-version-that-nobody-speaks"),
    ],
)
def test_connection_that_breaks_the_protocol_is_closed_and_counted(data: bytes) -> None:
    with running_milter(a_door()) as milter, MailServer(milter.port) as server:
        server.send(data)
        with contextlib.suppress(EOFError, ConnectionResetError):
            while server.answer().letter == "O":
                pass
        assert server.is_closed()
        milter.wait_until_empty()
        assert milter.broken("malformed") == 1


def test_mail_server_that_goes_in_a_body_leaves_nothing_behind() -> None:
    with running_milter(a_door()) as milter:
        with MailServer(milter.port) as server:
            server.send(BEGIN + mta.mail() + mta.rcpt() + mta.header("A", " b"))
            server.send(mta.END_OF_HEADER + mta.body(b"x" * 60_000))
            assert [server.answer().letter for _ in range(3)] == ["O", "c", "c"]
            assert milter.limits.bytes_in_flight > 0
        milter.wait_until_empty()
        assert milter.limits.bytes_in_flight == 0
        assert milter.broken("gone") == 1


def test_mail_server_that_goes_while_we_judge_cancels_the_checks() -> None:
    check = Asks(answered=False)
    with running_milter(a_door(check)) as milter:
        with MailServer(milter.port) as server:
            server.send(BEGIN + mta.a_message())
            assert [server.answer().letter for _ in range(3)] == ["O", "c", "s"]
        milter.wait_until_empty()
        assert check.cancelled == 1


def test_packet_that_never_ends_is_given_up() -> None:
    door = a_door(limits={"data_timeout_s": 0.1})
    with running_milter(door) as milter, MailServer(milter.port) as server:
        server.send(mta.offer() + mta.connect()[:-3])
        assert server.answer().letter == "O"
        assert server.is_closed()
        milter.wait_until_empty()
        assert milter.broken("timeout") == 1


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of many connections are in this process, which may open few files by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * _MANY)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_idle_connections_leave_room_for_one_more() -> None:
    door = a_door(limits={"sessions": _MANY + 1})
    with running_milter(door) as milter, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(MailServer(milter.port)) for _ in range(_MANY)]
        for server in idle:
            server.send(BEGIN)
        assert {server.answer().letter for server in idle} == {"O"}
        server = stack.enter_context(MailServer(milter.port))
        server.send(BEGIN + mta.a_message())
        assert [server.answer().letter for _ in range(3)] == ["O", "c", "c"]
        assert server.verdict().letter == "c"


def test_connection_beyond_the_limit_is_closed_at_once() -> None:
    with running_milter(a_door(limits={"sessions": 1})) as milter, contextlib.ExitStack() as stack:
        first = stack.enter_context(MailServer(milter.port))
        first.send(mta.offer())
        assert first.answer().letter == "O"
        assert stack.enter_context(MailServer(milter.port)).is_closed()


def test_drain_lets_a_session_come_to_its_end_and_ends_who_has_none() -> None:
    with running_milter(a_door()) as milter, contextlib.ExitStack() as stack:
        waiting = stack.enter_context(MailServer(milter.port))
        busy = stack.enter_context(MailServer(milter.port))
        waiting.send(mta.offer())
        busy.send(BEGIN + mta.mail() + mta.rcpt())
        assert waiting.answer().letter == "O"
        assert [busy.answer().letter for _ in range(2)] == ["O", "c"]
        drained = milter.begin_drain(20)
        assert waiting.is_closed()
        busy.send(mta.content())
        assert busy.answer().letter == "c"
        assert busy.verdict().letter == "c"
        busy.send(mta.QUIT)
        drained.result(20)
        assert busy.is_closed()


def test_drain_that_takes_too_long_cuts_the_session() -> None:
    with running_milter(a_door()) as milter, MailServer(milter.port) as server:
        server.send(BEGIN + mta.mail())
        assert server.answer().letter == "O"
        milter.begin_drain(0.05).result(20)
        assert server.is_closed()
