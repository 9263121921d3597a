"""A message of the same bytes is a new one once the client need not come again with the old one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from milter.relay.partial import PartialDeliveries
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from tests.support.relay import a_memory, a_next_hop, relay
from tests.support.scripted_server import Deed, ScriptedServer
from tests.support.stores import client_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.scripted_server import Answer
    from tests.unit.relay.conftest import Run

OK = b"250 2.0.0 delivered\r\n"
FULL = b"552 5.2.2 full\r\n"
BUSY = b"452 4.2.2 busy\r\n"


@pytest.mark.parametrize(
    ("finals", "replies", "last"),
    [
        pytest.param([OK, BUSY, OK], [451, 250, 250], ["c@d", "e@f"], id="the-rest-was-served"),
        pytest.param([OK, BUSY, BUSY, OK], [451, 452, 250], ["e@f"], id="the-rest-waits-still"),
        pytest.param(
            [OK, BUSY, FULL], [451, 552, 250], ["c@d", "e@f"], id="the-rest-is-refused-for-ever"
        ),
        pytest.param([OK, BUSY, Deed.CLOSE], [451, 451, 250], ["e@f"], id="not-known-of-the-rest"),
    ],
)
def test_message_of_the_same_bytes_reaches_everybody_unless_it_may_be_a_retry(
    run: Run, finals: list[Answer], replies: list[int], last: list[str]
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": finals}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            heard = [(await relay(hop, ["c@d", "e@f"])).reply.code for _ in range(3)]

            assert heard == replies
            commands = server.connections[-1].commands
            mail = max(i for i, command in enumerate(commands) if command == "MAIL FROM:<a@b>")
            assert commands[mail + 1 : -1] == [f"RCPT TO:<{recipient}>" for recipient in last]

    run(main())


def test_everybody_has_it_already_and_the_next_one_is_for_everybody(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            assert (await relay(hop, ["c@d"])).reply.code == 250
            assert len(server.messages) == 1

            assert (await relay(hop, ["c@d"])).reply.code == 250
            assert len(server.messages) == 2

    run(main())


class KeepingStore(MemoryStore):
    """A store that can no longer remove anything."""

    def forget(self, space: str, keys: Sequence[bytes]) -> int:
        raise StoreError("read-only", reason="full")


def test_store_that_cannot_forget_is_logged_and_delays_nothing(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        partial = PartialDeliveries(client_of(KeepingStore(lambda size: b"k" * size)))
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=partial) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            assert (await relay(hop, ["c@d", "e@f"])).reply.code == 250

    with caplog.at_level(logging.WARNING, "gatepost.relay"):
        run(main())
    assert "partial delivery not forgotten" in caplog.messages
