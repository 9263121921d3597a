"""SMTP and LMTP as a client speaks them, without a socket: replies, capabilities, commands, dots.

It knows the grammar of RFC 5321 (replies §4.2, EHLO §4.1.1.1, transparency §4.5.2) and of RFC 2033.
It does not know in which order commands come, nor how long to wait: see `client` and `handshake`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.core.errors import LocalProtocolError, RemoteProtocolError
from milter.core.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# RFC 5321 §4.5.3.1.5 allows 512 octets a line. Real servers write more; eight times as much is
# still nothing that fills memory.
MAX_REPLY_LINE: Final = 4096
MAX_REPLY_LINES: Final = 128

CRLF: Final = b"\r\n"
DATA: Final = b"DATA\r\n"
FINAL_DOT: Final = b".\r\n"
RSET: Final = b"RSET\r\n"
QUIT: Final = b"QUIT\r\n"
STARTTLS: Final = b"STARTTLS\r\n"

# RFC 5321 §4.2: a code, then a space or hyphen and text, or nothing. A CR inside would become a
# line break of the hop's making in front of our client.
_REPLY_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\0]*))?")
_LINE_BREAK: Final = re.compile(rb"[\r\n\0]")
# Most replies are one line that comes at once.
_WHOLE_REPLY: Final = re.compile(rb"([2-5][0-9]{2}) ([^\r\n\0]{0,512})\r?\n")


class ReplyParser:
    """Makes replies out of bytes, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._code = b""
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether a reply has begun that is not yet whole."""
        return bool(self._buffer or self._lines)

    def whole(self, data: bytes) -> Reply | None:
        """Return the reply that `data` is, alone and of one line; None: `feed` the bytes."""
        if self._buffer or self._lines:
            return None
        match = _WHOLE_REPLY.fullmatch(data)
        return Reply(int(match[1]), (match[2],)) if match is not None else None

    def feed(self, data: bytes) -> None:
        """Take bytes as they come from the peer."""
        self._buffer += data

    def next_reply(self) -> Reply | None:
        """Return the next whole reply, None where more bytes are needed.

        Raises:
            RemoteProtocolError: The bytes are no reply, or one longer than any real one.
        """
        while (text := self._next_line()) is not None:
            match = _REPLY_LINE.fullmatch(text)
            if match is None:
                raise RemoteProtocolError("not a reply")
            reply = self._add(match)
            if reply is not None:
                return reply
        return None

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if (end if end >= 0 else len(self._buffer)) > MAX_REPLY_LINE:
            raise RemoteProtocolError("a reply line is too long")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line.removesuffix(b"\r")

    def _add(self, match: re.Match[bytes]) -> Reply | None:
        code, separator, text = match[1], match[2], match[3] or b""
        # RFC 5321 §4.2.1: every line of a reply bears the same code.
        if self._lines and code != self._code:
            raise RemoteProtocolError("the lines of a reply differ in their code")
        self._code = code
        self._lines.append(text)
        if len(self._lines) > MAX_REPLY_LINES:
            raise RemoteProtocolError("a reply has too many lines")
        if separator == b"-":
            return None
        reply = Reply(int(code), tuple(self._lines))
        self._lines = []
        return reply


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offered in its answer to EHLO or LHLO.

    Attributes:
        extensions: Keyword in upper case, to its parameters as they were written.
    """

    extensions: Mapping[str, str]

    def offers(self, keyword: str) -> bool:
        """Whether `keyword` (upper case) was offered."""
        return keyword in self.extensions

    def parameters(self, keyword: str) -> frozenset[str]:
        """The parameters of `keyword` in upper case; empty where it was not offered."""
        return frozenset(self.extensions.get(keyword, "").upper().split())

    @property
    def size(self) -> int | None:
        """Octets of the largest message; None where no fixed limit was given (RFC 1870 §4)."""
        limit = self.extensions.get("SIZE", "").strip()
        if not re.fullmatch(r"[0-9]{1,20}", limit):
            return None
        return int(limit) or None

    def common(self, other: Capabilities) -> Capabilities:
        """Return what both offer: common keywords, common parameters, the smaller size."""
        extensions = {
            keyword: _common_parameters(self.extensions[keyword], other.extensions[keyword])
            for keyword in self.extensions
            if keyword in other.extensions
        }
        if "SIZE" in extensions:
            limits = [limit for limit in (self.size, other.size) if limit is not None]
            extensions["SIZE"] = str(min(limits)) if limits else ""
        return Capabilities(extensions)


NOTHING_OFFERED: Final = Capabilities({})


def _common_parameters(mine: str, theirs: str) -> str:
    known = set(theirs.upper().split())
    return " ".join(word for word in mine.split() if word.upper() in known)


def parse_capabilities(reply: Reply) -> Capabilities:
    """Return what `reply` to EHLO or LHLO offers; its first line is only a greeting."""
    extensions: dict[str, str] = {}
    # RFC 5321 §4.1.1.1: ehlo-line = ehlo-keyword *( SP ehlo-param ), keywords without case.
    for line in reply.lines[1:]:
        keyword, _, parameters = line.decode("latin-1").strip().partition(" ")
        if keyword:
            extensions[keyword.upper()] = parameters.strip()
    return Capabilities(extensions)


def line(verb: bytes, argument: bytes) -> bytes:
    """Return the command line `verb argument`.

    Raises:
        LocalProtocolError: `argument` holds a line break or NUL; it would be a command of its own.
    """
    if _LINE_BREAK.search(argument):
        raise LocalProtocolError("a line break in the argument of a command")
    return b"%b %b\r\n" % (verb, argument)


def wire_form(pieces: Iterable[bytes], *, dotted: bool = True) -> list[bytes]:
    """Return the message made of `pieces` as it is sent after 354, without the final dot.

    A line that begins with a dot gets another one in front (RFC 5321 §4.5.2). What holds no such
    line is passed on without a copy. A message that does not end with CRLF gets one, because the
    final dot must begin a line.

    Args:
        pieces: The message, unstuffed, its lines ended by CRLF; a line may go over pieces.
        dotted: Whether a line may begin with a dot; False where the sender knows that none does.
    """
    if not dotted:
        plain = list(pieces)
        return plain if not plain or plain[-1].endswith(CRLF) else [*plain, CRLF]
    wire: list[bytes] = []
    tail = CRLF
    for piece in pieces:
        if not piece:
            continue
        # The break between two pieces is the one place where replace does not see a dot.
        if tail == CRLF and piece.startswith(b"."):
            wire.append(b".")
        elif tail.endswith(b"\r") and piece.startswith(b"\n."):
            wire.append(b"\n.")
            piece = piece[1:]  # noqa: PLW2901 - its first byte has gone before it
        wire.append(stuff(piece))
        tail = (tail + piece[-2:])[-2:]
    if tail != CRLF:
        wire.append(CRLF)
    return wire


def stuff(piece: bytes) -> bytes:
    r"""Return `piece` with each dot after a line break doubled; `piece` itself where there is none.

    >>> stuff(b"a\r\n.\r\n")
    b'a\r\n..\r\n'
    """
    return piece.replace(b"\r\n.", b"\r\n..")


def least_lasting(replies: Sequence[Reply]) -> Reply:
    """Return the refusal that lasts least: the first 4xx, else the first of all."""
    return next((reply for reply in replies if reply.temporary), replies[0])
