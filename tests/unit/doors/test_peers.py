"""Who is at the other end of a real socket, in the loop that the daemon runs on."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
import uvloop

from milter.doors.peers import PeerGoneError, is_local, peer_of
from milter.doors.teaching import Teacher
from milter.milter8.server import MilterServer
from milter.spamd.server import SpamdServer
from milter.spamd.session import SpamdDoor
from reputation.memory import MemoryStore
from tests.support import milter_packets as mta
from tests.support.http_door import MESSAGE, a_whole_door
from tests.support.milter_session import a_door
from tests.support.resets import say_and_reset
from tests.support.stores import client_of, random_bytes

if TYPE_CHECKING:
    from pathlib import Path

_TELL = b"TELL SPAMC/1.5\r\nMessage-class: spam\r\nSet: local\r\nContent-length: %d\r\n\r\n%b" % (
    len(MESSAGE),
    MESSAGE,
)


async def _seen(listening: socket.socket, client: socket.socket | None) -> asyncio.BaseTransport:
    """Return the transport of the next connection on a socket that listens."""
    made: asyncio.Future[asyncio.BaseTransport] = asyncio.get_running_loop().create_future()

    class Looking(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Looking, sock=listening)
    if client is not None:
        client.connect(listening.getsockname())
    try:
        return await made
    finally:
        server.close()


def test_client_on_a_unix_socket_has_no_address(tmp_path: Path) -> None:
    async def test() -> None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with socket.socket(socket.AF_UNIX) as client:
            transport = await _seen(listening, client)
            assert is_local(transport)
            assert peer_of(transport) == (None, 0)
            transport.close()

    uvloop.run(test())


def test_client_over_the_network_has_its_address() -> None:
    async def test() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        with socket.socket() as client:
            transport = await _seen(listening, client)
            assert not is_local(transport)
            assert peer_of(transport) == (ip_address("127.0.0.1"), client.getsockname()[1])
            transport.close()

    uvloop.run(test())


def test_client_that_reset_its_connection_is_not_on_a_unix_socket() -> None:
    async def test() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        say_and_reset(listening.getsockname(), b"x")
        transport = await _seen(listening, None)
        assert not is_local(transport)
        with pytest.raises(PeerGoneError):
            peer_of(transport)
        transport.close()

    uvloop.run(test())


def test_lesson_of_a_client_that_reset_its_connection_is_not_taken() -> None:
    async def test() -> None:
        store = client_of(MemoryStore(random_bytes()))
        teacher = Teacher(store)
        server = SpamdServer(SpamdDoor(a_whole_door(), teacher))
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        address = listening.getsockname()
        await server.serve(listening)
        say_and_reset(address, _TELL)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"PING SPAMC/1.2\r\n\r\n")
        assert await reader.read() == b"SPAMD/1.5 0 PONG\r\n"
        writer.close()
        await server.drain(10)
        assert await teacher.lessons() == 0

    uvloop.run(test())


def test_mail_server_that_reset_its_connection_has_no_session() -> None:
    async def test() -> None:
        door = a_door(listener={"clients": ["192.0.2.0/24"]})
        server = MilterServer(door)
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        address = listening.getsockname()
        await server.serve(listening)
        say_and_reset(address, mta.a_session(mta.a_message()))
        reader, writer = await asyncio.open_connection(*address)
        assert await reader.read() == b""
        writer.close()
        await server.drain(10)
        door.metrics.flush()
        value = door.metrics.registry.get_sample_value
        assert not value("gatepost_sessions_total")
        assert value("gatepost_sessions_refused_total", {"reason": "not_admitted"}) == 1

    uvloop.run(test())
