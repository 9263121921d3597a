"""A whole connection: what is asked, and what is answered."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from milter.doors.teaching import Teacher
from milter.settings import Limits
from milter.spamd.session import SpamdDoor, SpamdSession
from reputation.memory import MemoryStore
from tests.support.http_door import a_whole_door
from tests.support.pipeline import POLICY, Sees, a_pipeline, found
from tests.support.stores import client_of, random_bytes

if TYPE_CHECKING:
    from milter.doors.door import Door

MESSAGE = b"From: a@example.net\r\nSubject: hello\r\nX-Spam-Flag: NO\r\n\r\nhello\r\n"


def asked(
    request: bytes,
    door: Door | None = None,
    *,
    teacher: Teacher | None = None,
    may_teach: bool = True,
) -> bytes:
    async def once() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(request)
        reader.feed_eof()
        used = SpamdDoor(door or a_whole_door(Sees(found("GTUBE"))), teacher)
        return await SpamdSession(used, reader, may_teach=may_teach).answer()

    return asyncio.run(once())


def a_request(
    command: str, message: bytes = MESSAGE, version: str = "SPAMC/1.5", headers: str = ""
) -> bytes:
    head = f"{command} {version}\r\n{headers}Content-length: {len(message)}\r\n\r\n"
    return head.encode() + message


def passing() -> Door:
    return a_whole_door(Sees())


def test_check_says_yes_score_and_threshold() -> None:
    answer = asked(a_request("CHECK"))
    assert answer == (b"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: True ; 100.0 / 5.0\r\n\r\n")


def test_check_of_a_wanted_message_says_no() -> None:
    assert b"\r\nSpam: False ; " in asked(a_request("CHECK"), passing())


def test_symbols_are_listed() -> None:
    assert asked(a_request("SYMBOLS")).endswith(b"\r\n\r\nGTUBE")


@pytest.mark.parametrize(
    ("command", "door", "told"),
    [
        pytest.param("REPORT", None, True, id="report-of-spam"),
        pytest.param("REPORT", passing(), True, id="report-of-ham"),
        pytest.param("REPORT_IFSPAM", None, True, id="if-spam-of-spam"),
        pytest.param("REPORT_IFSPAM", passing(), False, id="if-spam-of-ham"),
    ],
)
def test_report_is_told_to_who_asks(command: str, door: Door | None, told: bool) -> None:
    assert (b"Gatepost says: " in asked(a_request(command), door)) is told


def test_answer_to_an_older_client_has_one_header() -> None:
    answer = asked(a_request("REPORT", version="SPAMC/1.2"))
    assert answer.startswith(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 100.0 / 5.0\r\n\r\nGatepost")


def test_process_gives_the_message_back_with_its_marks() -> None:
    head, _, message = asked(a_request("PROCESS")).partition(b"\r\n\r\n")
    assert b"Content-length: %d" % len(message) in head
    assert b"X-Spam-Flag: YES\r\n" in message
    assert b"X-Spam-Flag: NO\r\n" not in message
    assert message.endswith(b"Subject: hello\r\n\r\nhello\r\n")


def test_headers_gives_back_no_body() -> None:
    message = asked(a_request("HEADERS"), passing()).partition(b"\r\n\r\n")[2]
    assert b"X-Spam-Flag: NO\r\n" in message
    assert message.endswith(b"Subject: hello\r\n\r\n")


@pytest.mark.parametrize(
    ("message", "marks_end"),
    [
        pytest.param(MESSAGE + b"one\nof files\r\n", b"\r\n", id="a-bare-lf"),
        pytest.param(MESSAGE.replace(b"\r\n", b"\n") + b"a\r\nb\n", b"\n", id="a-crlf"),
        pytest.param(MESSAGE.replace(b"\r\n", b"\n"), b"\n", id="all-lf"),
    ],
)
def test_line_ends_stay_as_they_came(message: bytes, marks_end: bytes) -> None:
    for command in ("PROCESS", "HEADERS"):
        given = asked(a_request(command, message)).partition(b"\r\n\r\n")[2]
        marks, found, rest = given.partition(b"From: a@example.net")
        assert found + rest == (
            b"".join(message.partition(b"\r\n\r\n" if marks_end == b"\r\n" else b"\n\n")[:2])
            if command == "HEADERS"
            else message
        ).replace(b"X-Spam-Flag: NO" + marks_end, b"")
        assert b"X-Spam-Flag: YES" + marks_end in marks
        assert (b"\r" in marks) == (marks_end == b"\r\n")


def test_many_fields_of_ours_are_found_again_in_linear_time() -> None:
    # To count the lines from the top for each would run into the time limit of the suite.
    fields = b"A: b\n" * 200_000 + b"X-Spam-Flag: NO\n" * 5_000
    door = replace(a_whole_door(Sees(), in_flight=2_000_000), bounds=Limits())
    given = asked(a_request("PROCESS", fields + b"\nhello\n"), door)
    assert given.count(b"X-Spam-Flag: NO") == 1
    assert given.endswith(b"A: b\n" * 200_000 + b"\nhello\n")


def test_message_may_come_compressed() -> None:
    packed = zlib.compress(MESSAGE)
    answer = asked(a_request("PROCESS", packed, headers="Compress: zlib\r\n"), passing())
    assert answer.endswith(MESSAGE.partition(b"X-Spam")[0] + b"\r\nhello\r\n")


def test_rspamd_variant_is_answered_as_exim_reads_it() -> None:
    headers = "From: <a@example.net>\r\nRcpt: <b@example.org>\r\nIP: 192.0.2.1\r\nHelo: x\r\n"
    answer = asked(a_request("CHECK", version="RSPAMC/1.3", headers=headers))
    assert answer.startswith(
        b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; 100.0 / 5.0 / 12.0\r\nAction: reject\r\n"
    )
    assert b"\r\nSymbol: GTUBE(100.00)\r\n" in answer


def test_rule_that_refuses_without_points_is_told_by_the_score() -> None:
    rule = "rules: [{id: GONE, when: '\"GTUBE\" in symbols', action: reject, describe: x}]\n"
    pipeline = a_pipeline(
        Sees(found("GTUBE")), policy=POLICY.replace("GTUBE: 100", "GTUBE: 1") + rule
    )
    assert b"Spam: True ; 5.0 / 5.0\r\n" in asked(
        a_request("CHECK"), a_whole_door(pipeline=pipeline)
    )


def test_ping_and_skip() -> None:
    assert asked(b"PING SPAMC/1.2\r\n") == b"SPAMD/1.5 0 PONG\r\n"
    assert asked(b"SKIP SPAMC/1.2\r\n") == b""


def test_lessons_over_a_unix_socket() -> None:
    teacher = Teacher(client_of(MemoryStore(random_bytes())))
    lesson = a_request("TELL", headers="Message-class: spam\r\nSet: local\r\n")
    answers = [asked(lesson, teacher=teacher) for _ in range(2)]
    assert answers[0] == b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\nContent-length: 2\r\n\r\n\r\n"
    assert answers[1] == b"SPAMD/1.1 0 EX_OK\r\nContent-length: 2\r\n\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "door", "answer"),
    [
        pytest.param(b"EAT SPAMC/1.5\r\n\r\n", None, b"SPAMD/1.0 76 the command", id="unknown"),
        pytest.param(
            a_request("CHECK", b"x" * 2001), None, b"SPAMD/1.0 65 the message is l", id="too-large"
        ),
        pytest.param(
            a_request("CHECK"), a_whole_door(sessions=0), b"SPAMD/1.0 75 too many", id="overload"
        ),
        pytest.param(
            a_request("CHECK", headers="Compress: zlib\r\n"),
            None,
            b"SPAMD/1.0 76 the message is no zlib",
            id="not-compressed",
        ),
        pytest.param(
            a_request("TELL", headers="Message-class: spam\r\nSet: local\r\n"),
            None,
            b"SPAMD/1.0 69 nothing is learned",
            id="nobody-learns",
        ),
    ],
)
def test_trouble_is_told_by_a_code(request_: bytes, door: Door | None, answer: bytes) -> None:
    assert asked(request_, door).startswith(answer)


def test_lessons_over_the_network_are_refused() -> None:
    lesson = a_request("TELL", headers="Message-class: spam\r\nSet: local\r\n")
    assert asked(lesson, may_teach=False).startswith(b"SPAMD/1.0 69 TELL is taken on a unix")


def test_request_gives_back_what_it_held() -> None:
    door = a_whole_door(Sees(), in_flight=len(MESSAGE))
    asked(a_request("CHECK"), door)
    assert door.limits.reserve(len(MESSAGE))
    assert door.limits.admit(None)
