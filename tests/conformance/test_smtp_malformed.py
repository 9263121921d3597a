"""The malformed commands of the third-party data, each with the reply class it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.door import running_door
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.door import RunningDoor
    from tests.support.mailbox_sink import MailboxSink

pytestmark = pytest.mark.conformance

Play = Callable[["RunningDoor", "MailboxSink"], None]


def in_data(client: LineClient) -> None:
    client.ask(b"EHLO client.example")
    client.ask(b"MAIL FROM:<a@example.net>")
    client.ask(b"RCPT TO:<b@example.org>")
    assert client.ask(b"DATA")[:3] == b"354"


def flood_without_newline(door: RunningDoor, _sink: MailboxSink) -> None:
    with connected(door.port) as client:
        try:
            for _ in range(160):
                client.send(b"x" * 65536)
        except ConnectionError:
            return
        assert client.code() in {0, 421, 500}
        assert client.closed()


def early_talker(door: RunningDoor, _sink: MailboxSink) -> None:
    with connected(door.port, greeted=False) as client:
        client.send(b"EHLO client.example\r\n")
        assert client.code() == 220
        assert client.code() == 250


def pipelining_across_starttls(door: RunningDoor, _sink: MailboxSink) -> None:
    with connected(door.port) as client:
        client.ask(b"EHLO client.example")
        client.send(b"STARTTLS\r\nMAIL FROM:<x@y.example>\r\n")
        assert client.code() == 220
        client.start_tls()
        # Had the injected MAIL been executed, this EHLO would get its reply.
        assert client.ask(b"EHLO client.example").startswith(b"250-mx.example.org")
        assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"503"


def dot_split_across_segments(door: RunningDoor, sink: MailboxSink) -> None:
    before = len(sink.messages)
    for cut in range(1, 6):
        with connected(door.port) as client:
            in_data(client)
            end = b"Subject: x\r\n\r\nhello\r\n.\r\n"
            client.send(end[:-cut])
            client.send(end[-cut:])
            assert client.code() == 250
    assert len(sink.messages) == before + 5


def empty_message(door: RunningDoor, _sink: MailboxSink) -> None:
    with connected(door.port) as client:
        in_data(client)
        assert client.ask(b".")[:1] in {b"2", b"5"}
        assert client.ask(b"NOOP")[:3] == b"250"


def a_hundred_recipients(door: RunningDoor, _sink: MailboxSink) -> None:
    with connected(door.port) as client:
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        codes = [client.ask(b"RCPT TO:<b%d@example.org>" % n)[:3] for n in range(101)]
    assert codes == [b"250"] * 100 + [b"452"]


def client_drops_in_data(door: RunningDoor, sink: MailboxSink) -> None:
    before = len(sink.messages)
    with connected(door.port) as client:
        in_data(client)
        client.send(b"Subject: half\r\n\r\nhalf a bo")
    with connected(door.port) as client:
        in_data(client)
        client.send(b"Subject: whole\r\n\r\nbody\r\n.\r\n")
        assert client.code() == 250
    assert [b"Subject: whole" in m.content for m in sink.messages[before:]] == [True]
    assert door.limits.bytes_in_flight == 0


GENERATED: dict[str, Play] = {
    "no-newline-flood": flood_without_newline,
    "early-talker": early_talker,
    "pipelining-across-starttls": pipelining_across_starttls,
    "dot-split-across-segments": dot_split_across_segments,
    "empty-message": empty_message,
    "rcpt-100": a_hundred_recipients,
    "client-drops-in-data": client_drops_in_data,
}


def cases(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "conformance/smtp/malformed-commands.json").read_text("utf-8")
    loaded: list[dict[str, Any]] = json.loads(text)["cases"]
    return loaded


def last_code(port: int, lines: list[str]) -> str:
    with connected(port) as client:
        code = 0
        for line in lines:
            client.send(line.encode())
            code = client.code()
        return str(code)


def allowed(case: dict[str, Any]) -> tuple[str, ...]:
    """Return the beginnings of the codes that the case's words allow."""
    words = f"{case['expect']} {case.get('alt', '')}"
    codes = [word.strip(",(") for word in words.replace("/", " ").split()]
    return tuple(code.removesuffix("xx") for code in codes if code[:1].isdigit())


def test_malformed_commands_get_their_class_of_reply(
    shared_data: Path, certificate: dict[str, str]
) -> None:
    played = 0
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"tls": certificate}, limits={"recipients": 100}) as door,
    ):
        for case in cases(shared_data):
            if "send" in case:
                code = last_code(door.port, case["send"])
                assert code.startswith(allowed(case)), (case["id"], code)
            else:
                GENERATED[case["id"]](door, sink)
            played += 1
    assert played == 20
