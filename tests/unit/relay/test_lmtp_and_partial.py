"""LMTP's reply for each recipient, and who is left out when a message comes again."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from milter.relay.outcome import Sent
from milter.relay.partial import KEPT_S, PartialDeliveries, digest_of
from reputation.memory import MemoryStore
from tests.support.relay import MESSAGE, ORIGINAL, a_client, a_memory, a_next_hop, relay
from tests.support.scripted_server import Deed, ScriptedServer
from tests.support.stores import client_of

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run

OK = b"250 2.0.0 delivered\r\n"
FULL = b"552 5.2.2 full\r\n"
BUSY = b"452 4.2.2 busy\r\n"


@pytest.mark.parametrize(
    ("finals", "reply", "accepted"),
    [
        pytest.param([OK, b"250 2.0.0 too\r\n"], "250 2.0.0 Ok: 2 recipients", 2, id="all"),
        pytest.param([FULL, BUSY], "452 4.2.2 busy", 0, id="none-says-what-lasts-least"),
        pytest.param([FULL, FULL], "552 5.2.2 full", 0, id="none-for-ever"),
        pytest.param(
            [OK, FULL], "451 4.3.0 Some recipients were not served, try again for them", 1,
            id="some",
        ),
    ],
)  # fmt: skip
def test_lmtp_outcomes_become_one_reply(
    run: Run, finals: list[bytes], reply: str, accepted: int
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": list(finals)}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            delivered = await relay(hop, ["c@d", "e@f"])

            assert str(delivered.reply) == reply
            assert len(delivered.accepted) == accepted
            assert hop._pool.kept == 1

    run(main())


def test_lmtp_one_recipient_hears_the_hops_words(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp") as hop,
        ):
            assert (await relay(hop, ["c@d"])).reply.wire() == OK

    run(main())


@pytest.mark.parametrize(
    "ending", [pytest.param(Deed.CLOSE, id="closes"), pytest.param(b"what\r\n", id="nonsense")]
)
def test_lmtp_missing_answers_are_unknown_and_those_before_are_remembered(
    run: Run, ending: bytes | Deed
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, ending]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            first = await relay(hop, ["c@d", "e@f", "g@h"])
            assert first.reply.code == 451
            assert (first.accepted, first.unknown) == (("c@d",), ("e@f", "g@h"))

            second = await relay(hop, ["c@d", "e@f", "g@h"])
            assert second.reply.code == 250
            assert server.connections[1].commands[-5:] == [
                "RSET",
                "MAIL FROM:<a@b>",
                "RCPT TO:<e@f>",
                "RCPT TO:<g@h>",
                "DATA",
            ]

    run(main())


def test_retry_leaves_out_who_has_the_message(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            again = await relay(hop, ["c@d", "e@f"])

            assert str(again.reply) == "250 2.0.0 Ok: 2 recipients"
            assert again.accepted == ("c@d", "e@f")
            assert server.connections[0].commands[-4:] == [
                "RSET",
                "MAIL FROM:<a@b>",
                "RCPT TO:<e@f>",
                "DATA",
            ]
            assert len(server.messages) == 2

    run(main())


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (b"FROM:<a@b> SIZE=10", b"from: <a@b> SIZE=12 BODY=8BITMIME", True),
        (b"FROM:<>", b"FROM:<> SIZE=1", True),
        (b"FROM:<a@b>", b"FROM:<x@b>", False),
        (b"FROM:<not an address>", b"FROM:<not an address>", True),
    ],
)
def test_retry_is_known_by_its_reverse_path_without_parameters(
    run: Run, first: bytes, second: bytes, *, same: bool
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"], mail=first)
            await relay(hop, ["c@d", "e@f"], mail=second)

            assert ("RSET" in server.connections[0].verbs) is same

    run(main())


def test_retry_of_another_message_is_for_everybody(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            await relay(hop, ["c@d", "e@f"], original=b"another")

            assert "RSET" not in server.connections[0].verbs

    run(main())


def test_retry_where_everybody_has_the_message_relays_nothing(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            again = await relay(hop, ["c@d"])

            assert again.reply.code == 250
            assert again.accepted == ("c@d",)
            assert len(server.messages) == 1

    run(main())


def test_retry_where_the_rest_is_refused_for_ever_says_so(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, FULL, FULL]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            assert (await relay(hop, ["c@d", "e@f"])).reply.code == 451
            assert str((await relay(hop, ["c@d", "e@f"])).reply) == "552 5.2.2 full"

    run(main())


# Four RCPTs of the client, and a fifth where the transaction is begun anew for one recipient alone.
@pytest.mark.parametrize(("retraced", "rcpts"), [(True, 5), (False, 4)])
def test_retry_with_another_received_on_top_is_known_where_the_peer_puts_one_there(
    run: Run, *, retraced: bool, rcpts: int
) -> None:
    first = b"Received: from a by b;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n" + MESSAGE
    again = b"Received: from a by b;\r\n\tMon, 1 Jan 2026 00:10:00 +0000\r\n" + MESSAGE

    async def main() -> None:
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            replies = [
                (await relay(hop, ["c@d", "e@f"], message, retraced=retraced)).reply.code
                for message in (first, again)
            ]

            assert replies == [451, 250]
            assert server.connections[0].verbs.count("RCPT") == rcpts

    run(main())


@pytest.mark.parametrize(
    "top",
    [
        pytest.param(b"Received: x\r\n", id="one-line"),
        pytest.param(b"Received: x\r\n\ty\r\n z\r\n", id="folded"),
        pytest.param(b"RECEIVED \t: x\r\n", id="name-in-capitals-and-space-before-the-colon"),
    ],
)
def test_digest_retraced_leaves_out_the_topmost_received(top: bytes) -> None:
    assert digest_of(top + MESSAGE, retraced=True) == digest_of(MESSAGE, retraced=False)
    assert digest_of(top + MESSAGE, retraced=False) != digest_of(MESSAGE, retraced=False)
    # Only one: what stands below it was there at the first try already.
    twice = digest_of(top + top + MESSAGE, retraced=True)
    assert twice == digest_of(top + MESSAGE, retraced=False)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"Received-SPF: pass\r\n\r\n", id="a-longer-name"),
        pytest.param(b"Subject: a\r\nReceived: x\r\n\r\n", id="not-on-top"),
        pytest.param(b"\r\nReceived: in the body\r\n", id="no-header"),
        pytest.param(b" Received: x\r\n", id="folded-line-first"),
        pytest.param(b"Received", id="no-colon"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_digest_retraced_counts_everything_where_no_received_is_on_top(message: bytes) -> None:
    assert digest_of(message, retraced=True) == digest_of(message, retraced=False)


@pytest.mark.parametrize("message", [b"Received: x", b"Received: x\r\n", b"Received: x\r\n y\r\n"])
def test_digest_retraced_of_a_received_alone_is_that_of_nothing(message: bytes) -> None:
    assert digest_of(message, retraced=True) == digest_of(b"", retraced=False)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
def test_retry_that_the_hop_refuses_while_it_is_begun_anew(run: Run, stage: str) -> None:
    # MAIL is sent once for the first attempt and twice for the second, RCPT twice as often.
    before = {"MAIL": 2, "RCPT": 4}[stage]

    async def main() -> None:
        script = {".": [OK, BUSY], stage: [b"250 ok\r\n"] * before + [b"450 4.2.0 no\r\n"]}
        async with (
            ScriptedServer(script, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=a_memory()) as hop,
        ):
            await relay(hop, ["c@d", "e@f"])
            again = await relay(hop, ["c@d", "e@f"])

            assert str(again.reply) == "450 4.2.0 no"
            assert len(server.messages) == 1

    run(main())


def test_two_smtp_groups_partial_delivery_is_remembered(run: Run) -> None:
    async def main() -> None:
        second = {".": [BUSY]}
        async with (
            ScriptedServer(per_connection=[{}, second]) as server,
            a_next_hop(server, partial=a_memory()) as hop,
        ):
            replies = []
            for _ in range(2):
                relaying = hop.open(a_client())
                await relaying.mail(b"FROM:<a@b>")
                await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
                await relaying.rcpt(b"TO:<e@f>", "e@f", 2)
                delivered = await relaying.deliver(
                    {1: [b"1\r\n"], 2: [b"2\r\n"]}, None, Sent(ORIGINAL)
                )
                replies.append(delivered.reply.code)

            assert replies == [451, 250]
            assert sorted(server.messages) == [b"1\r\n", b"2\r\n", b"2\r\n"]

    run(main())


@pytest.mark.parametrize(
    ("protocol", "remembered", "recipient", "group"),
    [
        ("lmtp", False, True, True),
        ("lmtp", True, False, False),
        ("smtp", False, False, True),
        ("smtp", True, False, False),
    ],
)
def test_single_recipient_and_single_group_only_where_nothing_is_remembered(
    run: Run, protocol: str, *, remembered: bool, recipient: bool, group: bool
) -> None:
    async def main() -> None:
        partial = a_memory() if remembered else None
        async with a_next_hop("127.0.0.1:1", protocol=protocol, partial=partial) as hop:
            assert hop.single_recipient is recipient
            assert hop.single_group is group

    run(main())


def test_store_that_fails_loses_no_mail_and_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        store = MemoryStore(lambda size: b"k" * size)
        store.close()
        partial = PartialDeliveries(client_of(store))
        async with (
            ScriptedServer({".": [OK, BUSY]}, lmtp=True) as server,
            a_next_hop(server, protocol="lmtp", partial=partial) as hop,
        ):
            delivered = await relay(hop, ["c@d", "e@f"])

            assert delivered.reply.code == 451
            assert server.messages == [MESSAGE]

    with caplog.at_level(logging.WARNING, "gatepost.relay"):
        run(main())
    assert "partial delivery not remembered" in caplog.messages


class HangingStore(MemoryStore):
    """A store that answers only when it is let go, as one on a disk that hangs."""

    def __init__(self) -> None:
        super().__init__(lambda size: b"k" * size)
        self.let_go = threading.Event()

    def secret(self, name: str) -> bytes:
        self.let_go.wait()
        return super().secret(name)


def test_store_that_hangs_is_waited_for_only_so_long(run: Run) -> None:
    async def main() -> None:
        store = HangingStore()
        partial = PartialDeliveries(client_of(store), timeout_s=0.05)

        assert await partial.known("a@b", ["c@d"], ORIGINAL) == frozenset()
        assert not await partial.remember("a@b", ["c@d"], ORIGINAL)
        store.let_go.set()

    run(main())


def test_known_ends_after_five_days_and_differs_by_sender_recipient_and_message(run: Run) -> None:
    async def main() -> None:
        now = [0.0]
        partial = PartialDeliveries(client_of(MemoryStore(lambda n: b"k" * n), lambda: now[0]))
        assert await partial.remember("FROM:<a@b>", ["c@d"], ORIGINAL)

        assert await partial.known("FROM:<a@b>", ["c@d", "e@f"], ORIGINAL) == {"c@d"}
        assert await partial.known("FROM:<x@b>", ["c@d"], ORIGINAL) == frozenset()
        assert await partial.known("FROM:<a@b>", ["c@d"], b"other") == frozenset()
        # The parts do not run into each other.
        assert await partial.known("FROM:<a@b>c", ["@d"], ORIGINAL) == frozenset()
        now[0] = KEPT_S
        assert await partial.known("FROM:<a@b>", ["c@d"], ORIGINAL) == frozenset()

    run(main())
