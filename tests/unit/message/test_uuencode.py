from __future__ import annotations

import binascii

import pytest

from milter.message import uuencode
from milter.message.document import Message


def coded(name: str, content: bytes, ending: str = "`\nend\n") -> str:
    lines = [binascii.b2a_uu(content[at : at + 45]).decode() for at in range(0, len(content), 45)]
    return f"begin 644 {name}\n{''.join(lines)}{ending}"


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param(coded("a.txt", b"hello" * 20), [("a.txt", b"hello" * 20)], id="one"),
        pytest.param(
            f"Hi\n{coded('a b.txt', b'1')}and\n{coded('c', b'2')}",
            [("a b.txt", b"1"), ("c", b"2")],
            id="two",
        ),
        pytest.param(coded("a", b"x", ""), [("a", b"x")], id="cut"),
        pytest.param(coded("a", b"x" * 50).replace("\n", "\r\n"), [("a", b"x" * 50)], id="crlf"),
        pytest.param(coded("a", b"ab\0").replace(" \n", "\n"), [("a", b"ab\0")], id="space-lost"),
        pytest.param("begin 644 x\n!!!!!\n", [("x", b"\4")], id="more-signs-than-bytes"),
        pytest.param("begin 2 days before\nyou leave\n", [], id="prose"),
        pytest.param("begin 644 soldiers\nwere sent home\n", [], id="prose-with-a-number"),
        pytest.param("we begin 644 x\n!!!!\n", [], id="in-a-line"),
    ],
)
def test_files_in_a_text(text: str, files: list[tuple[str, bytes]]) -> None:
    assert list(uuencode.files_in(text.encode())) == files


def test_uuencoded_files_are_files_of_the_message() -> None:
    message = Message(f"Subject: x\n\nHi\n{coded('run.exe', b'MZ' + bytes(60))}".encode())
    assert message.attachments[0].name == "run.exe"
    assert "executable" in message.attachments[0].dangers


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "see https://evil.example/"), ("a.html", "<a href='https://evil.example/'>see</a>")],
)
def test_uuencoded_texts_and_pages_are_read(name: str, content: str) -> None:
    message = Message(f"\n{coded(name, content.encode())}".encode())
    assert message.urls == ["https://evil.example/"]


def test_uuencoded_by_its_transfer_encoding_is_decoded() -> None:
    head = "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\n"
    assert Message(f"{head}{coded('-', b'buy now')}".encode()).body == "buy now"


def test_files_past_the_bound_of_parts_are_noted() -> None:
    message = Message(("\n" + coded("a", b"x") * 600).encode())
    assert len(message.parts) == 500
    assert message.truncated == ("parts",)
