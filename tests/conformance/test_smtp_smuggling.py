"""Every published sequence that ends a message for somebody, cut at every byte.

Whatever the filter makes of them, the next hop must never see more than one message.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.door import running_door
from tests.support.line_client import connected
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

_HEAD = b"From: <a@example.net>\r\nSubject: first\r\n\r\nbody"
_SMUGGLED = (
    b"MAIL FROM:<admin@victim.example>\r\nRCPT TO:<x@victim.example>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nX\r\n.\r\n"
)
_PASS_THROUGH = "version: 1\nname: nothing\n"


def sequences(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "conformance/smtp/smuggling-sequences.json").read_text("utf-8")
    loaded: list[dict[str, Any]] = json.loads(text)["sequences"]
    return loaded


def offer(port: int, sequence: bytes, cut: int) -> bytes:
    """Send a message with `sequence` in it in two pieces; return the reply to its end."""
    wire = _HEAD + sequence + _SMUGGLED
    with connected(port) as client:
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        client.ask(b"RCPT TO:<b@example.org>")
        assert client.ask(b"DATA")[:3] == b"354"
        client.send(wire[:cut])
        client.send(wire[cut:])
        reply = client.reply()
        client.half_close()
        assert client.closed()
        return reply


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        pytest.param("refuse", b"550", id="refuse"),
        pytest.param("normalise", b"250", id="normalise"),
    ],
)
def test_sequences_never_make_two_messages(shared_data: Path, setting: str, code: bytes) -> None:
    offered = 0
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"bare_newlines": setting},
            limits={"sessions_per_client": 1000},
            policy=_PASS_THROUGH,
        ) as door,
    ):
        for entry in sequences(shared_data):
            sequence = bytes.fromhex(entry["hex"])
            whole = len(_HEAD + sequence + _SMUGGLED)
            for cut in range(1, whole):
                before = len(sink.messages)
                reply = offer(door.port, sequence, cut)
                got = sink.messages[before:]
                offered += 1
                assert len(got) <= 1, (entry["sequence"], cut)
                assert reply[:3] == code or b"\0" in sequence, (entry["sequence"], cut, reply)
                assert all(b"MAIL FROM:<a@example.net>" in m.commands for m in got)
    assert offered > 1000


def test_sequence_with_nul_is_part_of_the_one_message(shared_data: Path) -> None:
    """`CRLF NUL . CRLF` holds no bare newline: it travels inside the message."""
    with running_sink() as sink, running_door(sink.host, policy=_PASS_THROUGH) as door:
        reply = offer(door.port, b"\r\n\0.\r\n", 5)
        assert reply[:3] == b"250"
        assert [b"\0." in m.content for m in sink.messages] == [True]
