"""Refusals at the opening of a connection: the client's own, or the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.core.errors import RelayError
from tests.support.relay import a_next_hop, by_name, send_one
from tests.support.scripted_server import Script, ScriptedServer

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run

XCLIENT_EHLO = (
    b"250-hop.example\r\n250-PIPELINING\r\n"
    b"250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"
)
TLS_EHLO = b"250-hop.example\r\n250-8BITMIME\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    ("pass_client", "stage", "words", "its_own"),
    [
        pytest.param("proxy", "connect", b"550 5.7.1 blocked\r\n", True, id="proxy-5xx"),
        pytest.param("proxy", "connect", b"450 4.7.1 listed\r\n", True, id="proxy-4xx"),
        pytest.param("proxy", "EHLO", b"450 4.7.1 that name\r\n", True, id="proxy-ehlo"),
        pytest.param("xclient", "XCLIENT", b"550 5.7.1 blocked\r\n", True, id="xclient-5xx"),
        pytest.param("xclient", "XCLIENT", b"450 4.7.1 listed\r\n", True, id="xclient-4xx"),
        # 421 would end our own session with the client.
        pytest.param("proxy", "connect", b"421 4.7.0 too many\r\n", False, id="proxy-421"),
        pytest.param("xclient", "XCLIENT", b"421 4.7.0 no\r\n", False, id="xclient-421"),
        pytest.param("proxy", "connect", b"250 hello\r\n", False, id="proxy-nonsense"),
        pytest.param("proxy", "connect", b"what?\r\n", False, id="proxy-no-reply"),
        pytest.param("proxy", "STARTTLS", b"550 5.7.1 no\r\n", False, id="starttls"),
        # Before XCLIENT, and with XFORWARD, the hop speaks to us.
        pytest.param("xclient", "connect", b"554 5.7.1 not you\r\n", False, id="xclient-greeting"),
        pytest.param("xforward", "connect", b"554 5.7.1 not you\r\n", False, id="xforward"),
        pytest.param("none", "EHLO", b"450 4.7.1 no\r\n", False, id="none"),
    ],
)
def test_refusal_before_mail_is_the_clients_own_only_where_the_hop_was_told_of_it(
    run: Run, pass_client: str, stage: str, words: bytes, *, its_own: bool
) -> None:
    async def main() -> None:
        tls = stage == "STARTTLS"
        ehlo = TLS_EHLO if tls else XCLIENT_EHLO
        script: Script = {"EHLO": ehlo, stage: words}
        async with (
            ScriptedServer(script, proxy=pass_client == "proxy") as server,
            a_next_hop(
                by_name(server), pass_client=pass_client, tls="verify" if tls else "none"
            ) as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.refuses_client is its_own
            if its_own:
                assert caught.value.reply is not None
                assert caught.value.reply.wire() == words

    run(main())


def test_refusal_of_ehlo_in_the_clients_name_after_xclient_is_its_own(run: Run) -> None:
    async def main() -> None:
        script: Script = {"EHLO": [XCLIENT_EHLO, b"450 4.7.1 that name\r\n"]}
        async with (
            ScriptedServer(script) as server,
            a_next_hop(server, pass_client="xclient") as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.refuses_client
            assert str(caught.value.reply) == "450 4.7.1 that name"

    run(main())


def test_refusal_of_the_client_counts_more_than_a_host_that_is_down(run: Run) -> None:
    async def main() -> None:
        script: Script = {"connect": b"550 5.7.1 blocked\r\n"}
        async with (
            ScriptedServer(script, proxy=True) as server,
            a_next_hop("127.0.0.1:1", server, pass_client="proxy") as hop,
        ):
            with pytest.raises(RelayError) as caught:
                await send_one(hop)
            assert caught.value.refuses_client
            assert caught.value.next_hop == server.address

    run(main())
