"""The snippets for Exim and Sendmail fit the settings of Gatepost beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.settings.read import read_settings
from policies.loader import FileSource

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("server", "lines", "pass_client"),
    [
        pytest.param(
            "exim/gatepost.conf",
            [
                "daemon_smtp_ports = 10026",
                "local_interfaces = 127.0.0.1",
                "hosts_proxy = 127.0.0.1",
            ],
            "proxy",
            id="exim-is-told-by-PROXY",
        ),
        pytest.param(
            "sendmail/gatepost.m4",
            [
                (
                    "DAEMON_OPTIONS(`Family=inet, Name=MTA-behind-gatepost, Port=10026, "
                    "Addr=127.0.0.1, M=E')dnl"
                )
            ],
            "none",
            id="sendmail-is-told-nothing",
        ),
    ],
)
def test_snippet_listens_where_gatepost_sends(
    checkout: Path, server: str, lines: list[str], pass_client: str
) -> None:
    snippet = checkout / "deploy" / server

    settings = read_settings(FileSource(), str(snippet.parent / "gatepost.yaml"))

    assert [line for line in lines if line not in snippet.read_text("utf-8").splitlines()] == []
    assert settings.next_hop.hosts == ("127.0.0.1:10026",)
    assert settings.next_hop.pass_client == pass_client
    assert settings.listeners[0].recipient_domains == ("example.org",)
