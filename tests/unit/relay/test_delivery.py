"""One transaction at a next hop that behaves, refuses, closes, talks nonsense or says nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.core.errors import LocalProtocolError, RelayError
from tests.support.relay import HURRIED, MESSAGE, a_client, a_next_hop, send_one
from tests.support.scripted_server import Answer, Deed, ScriptedServer, ThenClose

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run


def test_deliver_message_arrives_and_reply_is_the_hops(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            reply = await send_one(hop)

            assert reply == "250 2.0.0 Ok: queued as ABC"
            assert server.messages == [MESSAGE]
            assert server.connections[0].commands == [
                "EHLO gate.example",
                "MAIL FROM:<a@example.net>",
                "RCPT TO:<c@example.org>",
                "DATA",
            ]

    run(main())


def test_deliver_dots_are_stuffed_and_pieces_joined(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<>")
            await relaying.rcpt(b"TO:<c@example.org>", "c@example.org", 1)
            await relaying.deliver({1: [b"X-Gatepost-Id: 1\r\n", b".hidden\r\n\r\n.\r\nend"]})

            assert server.messages == [b"X-Gatepost-Id: 1\r\n..hidden\r\n\r\n..\r\nend\r\n"]

    run(main())


def test_mail_parameters_reach_the_hop_unchanged(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b> SIZE=10 body=8BITMIME ENVID=QQ+2Bab X-FOO=Bar")
            await relaying.rcpt(b"to:<C@d> NOTIFY=never ORCPT=rfc822;C@d", "C@d", 1)
            relaying.abort()

            assert server.connections[0].commands[1:3] == [
                "MAIL FROM:<a@b> SIZE=10 body=8BITMIME ENVID=QQ+2Bab X-FOO=Bar",
                "RCPT to:<C@d> NOTIFY=never ORCPT=rfc822;C@d",
            ]

    run(main())


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"450 4.2.0 greylisted\r\n", id="4xx"),
        pytest.param(b"550 5.1.1 no such user\r\n", id="5xx"),
        pytest.param(b"555 5.5.4 unsupported option: X-FOO\r\n", id="555"),
        pytest.param(b"550-5.7.1 first\r\n550 5.7.1 second\r\n", id="several-lines"),
        pytest.param("550 5.6.7 keine Umlaute: ü\r\n".encode(), id="utf-8"),
    ],
)
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "."])
def test_refusal_at_any_stage_reaches_the_client_word_for_word(
    run: Run, stage: str, words: bytes
) -> None:
    async def main() -> None:
        async with ScriptedServer({stage: [words]}) as server, a_next_hop(server) as hop:
            client = a_client()
            relaying = hop.open(client)
            reply = await relaying.mail(b"FROM:<a@b>")
            if reply.accepted:
                reply = await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            if reply.accepted:
                reply = (await relaying.deliver({1: [MESSAGE]})).reply
            relaying.abort()
            assert reply.wire() == words

            # A refusal is an answer: the connection serves on, cleared where it must be.
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            (seen,) = server.connections
            assert ("RSET" in seen.verbs) == (stage != ".")

    run(main())


FAULTS: dict[str, Answer] = {
    "closes": Deed.CLOSE,
    "resets": Deed.RESET,
    "says-421": ThenClose(b"421 4.3.2 going down\r\n"),
    "says-421-and-stays": b"421 4.3.2 going down\r\n",
    "talks-nonsense": b"what?\r\n",
    "binary": b"\0\xff\xfe\r\n",
    "codes-differ": b"250-a\r\n550 b\r\n",
    "says-nothing": Deed.SILENCE,
    "half-a-reply": b"250 al",
    "an-endless-line": b"250 " + b"x" * 10000,
    "an-endless-reply": b"250-x\r\n" * 1000,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
def test_fault_before_the_final_dot_is_a_temporary_error_and_nothing_is_delivered(
    run: Run, stage: str, fault: str
) -> None:
    async def main() -> None:
        script = {stage: [FAULTS[fault]]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, timers=HURRIED) as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.temporary
            assert caught.value.next_hop == server.address
            assert server.messages == []

            # The connection is never used again; the next message has a new one.
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 2
            await server.connections[0].closed

    run(main())


@pytest.mark.parametrize("fault", [name for name in FAULTS if not name.startswith("says-421")])
def test_fault_after_the_final_dot_leaves_the_outcome_unknown(run: Run, fault: str) -> None:
    async def main() -> None:
        script = {".": [FAULTS[fault]]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, timers=HURRIED) as hop,
        ):
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            delivered = await relaying.deliver({1: [MESSAGE]})

            assert delivered.reply.code == 451
            assert delivered.unknown == ("c@d",)
            assert relaying.final_dot_sent
            await server.connections[0].closed
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 2

    run(main())


@pytest.mark.parametrize("fault", ["says-421", "says-421-and-stays"])
def test_421_after_the_final_dot_is_a_refusal_that_does_not_end_our_clients_session(
    run: Run, fault: str
) -> None:
    async def main() -> None:
        async with ScriptedServer({".": [FAULTS[fault]]}) as server, a_next_hop(server) as hop:
            assert (await send_one(hop)).startswith("451 4.3.0 ")
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 2

    run(main())


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        pytest.param("MAIL", b"354 go\r\n", id="354-to-mail"),
        pytest.param("RCPT", b"354 go\r\n", id="354-to-rcpt"),
        pytest.param("DATA", b"250 ok\r\n", id="250-to-data"),
    ],
)
def test_reply_that_does_not_fit_the_command_is_nonsense(
    run: Run, stage: str, words: bytes
) -> None:
    async def main() -> None:
        async with ScriptedServer({stage: [words]}) as server, a_next_hop(server) as hop:
            with pytest.raises(RelayError):
                await send_one(hop)
            await server.connections[0].closed
            assert server.messages == []

    run(main())


def test_354_to_the_final_dot_leaves_the_outcome_unknown(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer({".": [b"354 again\r\n"]}) as server, a_next_hop(server) as hop:
            assert (await send_one(hop)).startswith("451 ")

    run(main())


@pytest.mark.parametrize("stage", ["EHLO", "DATA"])
def test_a_second_reply_that_nobody_asked_for_ends_the_connection(run: Run, stage: str) -> None:
    usual = {"EHLO": b"250 hop.example\r\n", "DATA": b"354 go\r\n"}

    async def main() -> None:
        words = usual.get(stage, b"250 ok\r\n") + b"250 2.0.0 and more\r\n"
        async with ScriptedServer({stage: [words]}) as server, a_next_hop(server) as hop:
            with pytest.raises(RelayError):
                await send_one(hop)
            assert server.messages == []
            await server.connections[0].closed

    run(main())


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
def test_a_second_reply_to_mail_or_rcpt_costs_only_that_connection(run: Run, stage: str) -> None:
    async def main() -> None:
        script = {stage: [b"250 ok\r\n250 and more\r\n"]}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            # Nothing of the message went out on it, so all of it can be said to a new one.
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert [seen.messages for seen in server.connections] == [[], [MESSAGE]]

    run(main())


def test_a_word_after_the_final_reply_does_not_undo_it_but_ends_the_connection(run: Run) -> None:
    async def main() -> None:
        words = b"250 2.0.0 taken\r\n250 2.0.0 and more\r\n"
        async with ScriptedServer({".": [words]}) as server, a_next_hop(server) as hop:
            assert await send_one(hop) == "250 2.0.0 taken"
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 2

    run(main())


def test_deliver_hop_that_takes_no_more_is_given_up_after_a_block_without_progress(
    run: Run,
) -> None:
    async def main() -> None:
        async with (
            ScriptedServer() as server,
            a_next_hop(server, timers=HURRIED) as hop,
        ):
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            server.protocols[0].stop_reading_after("DATA")
            with pytest.raises(RelayError) as caught:
                await relaying.deliver({1: [b"x" * 78 + b"\r\n"] * 400_000})

            assert caught.value.stage == "body"
            assert not relaying.final_dot_sent

    run(main())


def test_deliver_large_message_arrives_whole(run: Run) -> None:
    message = b"".join(b"%d. a line of a large message\r\n" % i for i in range(200_000))

    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            assert await send_one(hop, message=message) == "250 2.0.0 Ok: queued as ABC"
            assert server.messages == [message]

    run(main())


def test_deliver_without_an_accepted_recipient_is_our_own_bug(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer({"RCPT": b"550 no\r\n"}) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            with pytest.raises(LocalProtocolError):
                await relaying.deliver({1: [MESSAGE]})

    run(main())


def test_argument_with_a_line_break_never_reaches_the_hop(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            with pytest.raises(LocalProtocolError):
                await relaying.mail(b"FROM:<a@b>\r\nRCPT TO:<x@y>")
            relaying.abort()
            assert "MAIL" not in server.connections[0].verbs

    run(main())


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_cancelled_at_any_stage_leaves_no_connection(run: Run, stage: str) -> None:
    async def main() -> None:
        script = {stage: [Deed.SILENCE]}
        async with ScriptedServer(script) as server, a_next_hop(server, connections=1) as hop:
            task = asyncio.get_running_loop().create_task(send_one(hop))
            await server.until(lambda: _reached(server, stage))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            await server.connections[0].closed
            assert len(server.messages) == (stage == ".")
            # The one place that there is has been given back.
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"

    run(main())


def _reached(server: ScriptedServer, stage: str) -> bool:
    if not server.connections:
        return False
    return stage == "connect" or (
        bool(server.messages) if stage == "." else stage in server.connections[0].verbs
    )


def test_abort_with_354_outstanding_closes_without_a_final_dot(run: Run) -> None:
    async def main() -> None:
        script = {"DATA": [Deed.SILENCE]}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            task = asyncio.get_running_loop().create_task(relaying.deliver({1: [MESSAGE]}))
            await server.until(lambda: "DATA" in server.connections[0].verbs)
            relaying.abort()
            relaying.abort()
            with pytest.raises(RelayError):
                await task
            await server.connections[0].closed

            assert server.messages == []
            assert server.connections[0].unfinished == b""

    run(main())
