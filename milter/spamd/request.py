"""One request, from bytes: a line, headers, a message (SpamAssassin's PROTOCOL, 1.2 to 1.5).

`CHECK RSPAMC/1.3` is rspamd's variant, which Exim speaks: the headers tell the envelope too. Pure:
bytes in, a head and pieces of the message out. Memory is bounded by the caller, who counts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milter.core.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMANDS: Final = frozenset(
    {
        "CHECK", "SYMBOLS", "REPORT", "REPORT_IFSPAM", "PROCESS", "HEADERS", "TELL", "PING", "SKIP",
    }
)  # fmt: skip
# Nothing follows their line that matters, and older clients send nothing at all.
_ALONE: Final = frozenset({"PING", "SKIP"})
# Of the line alone, which is looked at anew with every piece that comes.
_MAX_LINE: Final = 100
# A thousand recipients of the greatest length.
_MAX_HEAD: Final = 384 * 1024
_LINE: Final = re.compile(r"([A-Za-z_]{1,20}) (R?SPAMC)/(\d{1,3})\.(\d{1,3})")
_MAX_LENGTH_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Head:
    """The line and the headers of a request.

    Attributes:
        command: In capitals, one of `COMMANDS`.
        from_rspamd: Whether it is rspamd's variant.
        version: What the client speaks.
        fields: Values by name in lower case.
    """

    command: str
    from_rspamd: bool
    version: tuple[int, int]
    fields: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str, default: str = "", /) -> str:
        """Return the first value of a header, whose name may be in any case."""
        return next(iter(self.fields.get(name.lower(), ())), default)

    def getall(self, name: str, default: Sequence[str] = (), /) -> Sequence[str]:
        """Return all values of a header."""
        return self.fields.get(name.lower(), default)


class RequestReader:
    """Reads one request.

    Attributes:
        done: Whether all of it was read, so that it can be answered before the client closes.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._in_body = False
        self._left: int | None = None
        self.done = False

    def feed(self, data: bytes) -> Iterator[Head | bytes]:
        """Yield the head once it is whole, and then pieces of the message.

        Raises:
            RemoteProtocolError: It is no request.
        """
        if not self._in_body:
            head, data = self._take_head(data)
            if head is None:
                return
            yield head
        if data and self._left is not None:
            if len(data) > self._left:
                raise RemoteProtocolError("the message is longer than Content-length says")
            self._left -= len(data)
            self.done = self._left == 0
        if data:
            yield data

    def end(self) -> None:
        """Take note that the client says no more.

        Raises:
            RemoteProtocolError: It should.
        """
        if not self._in_body:
            raise RemoteProtocolError("the request ends within its headers")
        if self._left:
            raise RemoteProtocolError("the message is shorter than Content-length says")
        self.done = True

    def _take_head(self, data: bytes) -> tuple[Head | None, bytes]:
        # Looked for where the last piece may have cut it.
        begin = max(0, len(self._head) - 3)
        self._head += data
        line_end = self._head.find(b"\n", 0, _MAX_LINE)
        if line_end < 0 and len(self._head) >= _MAX_LINE:
            raise RemoteProtocolError("a request begins with a command such as CHECK SPAMC/1.5")
        end, rest = _end_of_head(self._head, line_end, begin)
        if end < 0:
            if len(self._head) > _MAX_HEAD:
                raise RemoteProtocolError("the headers are too long")
            return None, b""
        whole, after = bytes(self._head[:end]), bytes(self._head[rest:])
        self._head.clear()
        head = parse_head(whole)
        self._in_body = True
        if head.command in _ALONE:
            self.done = True
            return head, b""
        self._left = _length(head)
        self.done = self._left == 0
        return head, after


def parse_head(data: bytes) -> Head:
    """Return the line and the headers in `data`.

    Raises:
        RemoteProtocolError: They are not what they should be.
    """
    first, *lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    match = _LINE.fullmatch(first.strip())
    if match is None:
        raise RemoteProtocolError("a request begins with a command such as CHECK SPAMC/1.5")
    command = match[1].upper()
    if command not in COMMANDS:
        raise RemoteProtocolError(f"the command {command} is not known")
    head = Head(command, match[2] == "RSPAMC", (int(match[3]), int(match[4])))
    for line in lines:
        name, found, value = line.partition(":")
        # What is not understood is passed over, as the protocol asks.
        if found:
            head.fields.setdefault(name.strip().lower(), []).append(value.strip())
    return head


def _end_of_head(data: bytearray, line_end: int, begin: int) -> tuple[int, int]:
    """Return where the head ends and what follows begins; -1 where it does not end yet."""
    if line_end >= 0 and data[:line_end].split(b" ")[0].upper().decode("latin-1") in _ALONE:
        return line_end, len(data)
    blank, plain = data.find(b"\r\n\r\n", begin), data.find(b"\n\n", begin)
    if blank >= 0 and (plain < 0 or blank < plain):
        return blank, blank + 4
    return plain, plain + 2


def _length(head: Head) -> int | None:
    text = head.get("content-length")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_LENGTH_DIGITS):
        raise RemoteProtocolError("Content-length is no number")
    return int(text)
