"""The hop gives up a transaction while our client still sends its message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.core.address import Mailbox
from milter.core.errors import RelayError
from milter.relay.outcome import Sent
from milter.relay.timers import Timers
from tests.support.relay import MESSAGE, ORIGINAL, SHORT, a_client, a_memory, a_next_hop
from tests.support.scripted_server import Deed, Script, ScriptedServer

if TYPE_CHECKING:
    from milter.relay.delivery import Relaying
    from milter.relay.nexthop import NextHop
    from tests.unit.relay.conftest import Run

RECIPIENTS = ("c@d", "e@f")
TIMEOUT = b"421 4.4.2 hop.example Error: timeout exceeded\r\n"


async def opened(hop: NextHop, *, groups: int = 1) -> Relaying:
    """A transaction with two recipients, in one group or in two."""
    relaying = hop.open(a_client())
    await relaying.mail(b"FROM:<a@b> BODY=8BITMIME")
    for number, recipient in enumerate(RECIPIENTS):
        argument = f"TO:<{recipient}> NOTIFY=NEVER".encode()
        assert (await relaying.rcpt(argument, recipient, number % groups)).accepted
    return relaying


async def given_up(server: ScriptedServer, relaying: Relaying, words: bytes = TIMEOUT) -> None:
    """Let the server end the connection of the last group, and wait until we know."""
    connection = list(relaying._groups.values())[-1].connection
    server.protocols[-1].write(words)
    server.protocols[-1].close()
    await connection.closed


@pytest.mark.parametrize("words", [TIMEOUT, b""])
def test_group_that_was_given_up_is_named_to_a_new_connection(run: Run, words: bytes) -> None:
    async def main() -> None:
        async with (
            ScriptedServer() as server,
            a_next_hop(server, connections=1) as hop,
        ):
            relaying = await opened(hop)
            await given_up(server, relaying, words)
            delivered = await relaying.deliver({0: [MESSAGE]})

            assert str(delivered.reply) == "250 2.0.0 Ok: queued as ABC"
            assert delivered.accepted == RECIPIENTS
            assert [seen.messages for seen in server.connections] == [[], [MESSAGE]]
            assert server.connections[1].commands == [
                "EHLO gate.example",
                "MAIL FROM:<a@b> BODY=8BITMIME",
                "RCPT TO:<c@d> NOTIFY=NEVER",
                "RCPT TO:<e@f> NOTIFY=NEVER",
                "DATA",
            ]
            assert hop._pool.kept == 1

    run(main())


def test_421_that_is_read_while_the_end_is_not_seen_counts_as_well(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = await opened(hop)
            relaying._groups[0].connection.data_received(TIMEOUT)
            assert (await relaying.deliver({0: [MESSAGE]})).reply.code == 250

    run(main())


def test_one_of_two_groups_was_given_up(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = await opened(hop, groups=2)
            await given_up(server, relaying)
            delivered = await relaying.deliver({0: [b"1\r\n"], 1: [b"2\r\n"]})

            assert delivered.reply.code == 250
            assert [seen.messages for seen in server.connections] == [[b"1\r\n"], [], [b"2\r\n"]]

    run(main())


def test_redirected_group_that_was_given_up_goes_to_the_other_address(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = await opened(hop)
            await given_up(server, relaying)
            delivered = await relaying.deliver({0: [MESSAGE]}, {0: Mailbox("held", "example.org")})

            assert (delivered.reply.code, delivered.accepted) == (250, RECIPIENTS)
            rcpts = [line for line in server.connections[1].commands if line.startswith("RCPT")]
            assert rcpts == ["RCPT TO:<held@example.org> NOTIFY=NEVER"]

    run(main())


@pytest.mark.parametrize(
    ("second", "remembering", "reply", "served"),
    [
        pytest.param({"MAIL": b"452 4.3.1 full\r\n"}, True, "452 4.3.1 full", (), id="mail"),
        pytest.param({"RCPT": b"550 5.1.1 gone\r\n"}, True, "550 5.1.1 gone", (), id="every-rcpt"),
        pytest.param(
            {"RCPT": [b"550 5.1.1 gone\r\n"]},
            True,
            "451 4.3.0 Some recipients were not served, try again for them",
            ("e@f",),
            id="one-rcpt-and-it-is-remembered",
        ),
        pytest.param(
            {"RCPT": [b"550 5.1.1 gone\r\n"]},
            False,
            "451 4.3.0 Not delivered because another recipient could not be served",
            (),
            id="one-rcpt-and-nothing-is-remembered",
        ),
    ],
)
def test_group_that_was_given_up_is_refused_on_the_new_connection(
    run: Run, second: Script, reply: str, served: tuple[str, ...], *, remembering: bool
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(per_connection=[{}, second]) as server,
            a_next_hop(server, partial=a_memory() if remembering else None) as hop,
        ):
            relaying = await opened(hop)
            await given_up(server, relaying)
            delivered = await relaying.deliver({0: [MESSAGE]}, None, Sent(ORIGINAL))

            assert (str(delivered.reply), delivered.accepted) == (reply, served)
            assert len(server.messages) == len(served)

    run(main())


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
def test_new_connection_is_not_awaited_longer_than_the_client_waits(run: Run, stage: str) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(per_connection=[{}, {stage: Deed.SILENCE}]) as server,
            a_next_hop(server, timers=Timers(dot_by_s=SHORT, quit_s=SHORT)) as hop,
        ):
            relaying = await opened(hop)
            await given_up(server, relaying)
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout(10):
                with pytest.raises(RelayError) as caught:
                    await relaying.deliver({0: [MESSAGE]}, None, Sent(dot_at=now))

            assert caught.value.temporary
            assert server.messages == []
            assert (hop._pool.used, hop._pool._taken) == (0, 0)

    run(main())


def test_hop_that_is_gone_for_good_is_temporary(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = await opened(hop)
            connection = relaying._groups[0].connection
            await server.stop()
            await connection.closed
            with pytest.raises(RelayError) as caught:
                await relaying.deliver({0: [MESSAGE]})
            assert caught.value.temporary

    run(main())
