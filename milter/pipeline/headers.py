"""Header fields of our own: written, folded and found again (RFC 5322 §2.1.1, §2.2.3).

Every value is made safe here: a peer chooses part of many of them, and a line break in one would
be a header field of the peer's making. What the fields mean is `outcome`'s business.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.core.connection import Direction
    from milter.message.document import Message
    from milter.message.headers import HeaderField

X_GATEPOST_ID: Final = "X-Gatepost-Id"
AUTHENTICATION_RESULTS: Final = "authentication-results"

_OUTBOUND_NAMES: Final = frozenset(
    {
        "x-gatepost-action",
        "x-gatepost-explanation",
        "x-gatepost-id",
        "x-gatepost-reason",
        # A held message that is sent on must not tell for whom else it was.
        "x-gatepost-recipients",
    }
)
_INBOUND_NAMES: Final = _OUTBOUND_NAMES | {
    AUTHENTICATION_RESULTS,
    "x-spam-flag",
    "x-spam-level",
    "x-spam-score",
    "x-spam-status",
}

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
_PIECES: Final = re.compile(r"[^ ,]*(?:[ ,]+|$)")
_LINE: Final = 78
# RFC 5322 §2.1.1: 998 octets a line. A word without a place to fold is broken far below it.
_WORD: Final = 400
_MAX_VALUE: Final = 8000


def own_names(direction: Direction) -> frozenset[str]:
    """Return the names, in lower case, whose incoming fields are removed.

    Of `Authentication-Results` only those that bear our name are meant. Outbound mail keeps it and
    `X-Spam-*`: nobody out there takes them for ours, and a signature may cover them.
    """
    return _OUTBOUND_NAMES if direction == "outbound" else _INBOUND_NAMES


def printable(value: str) -> str:
    """Return `value` as printable ASCII on one line; other characters as escapes."""
    if value.isascii() and value.isprintable() and len(value) <= _MAX_VALUE and "=?" not in value:
        return value
    # Readers decode an encoded word wherever they find one, line breaks in it included.
    plain = _CONTROLS.sub("?", value[:_MAX_VALUE]).replace("=?", "??")
    return plain if plain.isascii() else plain.encode("ascii", "backslashreplace").decode("ascii")


def format_field(name: str, value: str) -> bytes:
    """Return one header field, made safe, folded after spaces and commas, ended by CRLF."""
    value = printable(value).strip()
    line = f"{name}: {value}" if value else f"{name}:"
    if len(line) > _LINE:
        line = _fold(line)
    return line.encode("ascii") + b"\r\n"


def format_list(name: str, values: Iterable[str]) -> bytes:
    """Return header fields with all `values` between commas, as many as they need.

    One field would be cut: here at its bound, and by a mail server at its own.
    """
    rows = [""]
    for value in map(printable, values):
        if rows[-1] and len(rows[-1]) + len(value) + 2 > _MAX_VALUE:
            rows.append("")
        rows[-1] += f", {value}" if rows[-1] else value
    return b"".join([format_field(name, row) for row in rows])


def encode_words(text: str) -> bytes:
    """Return `text` for an unstructured field: as it is, or as encoded words (RFC 2047 §2)."""
    text = _CONTROLS.sub(" ", text)
    if text.isascii():
        return text.encode("ascii")
    # RFC 2047 §2: 75 characters a word at most; 11 characters of up to 4 octets fit surely.
    return b" ".join(
        b"=?utf-8?B?" + b64encode(text[i : i + 11].encode("utf-8", "replace")) + b"?="
        for i in range(0, len(text), 11)
    )


def named_fields(message: Message, names: frozenset[str]) -> list[HeaderField]:
    """Return the fields of `message` called one of `names`, which are in lower case.

    Those past the bounds of the reader are found too: else a thousand empty fields before a forged
    one would carry it into the mailbox.
    """
    return [field for field in message.fields if field.name in names] + message.beyond(names)


def _fold(line: str) -> str:
    rows: list[str] = []
    row = ""
    for piece in _words(line):
        if row and len(row) + len(piece.rstrip()) > _LINE and row.strip():
            rows.append(row.rstrip())
            row = " " + piece
        else:
            row += piece
    rows.append(row.rstrip())
    return "\r\n".join(row for row in rows if row.strip())


def _words(line: str) -> list[str]:
    words = [match.group() for match in _PIECES.finditer(line) if match.group()]
    return [word[i : i + _WORD] for word in words for i in range(0, len(word), _WORD)]
