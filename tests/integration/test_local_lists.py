"""Lists of a site's own, from a file: who is written into it is judged by it at the next reload."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

POLICY: Final = """\
version: 1
name: site
lists: {blocked: {file: blocked.txt}}
rules:
  - id: BLOCKED
    when: >-
      in_list(connection.ip, "blocked") || in_list(mail_from, "blocked")
      || in_list(author_domain, "blocked")
    action: reject
    describe: On our own list
"""
MESSAGE: Final = (
    b"From: Ann <ann@mail.shop.example>\r\nTo: b@example.org\r\nSubject: hello\r\n"
    b"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nx\r\n"
)


def sent(daemon: Gatepost) -> bytes:
    """Return the reply to a message of 11.0.0.7 for Ann."""
    with connected(daemon.port) as client:
        for line in (
            b"EHLO proxy.example",
            b"XCLIENT ADDR=11.0.0.7 NAME=[UNAVAILABLE]",
            b"EHLO mx.example.net",
            b"MAIL FROM:<Ann@Example.NET>",
            b"RCPT TO:<b@example.org>",
        ):
            client.ask(line)
        return send_message(client, MESSAGE)[:3]


def by_signal(daemon: Gatepost) -> None:
    daemon.reload()


def by_looking(daemon: Gatepost) -> None:
    wait_until(lambda: refused(daemon))
    # Others of the workers that go may still be there.
    daemon.wait_for("READY=1")


def refused(daemon: Gatepost) -> bool:
    """Return whether the message is; a worker that goes may end the session of one that asks."""
    with suppress(OSError):
        return sent(daemon) == b"550"
    return False


@pytest.mark.parametrize("entry", ["11.0.0.0/29", "ann@example.net", "shop.example"])
@pytest.mark.parametrize("taken", [by_signal, by_looking])
def test_file_of_a_list_is_taken_anew_while_mail_flows(
    tmp_path: Path, taken: Callable[[Gatepost], None], entry: str
) -> None:
    zone = tmp_path / "zone.yaml"
    zone.write_text("names: {}\n")
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            dns={"zone_file": str(zone)},
            policies="policy.yaml",
            reload={"watch": taken is by_looking, "every_s": 1},
        )
        files = {"policy.yaml": POLICY, "blocked.txt": "# nobody yet\n"}
        with running_gatepost(config, files) as daemon:
            assert sent(daemon) == b"250"
            blocked = daemon.folder / "blocked.txt"
            blocked.write_text(f"{entry}\n")
            taken(daemon)
            assert sent(daemon) == b"550"
