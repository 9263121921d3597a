"""One transaction with several groups of recipients, and with redirects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.core.address import Mailbox
from milter.core.errors import RelayError
from milter.core.reply import Reply
from milter.relay.outcome import Sent
from tests.support.relay import HURRIED, MESSAGE, ORIGINAL, a_client, a_memory, a_next_hop
from tests.support.scripted_server import Deed, Script, ScriptedServer, ThenClose

if TYPE_CHECKING:
    from milter.relay.nexthop import NextHop
    from tests.unit.relay.conftest import Run


async def two_groups(server: ScriptedServer) -> str:
    """Relay to two groups; return what the client heard last."""
    async with a_next_hop(server, timers=HURRIED) as hop:
        return await to_both(hop)


async def to_both(hop: NextHop) -> str:
    """Send one transaction of two groups through `hop`; return what the client heard last."""
    relaying = hop.open(a_client())
    try:
        await relaying.mail(b"FROM:<a@b>")
        await relaying.rcpt(b"TO:<c@d>", "c@d", "first")
        reply = await relaying.rcpt(b"TO:<e@f>", "e@f", "second")
        if not reply.accepted:
            return f"RCPT {reply}"
        messages = {"first": [b"1\r\n"], "second": [b"2\r\n"]}
        delivered = await relaying.deliver(messages, None, Sent(ORIGINAL))
        return (
            f"{delivered.reply} | {delivered.accepted} {[r for r, _ in delivered.refused]}"
            f" {delivered.unknown}"
        )
    finally:
        relaying.abort()


def test_two_groups_each_get_their_own_message(run: Run) -> None:
    async def main() -> None:
        second = {".": b"250 2.0.0 Ok: queued as DEF\r\n"}
        async with ScriptedServer(per_connection=[{}, second]) as server:
            heard = await two_groups(server)

            assert heard == "250 2.0.0 Ok: 2 recipients | ('c@d', 'e@f') [] ()"
            assert [seen.messages for seen in server.connections] == [[b"1\r\n"], [b"2\r\n"]]
            assert "RCPT TO:<e@f>" in server.connections[1].commands

    run(main())


@pytest.mark.parametrize(
    ("stage", "heard"),
    [
        pytest.param("MAIL", "RCPT 550 5.0.0 no", id="refused-at-mail-is-the-reply-to-rcpt"),
        pytest.param("RCPT", "RCPT 550 5.0.0 no", id="refused-at-rcpt"),
        pytest.param(
            "DATA",
            "451 4.3.0 Not delivered because another recipient could not be served"
            " | () ['e@f', 'c@d'] ()",
            id="refused-at-data-nobody-is-served",
        ),
        pytest.param(
            ".",
            "451 4.3.0 Some recipients were not served, try again for them | ('c@d',) ['e@f'] ()",
            id="refused-at-the-end-is-a-partial-delivery",
        ),
    ],
)
def test_second_group_refused_after_the_first_was_accepted(
    run: Run, stage: str, heard: str
) -> None:
    async def main() -> None:
        second = {stage: b"550 5.0.0 no\r\n"}
        async with ScriptedServer(per_connection=[{}, second]) as server:
            assert await two_groups(server) == heard
            assert server.messages == ([b"1\r\n", b"2\r\n"] if stage == "." else [])

    run(main())


@pytest.mark.parametrize("refused", [0, 1])
def test_group_refused_for_now_at_data_gives_the_words_for_all(run: Run, refused: int) -> None:
    async def main() -> None:
        script: list[Script] = [{}, {}]
        script[refused] = {"DATA": b"452 4.3.1 disk full\r\n"}
        async with ScriptedServer(per_connection=script) as server:
            heard = await two_groups(server)

            assert heard.startswith("452 4.3.1 disk full | () ")
            assert server.messages == []

    run(main())


def test_group_refused_for_good_at_data_keeps_nobody_else_from_a_message_that_is_remembered(
    run: Run,
) -> None:
    async def main() -> None:
        refused: Script = {"DATA": b"554 5.7.1 no\r\n"}
        async with (
            ScriptedServer(per_connection=[{}, refused, {}, refused]) as server,
            a_next_hop(server, partial=a_memory(), idle_s=0) as hop,
        ):
            assert await to_both(hop) == (
                "451 4.3.0 Some recipients were not served, try again for them"
                " | ('c@d',) ['e@f'] ()"
            )
            # Who was served does not count any more: the sender hears why the other one was not.
            assert await to_both(hop) == "554 5.7.1 no | ('c@d',) ['e@f'] ()"
            assert server.messages == [b"1\r\n"]

    run(main())


def test_group_refused_for_now_at_data_keeps_all_waiting_though_it_is_remembered(run: Run) -> None:
    async def main() -> None:
        refused: Script = {"DATA": b"452 4.3.1 disk full\r\n"}
        async with (
            ScriptedServer(per_connection=[{}, refused]) as server,
            a_next_hop(server, partial=a_memory()) as hop,
        ):
            assert await to_both(hop) == "452 4.3.1 disk full | () ['e@f', 'c@d'] ()"
            assert server.messages == []

    run(main())


@pytest.mark.parametrize("stage", ["connect", "MAIL", "RCPT", "DATA"])
def test_second_group_closed_before_any_dot_delivers_nothing(run: Run, stage: str) -> None:
    async def main() -> None:
        async with ScriptedServer(per_connection=[{}, {stage: Deed.CLOSE}]) as server:
            with pytest.raises(RelayError):
                await two_groups(server)
            assert server.messages == []

    run(main())


def test_second_group_closed_at_the_final_dot_is_unknown(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer(per_connection=[{}, {".": Deed.CLOSE}]) as server:
            assert (await two_groups(server)).endswith("| ('c@d',) [] ('e@f',)")

    run(main())


def test_all_groups_refused_say_what_lasts_least(run: Run) -> None:
    async def main() -> None:
        refusals = [{".": b"552 5.2.2 full\r\n"}, {".": b"452 4.2.2 full\r\n"}]
        async with ScriptedServer(per_connection=refusals) as server:
            assert await two_groups(server) == "452 4.2.2 full | () ['c@d', 'e@f'] ()"

    run(main())


def test_group_whose_connection_died_before_any_acceptance_begins_anew(run: Run) -> None:
    async def main() -> None:
        script: list[Script] = [{"RCPT": [ThenClose(b"550 5.1.1 no\r\n")]}]
        async with ScriptedServer(per_connection=script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            assert (await relaying.rcpt(b"TO:<x@d>", "x@d", 1)).code == 550
            await relaying._groups[1].connection.closed
            reply = await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            delivered = await relaying.deliver({1: [MESSAGE]})

            assert reply.code == 250
            assert delivered.reply.code == 250

    run(main())


def test_group_whose_connection_died_at_a_recipient_is_delivered_to_those_before(run: Run) -> None:
    async def main() -> None:
        script: list[Script] = [{"RCPT": [b"250 ok\r\n", Deed.CLOSE]}]
        async with ScriptedServer(per_connection=script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            assert (await relaying.rcpt(b"TO:<c@d>", "c@d", 1)).code == 250
            with pytest.raises(RelayError):
                await relaying.rcpt(b"TO:<e@f>", "e@f", 1)
            delivered = await relaying.deliver({1: [MESSAGE]})

            assert (delivered.reply.code, delivered.accepted) == (250, ("c@d",))
            assert server.connections[1].commands[1:-1] == ["MAIL FROM:<a@b>", "RCPT TO:<c@d>"]

    run(main())


# Redirection.


def test_redirect_whole_transaction_goes_to_the_other_address_in_our_words(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            await relaying.rcpt(b"TO:<e@f>", "e@f", 1)
            to = Mailbox("held", "example.org")
            delivered = await relaying.deliver({1: [MESSAGE]}, {1: to})

            assert delivered.reply == Reply.of(250, "2.0.0 Ok")
            assert delivered.accepted == ("c@d", "e@f")
            assert server.connections[0].commands[4:] == [
                "RSET",
                "MAIL FROM:<a@b>",
                "RCPT TO:<held@example.org> NOTIFY=NEVER",
                "DATA",
            ]
            assert server.messages == [MESSAGE]

    run(main())


def test_redirect_hop_without_dsn_is_told_no_parameter_of_it(run: Run) -> None:
    async def main() -> None:
        script = {"EHLO": b"250 hop.example\r\n"}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            await relaying.deliver({1: [MESSAGE]}, {1: Mailbox("held", "example.org")})

            assert "RCPT TO:<held@example.org>" in server.connections[0].commands

    run(main())


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "."])
def test_redirect_refused_is_temporary_and_does_not_name_the_address(run: Run, stage: str) -> None:
    async def main() -> None:
        words = b"550 5.1.1 <held@example.org> unknown\r\n"
        script = {stage: [b"250 ok\r\n", words] if stage == "RCPT" else [words]}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            delivered = await relaying.deliver({1: [MESSAGE]}, {1: Mailbox("held", "example.org")})

            assert delivered.reply == Reply.of(451, "4.3.0 Please try again later")

    run(main())
