"""Packets as mail servers send them, and our answers taken apart."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# What Postfix 3.7 offers: version 6, all changes, all steps but those of Sendmail's own.
OFFER_6: Final = (6, 0x1FF, 0x1FFFFF)
OFFER_2: Final = (2, 0x3F, 0x7F)


def packet(letter: str, data: bytes = b"") -> bytes:
    """Return one packet."""
    return struct.pack(">I", len(data) + 1) + letter.encode() + data


def strings(*values: str | bytes) -> bytes:
    """Return strings, each with its zero octet."""
    return b"".join((v.encode() if isinstance(v, str) else v) + b"\0" for v in values)


def offer(version: int = 6, actions: int = 0x1FF, steps: int = 0x1FFFFF) -> bytes:
    """Return the packet that begins a connection."""
    return packet("O", struct.pack(">III", version, actions, steps))


def macros(letter: str, **values: str) -> bytes:
    """Return macros that go before `letter`; long names get their braces."""
    named = [(name if len(name) == 1 else f"{{{name}}}", value) for name, value in values.items()]
    return packet("D", letter.encode() + strings(*[word for pair in named for word in pair]))


def connect(name: str = "client.example", ip: str = "192.0.2.7", port: int = 40000) -> bytes:
    """Return CONNECT of a client with an address."""
    family = b"6" if ":" in ip else b"4"
    address = f"IPv6:{ip}" if ":" in ip else ip
    return packet("C", strings(name) + family + struct.pack(">H", port) + strings(address))


def helo(name: str = "client.example") -> bytes:
    """Return HELO."""
    return packet("H", strings(name))


def mail(path: str = "<ann@client.example>", *parameters: str) -> bytes:
    """Return MAIL."""
    return packet("M", strings(path, *parameters))


def rcpt(path: str = "<bob@example.org>") -> bytes:
    """Return RCPT."""
    return packet("R", strings(path))


def header(name: str, value: str) -> bytes:
    """Return a header field; the space before the value is the caller's."""
    return packet("L", strings(name, value))


END_OF_HEADER: Final = packet("N")
END_OF_MESSAGE: Final = packet("E")
ABORT: Final = packet("A")
QUIT: Final = packet("Q")
QUIT_SESSION: Final = packet("K")
FIELDS: Final = (
    ("From", " ann@client.example"),
    ("To", " bob@example.org"),
    ("Subject", " Hello"),
    ("Date", " Sun, 22 Nov 2026 10:00:00 +0000"),
    ("Message-ID", " <1@client.example>"),
)
GTUBE: Final = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"


def body(data: bytes) -> bytes:
    """Return a piece of the body."""
    return packet("B", data)


def content(text: bytes = b"Hello.\r\n", fields: Sequence[tuple[str, str]] = FIELDS) -> bytes:
    """Return header, body and end of a message."""
    head = b"".join(header(name, value) for name, value in fields)
    return head + END_OF_HEADER + (body(text) if text else b"") + END_OF_MESSAGE


def a_message(text: bytes = b"Hello.\r\n", fields: Sequence[tuple[str, str]] = FIELDS) -> bytes:
    """Return one message from MAIL to its end."""
    return mail() + rcpt() + content(text, fields)


def a_session(*messages: bytes, version_offer: bytes = b"") -> bytes:
    """Return a whole connection: negotiation, client, messages, end."""
    return (version_offer or offer()) + connect() + helo() + b"".join(messages) + QUIT


@dataclass(frozen=True, slots=True)
class Answer:
    """One of our packets."""

    letter: str
    data: bytes

    @property
    def words(self) -> list[bytes]:
        """The strings of it."""
        return self.data.rstrip(b"\0").split(b"\0")


def answers(data: bytes) -> list[Answer]:
    """Return our packets; nothing may be left over."""
    found = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        assert len(data) >= 4 + length
        found.append(Answer(chr(data[4]), data[5 : 4 + length]))
        data = data[4 + length :]
    return found


def letters(data: bytes) -> str:
    """Return the letters of our packets."""
    return "".join(answer.letter for answer in answers(data))
