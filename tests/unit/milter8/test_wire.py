from __future__ import annotations

import pytest

from milter.core.reply import Reply
from milter.milter8 import wire
from tests.support import milter_packets as mta


def _packets(*pieces: bytes) -> list[tuple[int, bytes]]:
    reader = wire.PacketReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (packet := reader.next()) is not None:
            found.append(packet)
    return found


def test_reader_every_split_gives_the_same_packets() -> None:
    data = mta.a_session(mta.a_message())
    whole = _packets(data)
    assert [chr(letter) for letter, _ in whole] == list("OCHMRLLLLLNBEQ")
    for place in range(len(data)):
        assert _packets(data[:place], data[place:]) == whole


def test_reader_byte_by_byte_gives_the_same_packets() -> None:
    data = mta.a_session(mta.a_message())
    assert _packets(*[data[i : i + 1] for i in range(len(data))]) == _packets(data)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\0\0\0\0", id="no-letter"),
        pytest.param(b"\xff\xff\xff\xff", id="four-gigabytes"),
        pytest.param((wire.MAX_PACKET + 1).to_bytes(4, "big"), id="one-octet-too-long"),
    ],
)
def test_reader_length_that_lies_is_refused_before_the_data(head: bytes) -> None:
    with pytest.raises(wire.PacketError):
        _packets(head)


def test_connect_ipv6_address_keeps_its_tag_for_the_reader() -> None:
    client = wire.read_connect(mta.connect("mx.example", "2001:db8::1", 25)[5:])
    assert client == wire.Client("mx.example", "6", 25, "IPv6:2001:db8::1")


def test_connect_unknown_family_has_no_address() -> None:
    assert wire.read_connect(b"unknown\0U") == wire.Client("unknown", "U", 0, "")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"name", id="no-end-of-name"),
        pytest.param(b"name\0X\0\0a\0", id="family-x"),
        pytest.param(b"name\0004\0\x19192.0.2.1", id="no-end-of-address"),
    ],
)
def test_connect_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(wire.PacketError):
        wire.read_connect(data)


def test_macros_names_lose_their_braces() -> None:
    data = mta.macros("M", i="4Xb2kQ", auth_authen="ann")[5:]
    assert wire.read_macros(data) == (wire.MAIL, {"i": "4Xb2kQ", "auth_authen": "ann"})


def test_macros_single_letter_in_braces_is_the_same() -> None:
    assert wire.read_macros(b"M{i}\x004Xb\0")[1] == {"i": "4Xb"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no-stage"),
        pytest.param(b"Mi\0", id="name-alone"),
        pytest.param(b"Mi\0004Xb", id="cut"),
        pytest.param(b"M" + b"a\0b\0" * 300, id="too-many"),
    ],
)
def test_macros_malformed_are_refused(data: bytes) -> None:
    with pytest.raises(wire.PacketError):
        wire.read_macros(data)


def test_header_value_may_be_empty() -> None:
    assert wire.read_header(b"X-Empty\0\0") == (b"X-Empty", b"")


@pytest.mark.parametrize("data", [b"", b"Name", b"Name\0value"])
def test_header_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(wire.PacketError):
        wire.read_header(data)


def test_reply_lines_and_per_cent_signs_are_as_sendmail_wants_them() -> None:
    reply = Reply(550, (b"5.7.1 100% spam", b"5.7.1 Really"))
    (answer,) = mta.answers(wire.reply_code(reply))
    assert answer.letter == "y"
    assert answer.data == b"550-5.7.1 100%% spam\r\n550 5.7.1 Really\0"


def test_quarantine_reason_is_one_line_whatever_a_sender_put_in_it() -> None:
    (answer,) = mta.answers(wire.quarantine(b"held\r\nRPFD:<x@example.org>\0"))
    assert (answer.letter, answer.data) == ("q", b"held??RPFD:<x@example.org>?\0")
