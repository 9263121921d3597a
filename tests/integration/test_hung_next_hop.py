"""A daemon whose first next hop takes connections and never greets, as a stopped process does."""

from __future__ import annotations

import socket

import pytest

from tests.support.gatepost import configuration, running_gatepost
from tests.support.line_client import connected, open_transaction, send_message
from tests.support.mailbox_sink import running_sink

pytestmark = pytest.mark.slow


def test_next_hop_is_up_from_the_start_where_the_first_host_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung, running_sink() as sink:
        config = configuration("", dns={"zone_file": "zone.yaml"})
        hosts = [f"127.0.0.1:{hung.getsockname()[1]}", f"127.0.0.1:{sink.port}"]
        config["next_hop"] = {"hosts": hosts}
        with running_gatepost(config, {"zone.yaml": "names: {}\n"}) as daemon:
            with connected(daemon.port) as client:
                # What only a next hop can keep is offered: one was asked.
                assert b"8BITMIME" in client.ask(b"EHLO client.example")
                open_transaction(client)
                assert send_message(client).startswith(b"250")
            assert len(sink.messages) == 1
