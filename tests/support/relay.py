"""A next hop of ours in front of a scripted server, and clients to speak for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from milter.core.connection import Connection, Direction
from milter.core.ids import SessionId
from milter.relay.nexthop import NextHop
from milter.relay.outcome import Sent
from milter.relay.partial import PartialDeliveries
from milter.relay.timers import Timers
from milter.settings import NextHop as NextHopSettings
from reputation.memory import MemoryStore
from tests.support.stores import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from milter.relay.outcome import Delivered
    from tests.support.scripted_server import ScriptedServer

# Short enough for a test that waits for one, long enough for a busy machine.
SHORT = 0.2
ORIGINAL = b"the message as the client sent it"
MESSAGE = b"Subject: hello\r\n\r\nHow are you?\r\n"
HURRIED = Timers(
    greeting_s=SHORT,
    ehlo_s=SHORT,
    mail_s=SHORT,
    rcpt_s=SHORT,
    data_s=SHORT,
    block_s=SHORT,
    final_s=SHORT,
    reset_s=SHORT,
    quit_s=SHORT,
)


def a_client(session_id: str = "S1", client_ip: str = "192.0.2.7", **more: Any) -> Connection:
    """A client that said EHLO from a documentation address."""
    values: dict[str, Any] = {
        "listener": "inbound",
        "direction": Direction.INBOUND,
        "client_ip": ip_address(client_ip),
        "client_port": 40000,
        "helo_name": "client.example",
        "esmtp": True,
    }
    return Connection(session_id=SessionId(session_id), **(values | more))


@asynccontextmanager
async def a_next_hop(
    *servers: ScriptedServer | str,
    timers: Timers | None = None,
    partial: PartialDeliveries | None = None,
    **settings: Any,
) -> AsyncIterator[NextHop]:
    """A next hop whose hosts are `servers`; closed at the end."""
    hosts = [server if isinstance(server, str) else server.address for server in servers]
    values: dict[str, Any] = {"hosts": tuple(hosts), "pass_client": "none"}
    hop = NextHop(
        NextHopSettings(**(values | settings)),
        "gate.example",
        clock=asyncio.get_running_loop().time,
        timers=timers or Timers(quit_s=SHORT),
        partial=partial,
    )
    try:
        yield hop
    finally:
        await hop.close()


async def send_one(
    hop: NextHop,
    client: Connection | None = None,
    recipients: Sequence[str] = ("c@example.org",),
    message: bytes = MESSAGE,
) -> str:
    """Relay one message; return the last reply as text."""
    relaying = hop.open(client or a_client())
    try:
        reply = await relaying.mail(b"FROM:<a@example.net>")
        if not reply.accepted:
            return str(reply)
        for recipient in recipients:
            reply = await relaying.rcpt(f"TO:<{recipient}>".encode(), recipient, "group")
            if not reply.accepted:
                return str(reply)
        return str((await relaying.deliver({"group": [message]})).reply)
    finally:
        relaying.abort()


def by_name(server: ScriptedServer) -> str:
    return server.address.replace("127.0.0.1", "localhost")


def a_memory(now: float = 1000.0) -> PartialDeliveries:
    """A memory of partial deliveries that stands at one time."""
    return PartialDeliveries(client_of(MemoryStore(lambda size: b"k" * size), lambda: now))


async def relay(
    hop: NextHop,
    recipients: Sequence[str],
    original: bytes | None = ORIGINAL,
    mail: bytes = b"FROM:<a@b>",
    *,
    retraced: bool = False,
) -> Delivered:
    """Relay one message to a group; return what became of it."""
    relaying = hop.open(a_client())
    try:
        await relaying.mail(mail)
        for recipient in recipients:
            await relaying.rcpt(f"TO:<{recipient}>".encode(), recipient, 1)
        return await relaying.deliver({1: [MESSAGE]}, None, Sent(original, retraced=retraced))
    finally:
        relaying.abort()
