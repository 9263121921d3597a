"""What reads texts of senders, each with the length up to which it reads, and texts that try it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.auth.arc import check_arc
from milter.auth.dkim import check_dkim
from milter.auth.dkim.key import read_key
from milter.auth.dmarc import record as dmarc_record
from milter.auth.header import bears_authserv_id
from milter.auth.read_results import parse_authentication_results
from milter.auth.spf import record as spf_record
from milter.core.errors import ParseError
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome
from milter.message.document import Message
from milter.message.received import parse_received, trusted_route

if TYPE_CHECKING:
    from collections.abc import Callable

_NOBODY: Final = FakeResolver({})
_SIGNATURE: Final = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AA; b=AA; "


class Reader(NamedTuple):
    """One reader.

    Attributes:
        name: In words.
        read: Reads a text, whatever it is.
        bound: Octets past which a text is refused or not read to its end.
    """

    name: str
    read: Callable[[bytes], object]
    bound: int


def _spf(text: bytes) -> None:
    spf_record._remembered.cache_clear()
    spf_record.parse_record(b"v=spf1 " + text)


def _dmarc(text: bytes) -> None:
    dmarc_record._remembered.cache_clear()
    dmarc_record.parse_record(b"v=DMARC1; " + text)


def _key(text: bytes) -> None:
    read_key(Answer(Outcome.ANSWER, ((b"v=DKIM1; " + text,),), 60), "rsa-sha256")


def _signature(text: bytes) -> None:
    message = _SIGNATURE + text + b"\r\nFrom: a@x.example\r\n\r\nx\r\n"
    asyncio.run(check_dkim(message, _NOBODY, now=0))


def _seals(text: bytes) -> None:
    names = (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
    fields = b"".join(name + b": i=1; " + text + b"\r\n" for name in names)
    asyncio.run(check_arc(fields + b"\r\nx\r\n", _NOBODY, now=0))


def _authors(text: bytes) -> None:
    _ = Message(b"From: " + text + b"\r\n\r\nx\r\n").author_domains


def _received(text: bytes) -> None:
    parse_received(text)
    trusted_route([text, text], frozenset())


def _results(text: bytes) -> None:
    bears_authserv_id(text, "mx.example.org")
    parse_authentication_results(b"mx; " + text)


READERS: Final = (
    Reader("spf", _spf, 16_384),
    Reader("dkim-signature", _signature, 8_192),
    Reader("dkim-key", _key, 4_096),
    Reader("dmarc", _dmarc, 8_192),
    Reader("from", _authors, 262_144),
    Reader("received", _received, 262_144),
    Reader("authentication-results", _results, 16_384),
    Reader("arc", _seals, 8_192),
)

_MARKS: Final = tuple(bytes([byte]) for byte in b'()[]"\\%{};:=/.@ -a1<,')
_WORDS: Final = (
    *(b"a ", b"a.", b"%{d}", b"x=", b"a:%{l1r-}.b ", b"(a", b'"a"', b'"\\', b"a=b;", b"a=b; c=d;"),
    *(
        b"<@",
        b"a@b,",
        b"(())",
        b"a=pass b.c=d;",
        b"rua=mailto:a@b,",
        b"h=a:",
        b"by a (b [1.2.3.4]) ",
    ),
)
PIECES: Final = (*_MARKS, *_WORDS)


def read(reader: Reader, piece: bytes, size: int) -> None:
    """Have a text of about `size` octets read, one piece again and again; it may be refused."""
    read_text(reader, piece * (size // len(piece)))


def read_text(reader: Reader, text: bytes) -> None:
    """Have `text` read; a refusal of ours is an answer, anything else that is raised a mistake."""
    with suppress(ParseError):
        reader.read(text)
