"""Which connections are kept, for how long and for whom; which host is tried first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.core.errors import RelayError
from milter.relay.nexthop import NextHop
from milter.relay.pool import MAX_MESSAGES
from milter.relay.protocol import Capabilities
from milter.relay.timers import Timers
from milter.settings import NextHop as NextHopSettings
from milter.settings import Settings
from tests.support.relay import MESSAGE, SHORT, a_client, a_next_hop, send_one
from tests.support.scripted_server import Deed, Script, ScriptedServer, ThenClose

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.relay.conftest import Run

TAKEN = "250 2.0.0 Ok: queued as ABC"


def test_kept_connection_serves_again_without_rset_after_a_completed_message(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            assert await send_one(hop) == TAKEN
            assert await send_one(hop) == TAKEN
            assert server.connections[0].verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 2]

    run(main())


def test_abandoned_transaction_is_cleared_by_rset(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            relaying.abort()
            assert await send_one(hop) == TAKEN
            assert server.connections[0].verbs == [
                "EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA",
            ]  # fmt: skip

    run(main())


@pytest.mark.parametrize("answer", [b"500 no\r\n", Deed.CLOSE, Deed.SILENCE, b"garbage\r\n"])
def test_rset_that_fails_costs_the_connection_and_not_the_message(
    run: Run, answer: bytes | Deed
) -> None:
    async def main() -> None:
        timers = Timers(reset_s=SHORT, quit_s=SHORT)
        script = {"RSET": answer}
        async with ScriptedServer(script) as server, a_next_hop(server, timers=timers) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            relaying.abort()
            assert await send_one(hop) == TAKEN
            assert [seen.verbs.count("DATA") for seen in server.connections] == [0, 1]

    run(main())


@pytest.mark.parametrize(
    "answer", [Deed.CLOSE, Deed.RESET, ThenClose(b"421 4.4.2 timeout\r\n"), b"421 bye\r\n"]
)
def test_kept_connection_that_died_is_replaced_once(
    run: Run, answer: bytes | Deed | ThenClose
) -> None:
    async def main() -> None:
        first: Script = {"MAIL": [b"250 ok\r\n", answer]}
        async with ScriptedServer(per_connection=[first]) as server, a_next_hop(server) as hop:
            assert await send_one(hop) == TAKEN
            assert await send_one(hop) == TAKEN
            assert [seen.verbs.count("MAIL") for seen in server.connections] == [2, 1]

    run(main())


def test_kept_connection_and_its_replacement_both_die_is_an_error(run: Run) -> None:
    async def main() -> None:
        script: Script = {"MAIL": [b"250 ok\r\n", Deed.CLOSE, Deed.CLOSE]}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            assert await send_one(hop) == TAKEN
            with pytest.raises(RelayError):
                await send_one(hop)
            assert len(server.connections) == 2

    run(main())


def test_kept_connection_that_does_not_answer_is_not_tried_again(run: Run) -> None:
    async def main() -> None:
        timers = Timers(mail_s=SHORT, quit_s=SHORT)
        script: Script = {"MAIL": [b"250 ok\r\n", Deed.SILENCE]}
        async with ScriptedServer(script) as server, a_next_hop(server, timers=timers) as hop:
            assert await send_one(hop) == TAKEN
            with pytest.raises(RelayError):
                await send_one(hop)
            assert len(server.connections) == 1

    run(main())


def test_hop_that_closes_an_idle_connection_is_no_failure(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            assert await send_one(hop) == TAKEN
            (kept,) = hop._pool._kept
            server.protocols[0].write(b"421 4.4.2 idle\r\n")
            server.protocols[0].close()
            await kept.closed
            assert hop._pool.kept == 0
            assert await send_one(hop) == TAKEN

    run(main())


def test_unused_connection_is_closed_with_quit_after_idle_s(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, idle_s=0.05) as hop:
            assert await send_one(hop) == TAKEN
            await server.connections[0].closed
            assert server.connections[0].verbs[-1] == "QUIT"

    run(main())


def test_unused_connection_that_was_cleared_is_closed_with_quit_too(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, idle_s=0.05) as hop:
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b>")
            relaying.abort()
            await server.connections[0].closed
            assert server.connections[0].verbs[-2:] == ["RSET", "QUIT"]

    run(main())


def test_idle_s_zero_keeps_nothing(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, idle_s=0) as hop:
            assert await send_one(hop) == TAKEN
            assert await send_one(hop) == TAKEN
            assert len(server.connections) == 2

    run(main())


def test_connection_is_not_kept_past_its_number_of_messages(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            for _ in range(MAX_MESSAGES + 1):
                assert await send_one(hop) == TAKEN
            counts = [len(seen.messages) for seen in server.connections]
            assert counts == [MAX_MESSAGES, 1]

    run(main())


def test_connections_at_once_are_limited_and_waiters_are_served_in_turn(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, connections=2) as hop:
            replies = await asyncio.gather(*(send_one(hop) for _ in range(10)))
            assert set(replies) == {TAKEN}
            assert len(server.connections) <= 2

    run(main())


def test_waiting_for_a_place_has_a_deadline(run: Run) -> None:
    async def main() -> None:
        timers = Timers(queue_s=0.05, quit_s=SHORT)
        async with (
            ScriptedServer() as server,
            a_next_hop(server, timers=timers, connections=1) as hop,
        ):
            holder = hop.open(a_client())
            await holder.mail(b"FROM:<a@b>")
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.temporary
            holder.abort()
            assert await send_one(hop) == TAKEN

    run(main())


def test_transaction_that_holds_a_place_does_not_wait_for_another(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, connections=2) as hop:
            # Each holds one place and wants a second: waiting, neither would ever get it.
            first, second = hop.open(a_client("1")), hop.open(a_client("2"))
            for relaying in (first, second):
                await relaying.mail(b"FROM:<a@b>")
                await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            async with asyncio.timeout(2):
                with pytest.raises(RelayError) as caught:
                    await first.rcpt(b"TO:<e@f>", "e@f", 2)
            assert caught.value.temporary

            # It goes on with what it holds, and the place of the other is free afterwards.
            assert (await first.deliver({1: [MESSAGE]})).reply.code == 250
            assert (await second.rcpt(b"TO:<e@f>", "e@f", 2)).code == 250
            second.abort()

    run(main())


def test_transaction_that_lost_its_only_connection_waits_as_a_new_one_does(run: Run) -> None:
    async def main() -> None:
        script: Script = {"MAIL": [b"250 ok\r\n", Deed.CLOSE]}
        async with (
            ScriptedServer(per_connection=[script]) as server,
            a_next_hop(server, connections=1) as hop,
        ):
            assert await send_one(hop) == TAKEN
            # The kept connection dies at MAIL; who waits meanwhile gets the place it leaves.
            assert set(await asyncio.gather(send_one(hop), send_one(hop))) == {TAKEN}

    run(main())


def test_waiting_for_a_place_ends_within_seconds_unless_told_otherwise() -> None:
    # A client is told soon to come again, instead of holding its session open.
    assert Timers().queue_s == 5


def test_every_session_can_have_a_connection_unless_told_otherwise() -> None:
    settings = Settings()
    assert settings.next_hop.connections >= settings.limits.sessions


def test_kept_connection_of_another_client_makes_room(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(proxy=True) as server,
            a_next_hop(server, pass_client="proxy", connections=1) as hop,
        ):
            assert await send_one(hop, a_client("1")) == TAKEN
            assert await send_one(hop, a_client("2")) == TAKEN
            await server.connections[0].closed
            assert hop._pool.kept == 1

    run(main())


def test_close_cuts_what_is_in_use_and_says_quit_on_what_is_kept(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            kept = hop.open(a_client())
            await kept.mail(b"FROM:<a@b>")
            used = hop.open(a_client())
            await used.mail(b"FROM:<a@b>")
            kept.abort()
            await hop.close()
            await asyncio.gather(*(seen.closed for seen in server.connections))

            with pytest.raises(RelayError):
                await used.rcpt(b"TO:<c@d>", "c@d", 1)
            used.abort()
            with pytest.raises(RelayError):
                await send_one(hop)

    run(main())


# Hosts.


def a_hop_with_clock(clock: Callable[[], float], *addresses: str) -> NextHop:
    settings = NextHopSettings.model_validate(
        {"hosts": addresses, "pass_client": "none", "idle_s": 0}
    )
    return NextHop(settings, "gate.example", clock=clock, timers=Timers(quit_s=SHORT))


def test_host_that_failed_is_tried_last_for_a_while(run: Run) -> None:
    now = [0.0]

    async def main() -> None:
        first_answers = {"connect": [Deed.CLOSE]}
        async with ScriptedServer(first_answers) as first, ScriptedServer() as second:
            hop = a_hop_with_clock(lambda: now[0], first.address, second.address)
            for at in (0.0, 29.0, 31.0):
                now[0] = at
                assert await send_one(hop) == TAKEN
            await hop.close()

            assert [len(first.connections), len(second.connections)] == [2, 2]
            assert [len(first.messages), len(second.messages)] == [1, 2]

    run(main())


def test_host_that_greets_and_takes_no_mail_is_tried_last_next_time(run: Run) -> None:
    async def main() -> None:
        script = {"MAIL": b"421 4.3.2 not now\r\n"}
        async with (
            ScriptedServer(script) as first,
            ScriptedServer() as second,
            a_next_hop(first, second) as hop,
        ):
            with pytest.raises(RelayError):
                await send_one(hop)
            assert await send_one(hop) == TAKEN
            assert len(second.messages) == 1

    run(main())


def test_all_hosts_down_says_why_the_first_one_failed(run: Run) -> None:
    async def main() -> None:
        script = {"connect": b"554 no\r\n"}
        async with (
            ScriptedServer(script) as first,
            ScriptedServer(script) as second,
            a_next_hop(first, second) as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.next_hop == first.address
            assert not hop.up
            assert hop.capabilities is None

    run(main())


def test_capabilities_are_unknown_before_contact_and_common_to_the_hosts_in_use(run: Run) -> None:
    async def main() -> None:
        one: Script = {
            "EHLO": b"250-one\r\n250-DSN\r\n250 SMTPUTF8\r\n",
            "connect": [b"220 a\r\n", b"5\r\n"],
        }
        two: Script = {"EHLO": b"250-two\r\n250-DSN\r\n250 SIZE 5\r\n"}
        async with ScriptedServer(one) as first, ScriptedServer(two) as second:
            hop = a_hop_with_clock(lambda: 0.0, first.address, second.address)
            known = [hop.capabilities]
            await hop.probe()
            known.append(hop.capabilities)
            # The first one fails now; only the second one counts.
            await send_one(hop)
            known.append(hop.capabilities)

            assert known == [
                None,
                Capabilities({"DSN": "", "SMTPUTF8": ""}),
                Capabilities({"DSN": "", "SIZE": "5"}),
            ]
            await first.stop()
            await hop.close()

    run(main())


def test_probe_of_a_hop_that_is_down_returns_the_error(run: Run) -> None:
    async def main() -> None:
        async with a_next_hop("127.0.0.1:1") as hop:
            error = await hop.probe()
            assert error is not None
            assert error.stage == "connect"

    run(main())


def test_probe_connection_serves_the_first_message(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server) as hop:
            await hop.probe()
            assert await send_one(hop) == TAKEN
            assert len(server.connections) == 1

    run(main())


def test_stages_are_timed(run: Run) -> None:
    stages: list[str] = []

    async def main() -> None:
        async with ScriptedServer() as server:
            hop = NextHop(
                NextHopSettings.model_validate({"hosts": (server.address,)}),
                "gate.example",
                clock=lambda: 0.0,
                on_stage=lambda stage, seconds: stages.append(stage if seconds >= 0 else "?"),
            )
            await send_one(hop)
            await hop.close()

    run(main())
    assert stages == ["ehlo", "connect", "mail", "rcpt", "data", "final"]
