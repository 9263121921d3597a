"""Every published sequence that ends a message for somebody, cut at every byte.

Whatever the filter makes of them, the next hop must never see more than one message.
"""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
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
_AT_ONCE = 16
_PASS_THROUGH = "version: 1\nname: nothing\n"


def sequences(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "conformance/smtp/smuggling-sequences.json").read_text("utf-8")
    loaded: list[dict[str, Any]] = json.loads(text)["sequences"]
    return loaded


def offer(port: int, sequence: bytes, cut: int, sender: bytes = b"a@example.net") -> bytes:
    """Send a message with `sequence` in it in two pieces; return the reply to its end.

    The kernel holds the second piece back until the first is acknowledged, which makes the cut one
    that the server sees.
    """
    wire = _HEAD + sequence + _SMUGGLED
    with connected(port) as client:
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<" + sender + b">")
        client.ask(b"RCPT TO:<b@example.org>")
        assert client.ask(b"DATA")[:3] == b"354"
        client.send(wire[:cut])
        client.send(wire[cut:])
        reply = client.reply()
        client.half_close()
        assert client.closed()
        return reply


def cuts(folder: Path) -> list[tuple[bytes, int]]:
    """Return every sequence with every place between two bytes of the message that bears it."""
    found = [bytes.fromhex(entry["hex"]) for entry in sequences(folder)]
    return [(one, cut) for one in found for cut in range(1, len(_HEAD + one + _SMUGGLED))]


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        pytest.param("refuse", b"550", id="refuse"),
        pytest.param("normalise", b"250", id="normalise"),
    ],
)
def test_sequences_never_make_two_messages(shared_data: Path, setting: str, code: bytes) -> None:
    offered = cuts(shared_data)
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"bare_newlines": setting},
            limits={"sessions_per_client": 1000},
            policy=_PASS_THROUGH,
        ) as door,
        ThreadPoolExecutor(_AT_ONCE) as clients,
    ):

        def one(number: int) -> bytes:
            return offer(door.port, *offered[number], sender=b"%d@example.net" % number)

        replies = list(clients.map(one, range(len(offered))))
        got = Counter(message.mail_from for message in sink.messages)
    assert len(offered) > 1000
    for (sequence, cut), reply in zip(offered, replies, strict=True):
        assert reply[:3] == code or b"\0" in sequence, (sequence, cut, reply)
    assert set(got.values()) <= {1}
    assert got.keys() == {
        b"FROM:<%d@example.net>" % number
        for number, reply in enumerate(replies)
        if reply[:3] == b"250"
    }


def test_sequence_with_nul_is_part_of_the_one_message(shared_data: Path) -> None:
    """`CRLF NUL . CRLF` holds no bare newline: it travels inside the message."""
    with running_sink() as sink, running_door(sink.host, policy=_PASS_THROUGH) as door:
        reply = offer(door.port, b"\r\n\0.\r\n", 5)
        assert reply[:3] == b"250"
        assert [b"\0." in m.content for m in sink.messages] == [True]
