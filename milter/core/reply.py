"""SMTP replies (RFC 5321 §4.2, RFC 3463 for enhanced codes)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_UNPRINTABLE: Final = re.compile(r"[^ -~]+")
# RFC 5321 §4.5.3.1.5: 512 octets a reply line, code and CRLF included.
_MAX_TEXT: Final = 480


def printable(text: str) -> str:
    """Return `text` fit for one reply line: printable ASCII, shortened to what a line can hold.

    Peers choose parts of our replies (a domain, an explanation); a line break among them would be
    a reply of their own making.
    """
    return _UNPRINTABLE.sub("?", text)[:_MAX_TEXT]


class Reply(NamedTuple):
    """One reply, of one or several lines; a tuple, because every command makes some.

    Attributes:
        code: The three digits.
        lines: The text of each line without code and separator, the enhanced code in front of it
            where there is one. Bytes, because a next hop's words pass through as they came.
    """

    code: int
    lines: tuple[bytes, ...]

    @classmethod
    def of(cls, code: int, text: str) -> Reply:
        """Return a one-line reply of our own words; what is not printable ASCII becomes `?`."""
        return cls(code, (printable(text).encode("ascii"),))

    @property
    def accepted(self) -> bool:
        """Whether the command was taken (2xx, or 3xx for DATA)."""
        return self.code < 400

    @property
    def temporary(self) -> bool:
        """Whether this is a 4xx."""
        return 400 <= self.code < 500

    @property
    def text(self) -> str:
        """All lines as one text, for logs."""
        return " / ".join(line.decode("utf-8", "backslashreplace") for line in self.lines)

    def wire(self) -> bytes:
        """Return the bytes to send, each line ended by CRLF."""
        code, lines = self
        if len(lines) == 1:
            return b"%d %b\r\n" % (code, lines[0])
        first = b"".join(b"%d-%b\r\n" % (code, line) for line in lines[:-1])
        return first + b"%d %b\r\n" % (code, lines[-1])

    def __str__(self) -> str:
        return f"{self.code} {self.text}"
