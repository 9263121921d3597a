"""How a message is put together: what MIME forbids, and what no mail program does without need.

What cannot be read at all is told by `headers`; all that is here can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message

_FORBIDDEN: Final = (b"base64", b"quoted-printable")
# Texts in these need no encoding as long as they are ASCII; whoever writes UTF-8 encodes it all.
_PLAIN_CHARSETS: Final = frozenset(("", "us-ascii", "iso-8859-1"))
_LONG_ENOUGH: Final = 20


class MimeFormCheck:
    """Structure and encodings of a message."""

    name = "mime_form"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("MIME_VERSION_MISSING", "MIME_ENCODING_FORBIDDEN", "MIME_ENCODED_NEEDLESSLY"),
            *("MIME_ONLY_HTML", "MIME_ALTERNATIVE_SINGLE"),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is odd, or nothing."""
        if message is None:
            return NOTHING
        found = (*_header(message), *_encoding(message), *_structure(message))
        return Evidence(found) if found else NOTHING


def _header(message: Message) -> Iterator[Finding]:
    # RFC 2045 §4: required at the top level of a message.
    described = message.count("content-type") or message.count("content-transfer-encoding")
    if described and not message.count("mime-version"):
        yield Finding("MIME_VERSION_MISSING")


def _encoding(message: Message) -> Iterator[Finding]:
    encoding = message.values("content-transfer-encoding")[:1]
    # RFC 2045 §6.4: a multipart must not be encoded.
    if _top_type(message).startswith("multipart/") and encoding:
        value = encoding[0].lower()
        if value in _FORBIDDEN:
            yield Finding("MIME_ENCODING_FORBIDDEN", f"a multipart in {value.decode('ascii')}")
    if any(part.encoding == "base64" for part in message.text_parts):
        yield from _needless(message)


def _needless(message: Message) -> Iterator[Finding]:
    for part, text in zip(message.text_parts, message.texts, strict=False):
        # Mail programs encode what they attach, so that it arrives byte for byte.
        shown = part.disposition != "attachment"
        plain = part.encoding == "base64" and part.charset.lower() in _PLAIN_CHARSETS
        if shown and plain and len(text.text) > _LONG_ENOUGH and text.text.isascii():
            yield Finding("MIME_ENCODED_NEEDLESSLY", f"{part.content_type} of ASCII in base64")
            return


def _structure(message: Message) -> Iterator[Finding]:
    parts = message.parts
    if is_only_html(message):
        yield Finding("MIME_ONLY_HTML")
    # RFC 2046 §5.1.4: alternatives are of one another.
    if len(parts) == 1 and _top_type(message) == "multipart/alternative":
        yield Finding("MIME_ALTERNATIVE_SINGLE", parts[0].content_type)


def is_only_html(message: Message) -> bool:
    """Return whether the texts that are shown are HTML, and no other stands beside them."""
    shown = [part.content_type for part in message.text_parts if part.disposition != "attachment"]
    return bool(shown) and all(content_type == "text/html" for content_type in shown)


def _top_type(message: Message) -> str:
    values = message.values("content-type")
    return values[0].partition(b";")[0].strip().lower().decode("latin-1") if values else ""
