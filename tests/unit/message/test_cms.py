from __future__ import annotations

from base64 import encodebytes

import pytest

from milter.message import cms
from milter.message.document import Message

ENTITY = b"Content-Type: text/html\r\n\r\n<p>pay <a href='https://evil.example/'>here</a></p>"
SIGNED = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")


def tlv(tag: int, *inside: bytes) -> bytes:
    content = b"".join(inside)
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


def open_ended(tag: int, *inside: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(inside) + b"\0\0"


def signed(content: bytes) -> bytes:
    held = tlv(0x30, DATA, tlv(0xA0, tlv(0x04, content)))
    return tlv(0x30, SIGNED, tlv(0xA0, tlv(0x30, b"\2\1\1", tlv(0x31), held, tlv(0x31))))


def streamed(*pieces: bytes) -> bytes:
    octets = open_ended(0x24, *(tlv(0x04, piece) for piece in pieces))
    held = open_ended(0x30, DATA, open_ended(0xA0, octets))
    inner = open_ended(0x30, b"\2\1\1", open_ended(0x31, open_ended(0x30)), held, tlv(0x31))
    return open_ended(0x30, SIGNED, open_ended(0xA0, inner))


def a_message(
    data: bytes, name: str = "smime.p7m", kind: str = "application/pkcs7-mime"
) -> Message:
    head = f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return Message(head.encode() + encodebytes(data))


@pytest.mark.parametrize(
    ("data", "content"),
    [
        pytest.param(signed(b"hallo"), b"hallo", id="of-one-piece"),
        pytest.param(streamed(b"hal", b"lo"), b"hallo", id="streamed"),
        pytest.param(signed(b"hallo")[:-4], b"hallo", id="cut-behind-the-content"),
        pytest.param(signed(b"hallo").replace(SIGNED, DATA), None, id="other-type"),
        pytest.param(tlv(0x30, SIGNED), None, id="nothing-inside"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\x30", None, id="one-byte"),
        pytest.param(b"\x30\x85\0\0\0\0\1", None, id="length-of-five-bytes"),
        pytest.param(b"Content-Type: text/plain\r\n\r\nx", None, id="text"),
    ],
)  # fmt: skip
def test_content_of_signed_data(data: bytes, content: bytes | None) -> None:
    assert cms.signed_content(data) == content


def test_any_beginning_of_signed_data_is_read_without_error() -> None:
    whole = streamed(b"hal", b"lo")
    read = {cms.signed_content(whole[:end]) for end in range(len(whole))}
    assert all(content is None or b"hallo".startswith(content) for content in read)


def test_elements_without_end_are_given_up() -> None:
    begin = bytes.fromhex("308006092a864886f70d010702a08030800201013180")
    assert cms.signed_content(begin + b"\5\0" * 200_000) is None
    assert cms.signed_content(begin + b"\x30\x80" * 200_000) is None


@pytest.mark.parametrize("kind", ["application/pkcs7-mime", "application/octet-stream"])
def test_signed_message_is_read_as_mail_readers_show_it(kind: str) -> None:
    message = a_message(signed(ENTITY), kind=kind)
    assert message.body == "pay here"
    assert message.urls == ["https://evil.example/"]


def test_signed_message_in_a_signed_message_is_read() -> None:
    inner = b"Content-Type: application/pkcs7-mime\r\n\r\n" + signed(ENTITY)
    assert a_message(signed(inner)).body == "pay here"


def test_signed_text_without_a_header_is_text() -> None:
    assert a_message(signed(b"\r\npay here")).body == "pay here"


def test_signed_file_is_a_file() -> None:
    message = a_message(signed(b"MZ\x90\0"), "bill.exe.p7m", "application/octet-stream")
    assert [file.name for file in message.attachments] == ["bill.exe.p7m", "bill.exe"]
    assert "executable" in message.attachments[1].dangers


def test_encrypted_message_has_nothing_to_read() -> None:
    message = a_message(signed(ENTITY).replace(SIGNED, DATA))
    assert message.body == ""
    assert message.defects == ()
