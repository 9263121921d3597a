"""How a connection is opened: greeting, EHLO, HELO, LHLO, STARTTLS, XCLIENT, XFORWARD, PROXY."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from milter.core.errors import RelayError
from milter.relay.protocol import Capabilities
from tests.support.relay import a_client, a_next_hop, send_one
from tests.support.scripted_server import Script, ScriptedServer, ThenClose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.relay.conftest import Run

XCLIENT_EHLO = (
    b"250-hop.example\r\n250-PIPELINING\r\n"
    b"250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
)
INTRODUCTION = (
    "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=40000 PROTO=ESMTP HELO=client.example"
    " LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]"
)


def test_ehlo_refused_falls_back_to_helo(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": b"502 5.5.1 no\r\n"}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert server.connections[0].commands[:2] == ["EHLO gate.example", "HELO gate.example"]
            assert hop.capabilities == Capabilities({})

    run(main())


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        pytest.param("connect", b"554 5.7.1 not you\r\n", id="554-greeting"),
        pytest.param("connect", b"450 4.3.0 later\r\n", id="450-greeting"),
        pytest.param("connect", b"250 hello\r\n", id="a-greeting-that-is-none"),
        pytest.param("EHLO", b"450 4.3.0 later\r\n", id="450-to-ehlo"),
        pytest.param("EHLO", b"220 what\r\n", id="220-to-ehlo"),
    ],
)
def test_refused_before_mail_is_temporary(run: Run, stage: str, words: bytes) -> None:
    async def main() -> None:
        async with ScriptedServer({stage: words}) as server, a_next_hop(server) as hop:
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.temporary
            assert caught.value.reply is not None
            assert not hop.up

    run(main())


def test_ehlo_and_helo_refused_is_temporary(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": b"550 no\r\n", "HELO": b"550 no\r\n"}
        async with ScriptedServer(script) as server, a_next_hop(server) as hop:
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "ehlo"

    run(main())


def test_unix_socket_and_lmtp_say_lhlo(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(lmtp=True, path=str(tmp_path / "lmtp")) as server,
            a_next_hop(server, protocol="lmtp") as hop,
        ):
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert server.connections[0].commands[0] == "LHLO gate.example"

    run(main())


@pytest.mark.parametrize("address", ["unix:/nonexistent/socket", "127.0.0.1:1"])
def test_nobody_listens_is_temporary(run: Run, address: str) -> None:
    async def main() -> None:
        async with a_next_hop(address) as hop:
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "connect"
            assert caught.value.temporary

    run(main())


# XFORWARD.


def test_xforward_is_said_before_every_mail_because_the_hop_forgets_it(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, pass_client="xforward") as hop:
            await send_one(hop, a_client("S1", "192.0.2.7"))
            await send_one(hop, a_client("S2", "192.0.2.8"))
            (seen,) = server.connections

            said = [command for command in seen.commands if command.startswith("XFORWARD")]
            assert [command.split()[2] for command in said] == ["ADDR=192.0.2.7", "ADDR=192.0.2.8"]
            assert seen.verbs == ["EHLO", *["XFORWARD", "MAIL", "RCPT", "DATA"] * 2]

    run(main())


@pytest.mark.parametrize(
    "ehlo",
    [
        pytest.param(b"250-hop\r\n250-PIPELINING\r\n250 XFORWARD ADDR\r\n", id="pipelined"),
        pytest.param(b"250-hop\r\n250 XFORWARD ADDR\r\n", id="one-by-one"),
    ],
)
def test_xforward_refused_does_not_refuse_the_mail(run: Run, ehlo: bytes) -> None:
    async def main() -> None:
        script: Script = {"EHLO": ehlo, "XFORWARD": b"550 5.7.0 not you\r\n"}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xforward") as hop,
        ):
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert "XFORWARD ADDR=192.0.2.7" in server.connections[0].commands

    run(main())


def test_xforward_not_offered_is_not_said(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": b"250 hop.example\r\n"}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xforward") as hop,
        ):
            await send_one(hop)
            assert "XFORWARD" not in server.connections[0].verbs

    run(main())


# XCLIENT.


def test_xclient_greets_anew_and_ehlo_is_said_in_the_clients_name(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": XCLIENT_EHLO}) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert server.connections[0].commands[:4] == [
                "EHLO gate.example",
                INTRODUCTION,
                "EHLO client.example",
                "MAIL FROM:<a@example.net>",
            ]

    run(main())


def test_xclient_same_client_is_not_introduced_twice_another_is(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": XCLIENT_EHLO}) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            for session, address in (("1", "192.0.2.7"), ("2", "192.0.2.7"), ("3", "192.0.2.8")):
                await send_one(hop, a_client(session, address))
            (seen,) = server.connections

            assert seen.verbs.count("XCLIENT") == 2
            assert seen.verbs.count("MAIL") == 3

    run(main())


def test_xclient_refused_client_is_temporary_and_others_are_served(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": XCLIENT_EHLO, "XCLIENT": [b"550 5.7.1 not that one\r\n"]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "identity"
            assert hop.up
            assert await send_one(hop, a_client("2", "192.0.2.8")) == "250 2.0.0 Ok: queued as ABC"

    run(main())


def test_xclient_not_offered_relays_nothing_in_our_own_name(run: Run) -> None:
    async def main() -> None:
        async with ScriptedServer() as server, a_next_hop(server, pass_client="xclient") as hop:
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "identity"
            assert "MAIL" not in server.connections[0].verbs

    run(main())


def test_xclient_ehlo_of_the_client_refused_is_said_in_our_name(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": [XCLIENT_EHLO, b"501 5.5.2 bad name\r\n", XCLIENT_EHLO]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert server.connections[0].commands[2:4] == [
                "EHLO client.example",
                "EHLO gate.example",
            ]

    run(main())


def test_xclient_kept_connection_that_died_meanwhile_is_replaced(run: Run) -> None:
    async def main() -> None:
        first: Script = {"XCLIENT": [b"220 hop\r\n", ThenClose(b"421 4.4.2 timeout\r\n")]}
        async with (
            ScriptedServer({"EHLO": XCLIENT_EHLO}, per_connection=[first]) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            await send_one(hop, a_client("1", "192.0.2.7"))
            assert await send_one(hop, a_client("2", "192.0.2.8")) == "250 2.0.0 Ok: queued as ABC"
            assert len(server.connections) == 2

    run(main())


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        pytest.param(b"250 hop.example\r\n", 0, id="the-hop-takes-xclient-only-once"),
        pytest.param(XCLIENT_EHLO, 1, id="another-client-can-use-it"),
    ],
)
def test_xclient_client_that_left_keeps_no_connection_that_serves_nobody_else(
    run: Run, after: bytes, kept: int
) -> None:
    async def main() -> None:
        script: Script = {"EHLO": [XCLIENT_EHLO, after]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            await send_one(hop)
            assert hop._pool.kept == 1
            hop.leave(a_client())
            assert hop._pool.kept == kept

    run(main())


# PROXY.


def test_proxy_header_comes_first_and_the_connection_serves_one_client_only(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(proxy=True) as server,
            a_next_hop(server, pass_client="proxy") as hop,
        ):
            target = ip_address("198.51.100.1")
            first = a_client("1", destination_ip=target, destination_port=25)
            await send_one(hop, first)
            await send_one(hop, first)
            await send_one(hop, a_client("2", destination_ip=target, destination_port=25))

            assert [seen.verbs.count("MAIL") for seen in server.connections] == [2, 1]
            assert server.connections[0].first_bytes == (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n"
            )
            assert server.connections[0].commands[0] == "EHLO client.example"

    run(main())


def test_proxy_client_that_left_takes_its_connection_with_it(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer(proxy=True) as server,
            a_next_hop(server, pass_client="proxy") as hop,
        ):
            await send_one(hop, a_client("1"))
            hop.leave(a_client("1"))
            await server.connections[0].closed

            assert server.connections[0].verbs[-1] == "QUIT"

    run(main())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"client_ip": "198.51.100.9"}, id="address"),
        pytest.param({"client_port": 40001}, id="port"),
        pytest.param({"destination_ip": ip_address("198.51.100.2")}, id="destination"),
        pytest.param({"destination_port": 587}, id="destination-port"),
        pytest.param({"helo_name": "other.example"}, id="helo-name"),
        pytest.param({"session_id": "2"}, id="session"),
    ],
)
def test_proxy_connection_never_serves_what_the_same_session_became_later(
    run: Run, changed: dict[str, Any]
) -> None:
    # XFORWARD and XCLIENT change the client without ending the session.
    target = ip_address("198.51.100.1")
    usual: dict[str, Any] = {"session_id": "1", "destination_ip": target, "destination_port": 25}
    other = a_client(**(usual | changed))

    async def main() -> None:
        async with (
            ScriptedServer(proxy=True) as server,
            a_next_hop(server, pass_client="proxy") as hop,
        ):
            await send_one(hop, a_client(**usual))
            await send_one(hop, other)
            assert [len(seen.messages) for seen in server.connections] == [1, 1]

            hop.leave(other)
            await server.connections[1].closed
            assert hop._pool.kept == 1

    run(main())


def test_proxy_client_refused_at_the_greeting_does_not_mark_the_host_down(run: Run) -> None:
    async def main() -> None:
        script: Script = {"connect": [b"220 hop\r\n", b"550 5.7.1 blocked\r\n"]}
        async with (
            ScriptedServer(script, proxy=True) as server,
            a_next_hop(server, pass_client="proxy") as hop,
        ):
            assert await hop.probe() is None
            with pytest.raises(RelayError):
                await send_one(hop)
            assert hop.up

    run(main())
