"""A kept connection that the hop gives up at the very moment when it is used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.relay import a_client, a_next_hop, send_one
from tests.support.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run

TAKEN = "250 2.0.0 Ok: queued as ABC"
IDLE = b"421 4.4.2 idle\r\n"


@pytest.mark.parametrize("told_by", ["none", "xforward", "xclient", "proxy"])
def test_hop_that_just_said_421_to_an_idle_connection_costs_no_message(
    run: Run, told_by: str
) -> None:
    ehlo = b"250-hop.example\r\n250 XCLIENT NAME ADDR\r\n"

    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": ehlo}, proxy=told_by == "proxy") as server,
            a_next_hop(server, pass_client=told_by) as hop,
        ):
            client = a_client()
            assert await send_one(hop, client) == TAKEN
            (kept,) = hop._pool._kept
            # Read, while the end of the connection is not yet seen.
            kept.data_received(IDLE)
            assert not kept.closed.done()
            assert await send_one(hop, client) == TAKEN
            await server.connections[0].closed
            assert [len(seen.messages) for seen in server.connections] == [1, 1]
            assert hop._pool.used == 0

    run(main())


def test_hop_that_says_421_behind_its_answer_to_rset_costs_no_message(run: Run) -> None:
    async def main() -> None:
        script = {"RSET": [b"250 ok\r\n" + IDLE]}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            relaying.abort()
            assert await send_one(hop) == TAKEN
            assert [len(seen.messages) for seen in server.connections] == [0, 1]

    run(main())
