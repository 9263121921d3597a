"""Recorded sessions of a mail server with another milter: the same packets get a verdict here.

The packets are those that libmilter's mail server sends, without HELO and RCPT, and each step is
answered as recorded where it does not depend on what the other milter was for.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import milter_packets as mta
from tests.support.milter_session import Dialog, a_door
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = SHARED / "conformance" / "milter" / "opendkim-sign-sessions.json"
# Of the recorded macros, those that a stage of ours knows.
_STAGES = {"SMFIC_MAIL": "M", "SMFIC_CONNECT": "C", "SMFIC_EOM": "E"}


def _sessions() -> list[Any]:
    return json.loads(_FILE.read_text("utf-8")) if _FILE.exists() else []


def _packets(steps: list[Any]) -> Iterator[bytes]:
    for step in steps:
        words = [arg for arg in step["args"] if isinstance(arg, str)]
        match step["op"]:
            case "conninfo":
                yield mta.connect(words[0], words[1])
            case "macro" if words[0] in _STAGES:
                yield mta.macros(
                    _STAGES[words[0]], **dict(zip(words[1::2], words[2::2], strict=True))
                )
            case "mailfrom":
                yield mta.mail(*words)
            case "header":
                yield mta.header(words[0], words[1])
            case "eoh":
                yield mta.END_OF_HEADER
            case "bodystring":
                yield mta.body(words[0].encode())
            case "eom":
                yield mta.END_OF_MESSAGE


@pytest.mark.skipif(not _FILE.exists(), reason=f"needs {_FILE}")
@pytest.mark.parametrize("session", _sessions(), ids=lambda session: session["title"][:60])
def test_recorded_session_gets_a_verdict_for_each_message(session: Any) -> None:
    dialog = Dialog(a_door())
    packets = list(_packets(session["steps"]))
    ends = packets.count(mta.END_OF_MESSAGE)
    said = asyncio.run(dialog.say(mta.offer(*mta.OFFER_2) + b"".join(packets)))
    dialog.session.close()
    letters = [answer.letter for answer in mta.answers(said)]
    # Version 2: one answer for each packet but macros; each message is marked before its verdict.
    steps = [packet for packet in packets if packet[4:5] != b"D"]
    assert sum(letter in "cy" for letter in letters) == len(steps) + letters.count("O") - 1
    assert letters[-1] in "cy"
    assert sum(a == "i" and b == "c" for a, b in itertools.pairwise(letters)) == ends
