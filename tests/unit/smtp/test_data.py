from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.limits import LocalLimits
from milter.smtp.data import Bounds, ChunkReader, DataReader, Fault, Received

BOUNDS = Bounds(message_bytes=1_000_000, line_bytes=100_000)


def room(size: int = 10_000_000) -> LocalLimits:
    return LocalLimits(sessions=1, sessions_per_client=1, bytes_in_flight=size)


def read(*pieces: bytes, bounds: Bounds = BOUNDS) -> tuple[Received, bytes]:
    reader = DataReader(bounds, room())
    for piece in pieces[:-1]:
        assert reader.feed(piece) is None
    rest = reader.feed(pieces[-1])
    assert rest is not None
    return reader.finish(), rest


def test_data_ended_by_dot_gives_message_and_what_follows() -> None:
    received, rest = read(b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    assert received == Received(b"Subject: x\r\n\r\nhello\r\n", 21, Fault.NONE, dotted=False)
    assert rest == b"QUIT\r\n"


def test_data_empty_message_is_ended_by_a_dot_alone() -> None:
    received, rest = read(b".\r\n")
    assert received == Received(b"", 0, Fault.NONE, dotted=False)
    assert rest == b""


@pytest.mark.parametrize("cut", range(1, 40))
def test_data_cut_anywhere_gives_the_same_message(cut: int) -> None:
    wire = b"..a\r\n\r\n.b\r\n..\r\nend\r\n.\r\nMAIL FROM:<>\r\n"
    reader = DataReader(BOUNDS, room())
    rest: bytes | None = None
    followed = b""
    for piece in (wire[:cut], wire[cut:]):
        if rest is None:
            rest = reader.feed(piece)
            followed = rest or b""
        else:
            followed += piece
    assert reader.finish().message == b".a\r\n\r\nb\r\n.\r\nend\r\n"
    assert followed == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    "bare", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"\n.\r\n", b"\r.\r\n", b"a\n\r\n"]
)
def test_data_bare_newline_is_a_fault(bare: bytes) -> None:
    received, _ = read(b"x\r\n" + bare + b"end\r\n.\r\n")
    assert received.fault is Fault.BARE_NEWLINE
    assert received.message == b""


def test_data_bare_newline_normalised_becomes_crlf() -> None:
    received, _ = read(b"a\nb\rc\r\n.\r\n", bounds=Bounds(1000, 1000, normalise=True))
    assert received.message == b"a\r\nb\r\nc\r\n"


def test_data_normalised_dot_line_is_not_an_end_for_the_next_hop() -> None:
    received, _ = read(b"a\n.\nb\r\n.\r\n", bounds=Bounds(1000, 1000, normalise=True))
    # What is relayed is stuffed anew, so this dot travels as two.
    assert received.message == b"a\r\n.\r\nb\r\n"


@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\r\n."]), max_size=12))
def test_data_not_dotted_has_no_line_that_begins_with_a_dot(words: list[bytes]) -> None:
    message = b"".join(words) + b"\r\n"
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    received, _ = read(stuffed + b".\r\n")
    assert received.dotted == (b"\r\n." in b"\r\n" + message)


def test_data_larger_than_allowed_is_counted_and_not_kept() -> None:
    limits = room()
    reader = DataReader(Bounds(message_bytes=100, line_bytes=1000), limits)
    for _ in range(100):
        assert reader.feed(b"x" * 98 + b"\r\n") is None
        assert limits.bytes_in_flight <= 102
    assert limits.bytes_in_flight == 0
    assert reader.feed(b".\r\n") == b""
    assert reader.finish() == Received(b"", 10_000, Fault.TOO_BIG)


def test_data_far_beyond_the_bound_is_endless() -> None:
    reader = DataReader(Bounds(message_bytes=100, line_bytes=1000), room())
    assert reader.feed(b"x" * 1000) is None
    assert not reader.endless
    assert reader.feed(b"x" * 1_100_000) is None
    assert reader.endless


def test_data_end_is_found_across_pieces_after_the_bound_was_passed() -> None:
    reader = DataReader(Bounds(message_bytes=10, line_bytes=1000), room())
    assert reader.feed(b"x" * 50 + b"\r") is None
    assert reader.feed(b"\n.") is None
    assert reader.feed(b"\r") is None
    assert reader.feed(b"\nNOOP\r\n") == b"NOOP\r\n"


def test_data_without_room_is_a_fault_of_its_own() -> None:
    limits = room(3)
    reader = DataReader(BOUNDS, limits)
    assert reader.feed(b"hello\r\n.\r\n") == b""
    assert reader.finish().fault is Fault.NO_ROOM
    assert limits.bytes_in_flight == 0


def test_data_room_is_given_back_once() -> None:
    limits = room()
    reader = DataReader(BOUNDS, limits)
    reader.feed(b"hello\r\n.\r\n")
    assert limits.bytes_in_flight > 0
    reader.close()
    reader.close()
    assert limits.bytes_in_flight == 0


@pytest.mark.parametrize(
    ("length", "fault"),
    [
        pytest.param(50, Fault.NONE, id="a line of just the bound"),
        pytest.param(51, Fault.LONG_LINE, id="a line one byte longer"),
    ],
)
def test_data_line_length_is_bounded(length: int, fault: Fault) -> None:
    line = b"y" * length + b"\r\n"
    received, _ = read(b"a\r\n" * 30 + line + b"b\r\n" * 30 + b".\r\n", bounds=Bounds(9999, 50))
    assert received.fault is fault


def test_chunk_message_may_hold_dots_and_gets_its_last_line_ended() -> None:
    reader = ChunkReader(BOUNDS, room())
    reader.feed(b"a\r\n.\r\n")
    reader.feed(b".b")
    assert reader.finish() == Received(b"a\r\n.\r\n.b\r\n", 8, Fault.NONE)


def test_chunk_cut_inside_a_line_end_is_whole() -> None:
    reader = ChunkReader(BOUNDS, room())
    reader.feed(b"a\r")
    reader.feed(b"\nb\r\n")
    assert reader.finish().fault is Fault.NONE


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n."]), max_size=25),
    st.integers(min_value=1, max_value=6),
)
def test_data_of_any_bytes_is_read_as_the_rules_say(words: list[bytes], step: int) -> None:
    wire = b"".join(words) + b"\r\n.\r\n"
    whole = b"\r\n" + wire
    end = whole.find(b"\r\n.\r\n")
    message = whole[: end + 2].replace(b"\r\n.", b"\r\n")[2:]
    reader = DataReader(BOUNDS, room())
    rest: bytes | None = None
    position = 0
    while rest is None:
        rest = reader.feed(wire[position : position + step])
        position += step
    received = reader.finish()
    assert rest + wire[position:] == whole[end + 5 :]
    bare = message.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        assert received.fault is Fault.BARE_NEWLINE
    else:
        assert received.message == message
        assert received.dotted or b"\r\n." not in b"\r\n" + message


@given(
    st.lists(st.sampled_from([b".", b"\r\n", b"a", b"..", b"\r\n.", b"bc"]), max_size=30),
    st.integers(min_value=1, max_value=7),
)
def test_data_of_any_crlf_message_comes_back_as_it_was_stuffed(
    words: list[bytes], step: int
) -> None:
    message = b"".join(words) + b"\r\n"
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    wire = stuffed + b".\r\nNEXT"
    reader = DataReader(BOUNDS, room())
    rest: bytes | None = None
    position = 0
    while rest is None:
        rest = reader.feed(wire[position : position + step])
        position += step
    assert reader.finish().message == message
    assert rest + wire[position:] == b"NEXT"


@pytest.mark.parametrize("line", [b"x" * 8, b"." * 8, b"." + b"x" * 7], ids=["no", "many", "one"])
@pytest.mark.parametrize("cut", range(1, 5))
@pytest.mark.parametrize(("more", "fault"), [(0, Fault.NONE), (1, Fault.TOO_BIG)])
def test_data_of_exactly_the_size_is_taken(line: bytes, cut: int, more: int, fault: Fault) -> None:
    message = (line + b"\r\n") * 100 + b"y" * (22 + more) + b"\r\n"
    wire = stuffed(message) + b".\r\n"
    bounds = Bounds(message_bytes=1024, line_bytes=1000)
    received, _ = read(wire[:300], wire[300:-cut], wire[-cut:], bounds=bounds)
    assert (received.fault, len(message)) == (fault, 1024 + more)


def stuffed(message: bytes) -> bytes:
    """Return `message` as it is sent (RFC 5321 §4.5.2)."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
