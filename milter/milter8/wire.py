"""Packets of the milter protocol, versions 2 to 6, as bytes (libmilter/mfdef.h of Sendmail).

A packet is a length of four octets, a letter that says what it is, and data. Whatever bytes come,
nothing but `PacketError` leaves this module, and no more than one packet is held. What a packet
means for a message is `session`'s business.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.errors import GatepostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.core.reply import Reply

# Sendmail and Postfix cut a body after 65,535 octets. A header field comes in one piece, whatever
# Postfix's header_size_limit (102,400) let through.
MAX_PACKET: Final = 262_144
_HEAD: Final = 4
_MAX_DATA: Final = 65_536
# CONNECT, HELO, MAIL and a stage's macros: a command line of a client, and what is known of it.
_MAX_STRINGS: Final = 400

# What the mail server sends.
NEGOTIATE: Final = ord("O")
MACROS: Final = ord("D")
CONNECT: Final = ord("C")
HELO: Final = ord("H")
MAIL: Final = ord("M")
RCPT: Final = ord("R")
DATA: Final = ord("T")
UNKNOWN: Final = ord("U")
HEADER: Final = ord("L")
END_OF_HEADER: Final = ord("N")
BODY: Final = ord("B")
END_OF_MESSAGE: Final = ord("E")
ABORT: Final = ord("A")
QUIT: Final = ord("Q")
QUIT_SESSION: Final = ord("K")

_CONTROLS: Final = re.compile(rb"[\x00-\x1f\x7f]")
_UINT32: Final = struct.Struct(">I")
_NEGOTIATION: Final = struct.Struct(">III")


def packet(letter: bytes, data: bytes = b"") -> bytes:
    """Return one packet."""
    return _UINT32.pack(len(data) + 1) + letter + data


# What we answer.
CONTINUE: Final = packet(b"c")
DISCARD: Final = packet(b"d")
PROGRESS: Final = packet(b"p")
SKIP: Final = packet(b"s")


class PacketError(GatepostError):
    """A packet that no mail server sends: where the next one begins can no longer be known."""


class Negotiation(NamedTuple):
    """What the two sides can do.

    Attributes:
        version: Of the protocol.
        actions: Bits of what a filter may change.
        steps: Bits of what is left out or answered.
    """

    version: int
    actions: int
    steps: int


class Client(NamedTuple):
    """The CONNECT packet.

    Attributes:
        name: What the mail server calls the client: a name, `unknown` or an address in brackets.
        family: `4`, `6`, `L` for a unix socket, `U` for unknown.
        port: 0 where there is none.
        address: As text; empty for `U`.
    """

    name: str
    family: str
    port: int
    address: str


class PacketReader:
    """Takes bytes as they come and gives whole packets; belongs to one connection."""

    __slots__ = ("_position", "_unread")

    def __init__(self) -> None:
        # What comes alone, as most does, stays the object that the socket gave.
        self._unread: bytes | bytearray = b""
        self._position = 0

    def __len__(self) -> int:
        return len(self._unread) - self._position

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        if self._position == len(self._unread):
            self._unread, self._position = data, 0
            return
        owned = self._unread
        if isinstance(owned, bytes):
            owned = self._unread = bytearray(memoryview(owned)[self._position :])
        else:
            del owned[: self._position]
        self._position = 0
        owned += data

    def next(self) -> tuple[int, bytes] | None:
        """Return the next packet as letter and data; None until it is whole.

        Raises:
            PacketError: Its length is 0 or beyond what is taken.
        """
        unread, start = self._unread, self._position + _HEAD
        if len(unread) < start:
            return None
        (length,) = _UINT32.unpack_from(unread, self._position)
        if not 0 < length <= MAX_PACKET:
            raise PacketError(f"a packet of {length} octets")
        end = start + length
        if len(unread) < end:
            return None
        self._position = end
        data = unread[start + 1 : end]
        return unread[start], data if isinstance(data, bytes) else bytes(data)


def read_negotiation(data: bytes) -> Negotiation:
    """Return what the mail server offers; what follows the three numbers is of no use to us.

    Raises:
        PacketError: It is too short.
    """
    if len(data) < _NEGOTIATION.size:
        raise PacketError("a negotiation that is too short")
    return Negotiation._make(_NEGOTIATION.unpack_from(data))


def write_negotiation(agreed: Negotiation, macros: Iterable[tuple[int, str]] = ()) -> bytes:
    """Return our answer, with the names of the macros that are wanted at each stage."""
    wanted = [_UINT32.pack(stage) + names.encode() + b"\0" for stage, names in macros]
    return packet(b"O", _NEGOTIATION.pack(*agreed) + b"".join(wanted))


def read_strings(data: bytes) -> list[bytes]:
    """Return the strings of a packet, each of which a zero octet ends.

    Raises:
        PacketError: There is none, too many, or the last one is cut.
    """
    _check_strings(data)
    return data[:-1].split(b"\0")


def read_header(data: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a header field.

    Raises:
        PacketError: It is not two strings.
    """
    name, found, value = data.partition(b"\0")
    if not found or value[-1:] != b"\0":
        raise PacketError("a header field that is not two strings")
    return name, value[:-1]


def read_macros(data: bytes) -> tuple[int, dict[str, str]]:
    """Return the letter of the command that macros go before, and their values by name.

    Names lose their braces, which some mail servers write around a single letter too.

    Raises:
        PacketError: Names and values do not come in pairs.
    """
    if not data:
        raise PacketError("macros of no stage")
    if len(data) == 1:
        return data[0], {}
    _check_strings(data)
    # A zero octet parts characters, too, so that all are decoded at once.
    words = text(data[1:-1]).split("\0")
    if len(words) % 2:
        raise PacketError("a macro without its value")
    names = [name.strip("{}") for name in words[::2]]
    return data[0], dict(zip(names, words[1::2], strict=True))


def read_connect(data: bytes) -> Client:
    """Return who connected to the mail server.

    Raises:
        PacketError: It is cut, or of no family.
    """
    name, found, rest = data.partition(b"\0")
    family = rest[:1].decode("latin-1")
    if not found or family not in {"4", "6", "L", "U"}:
        raise PacketError("a client of no family")
    if family == "U":
        return Client(text(name), family, 0, "")
    address, found, _ = rest[3:].partition(b"\0")
    if not found:
        raise PacketError("a client's address without its end")
    return Client(text(name), family, int.from_bytes(rest[1:3], "big"), text(address))


def _check_strings(data: bytes) -> None:
    if data[-1:] != b"\0" or len(data) > _MAX_DATA or data.count(0) > _MAX_STRINGS:
        raise PacketError("strings without their end, or too many")


def text(value: bytes) -> str:
    """Return what a peer of the mail server wrote; it need not be UTF-8."""
    return value.decode("utf-8", "replace")


def reply_code(reply: Reply) -> bytes:
    """Return the packet that has the mail server say `reply`, word for word.

    A per cent sign is doubled: Sendmail takes the text for a format, and Postfix does as it does.
    """
    words = reply.wire().removesuffix(b"\r\n").replace(b"\0", b"?").replace(b"%", b"%%")
    return packet(b"y", words + b"\0")


def insert_header(position: int, name: bytes, value: bytes) -> bytes:
    """Return the packet that puts a field before the one at `position`, counted from 0."""
    return packet(b"i", _UINT32.pack(position) + name + b"\0" + value + b"\0")


def change_header(number: int, name: bytes, value: bytes) -> bytes:
    """Return the packet that changes the field `name`; an empty value takes it away.

    Args:
        number: Which of the fields of this name, counted from 1.
        name: Of the field.
        value: Its new value.
    """
    return packet(b"m", _UINT32.pack(number) + name + b"\0" + value + b"\0")


def add_recipient(path: bytes, parameters: bytes = b"") -> bytes:
    """Return the packet that adds a recipient, given in angle brackets, with parameters of RCPT."""
    if parameters:
        return packet(b"2", path + b"\0" + parameters + b"\0")
    return packet(b"+", path + b"\0")


def delete_recipient(path: bytes) -> bytes:
    """Return the packet that takes a recipient away, written as it came at RCPT."""
    return packet(b"-", path + b"\0")


def quarantine(reason: bytes) -> bytes:
    """Return the packet that has the mail server hold the message.

    The reason becomes one line of a queue file, and a sender chooses part of it.
    """
    return packet(b"q", _CONTROLS.sub(b"?", reason) + b"\0")
