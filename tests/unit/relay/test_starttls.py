"""STARTTLS towards the next hop: verified, refused, failing, attacked."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from milter.core.errors import RelayError
from milter.relay.protocol import Capabilities
from milter.relay.timers import Timers
from tests.support.certificates import write_certificate
from tests.support.relay import MESSAGE, SHORT, a_next_hop, by_name, send_one
from tests.support.scripted_server import Deed, Script, ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.relay.conftest import Run

TLS_EHLO = b"250-hop.example\r\n250-8BITMIME\r\n250 STARTTLS\r\n"
HURRIED = Timers(starttls_s=SHORT, quit_s=SHORT)


def server_tls(folder: Path) -> ssl.SSLContext:
    files = write_certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"], files["key"])
    return context


def test_starttls_verify_encrypts_and_asks_again_what_is_offered(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        script: Script = {"EHLO": [TLS_EHLO, b"250-hop.example\r\n250 REQUIRETLS\r\n"]}
        async with (
            ScriptedServer(script, tls=server_tls(tmp_path)) as server,
            a_next_hop(
                by_name(server), tls="verify", tls_ca_file=str(tmp_path / "certificate.pem")
            ) as hop,
        ):
            assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            assert server.messages == [MESSAGE]
            assert server.connections[0].encrypted
            assert server.connections[0].verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]
            assert hop.verified_tls
            assert hop.capabilities == Capabilities({"REQUIRETLS": ""})

    run(main())


def test_starttls_large_message_arrives_whole_inside_tls(run: Run, tmp_path: Path) -> None:
    message = b".a line of a large message\r\n" * 100_000

    async def main() -> None:
        script: Script = {"EHLO": [TLS_EHLO]}
        async with (
            ScriptedServer(script, tls=server_tls(tmp_path)) as server,
            a_next_hop(server, tls="may") as hop,
        ):
            assert await send_one(hop, message=message) == "250 2.0.0 Ok: queued as ABC"
            assert server.messages == [message.replace(b".a", b"..a")]

    run(main())


def test_starttls_verify_wrong_name_is_refused(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": TLS_EHLO}, tls=server_tls(tmp_path)) as server,
            a_next_hop(server, tls="verify", tls_ca_file=str(tmp_path / "certificate.pem")) as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "starttls"
            assert not hop.verified_tls

    run(main())


def test_starttls_verify_unknown_ca_is_refused(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": TLS_EHLO}, tls=server_tls(tmp_path)) as server,
            a_next_hop(by_name(server), tls="verify") as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "starttls"

    run(main())


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"EHLO": b"250 hop.example\r\n"}, id="not-offered"),
        pytest.param({"EHLO": TLS_EHLO, "STARTTLS": b"454 4.7.0 not now\r\n"}, id="refused"),
    ],
)
@pytest.mark.parametrize(("tls", "served"), [("may", True), ("verify", False)])
def test_starttls_not_to_be_had(run: Run, script: Script, tls: str, *, served: bool) -> None:
    async def main() -> None:
        async with ScriptedServer(script) as server, a_next_hop(by_name(server), tls=tls) as hop:
            if served:
                assert await send_one(hop) == "250 2.0.0 Ok: queued as ABC"
            else:
                with pytest.raises(RelayError):
                    await send_one(hop)
                assert "MAIL" not in server.connections[0].verbs

    run(main())


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"220 go\r\n250-hop\r\n250 AUTH PLAIN\r\n", id="a-whole-reply"),
        pytest.param(b"220 go\r\n250-injected", id="a-part-of-one"),
    ],
)
def test_starttls_plaintext_behind_the_220_is_an_attack(run: Run, words: bytes) -> None:
    async def main() -> None:
        script: Script = {"EHLO": TLS_EHLO, "STARTTLS": words}
        async with ScriptedServer(script) as server, a_next_hop(server, tls="may") as hop:
            with pytest.raises(RelayError):
                await send_one(hop)
            await server.connections[0].closed

    run(main())


@pytest.mark.parametrize("after", [Deed.CLOSE, b"not TLS at all\r\n" * 5, Deed.SILENCE])
def test_starttls_handshake_that_fails_is_temporary(run: Run, after: Deed | bytes) -> None:
    async def main() -> None:
        script: Script = {"EHLO": TLS_EHLO, "STARTTLS": b"220 go\r\n"}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, tls="may", timers=HURRIED) as hop,
        ):
            server.to_tls = after
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.stage == "starttls"

    run(main())


def test_starttls_verify_over_a_unix_socket_has_no_name_to_verify(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": TLS_EHLO}, path=str(tmp_path / "socket")) as server,
            a_next_hop(server, tls="verify") as hop,
        ):
            with pytest.raises(RelayError):
                await send_one(hop)

    run(main())
