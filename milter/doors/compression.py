"""Bodies that come compressed, made plain piece by piece: a bomb is seen before it is whole.

Pure: the caller counts the pieces and stops when there are too many of them.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from milter.core.errors import ParseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = 65_536
# zlib's own words: with a header of zlib or gzip, whichever comes.
_ZLIB_OR_GZIP: Final = 47


class Decoder(Protocol):
    """Makes one body plain."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` stands for, in pieces of 65,536 octets at most.

        Raises:
            ParseError: It is not what was announced.
        """
        ...

    def end(self) -> None:
        """Take note that nothing follows.

        Raises:
            ParseError: Something should.
        """
        ...


class Plain:
    """A body that is not compressed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield `data`."""
        if data:
            yield data

    def end(self) -> None:
        """Any end will do."""


class Zlib:
    """A body in the format of zlib or of gzip (RFC 1950, RFC 1952)."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_ZLIB_OR_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` stands for."""
        while data:
            if self._inner.eof:
                raise ParseError("something follows the end of the compressed message")
            try:
                piece = self._inner.decompress(data, _PIECE)
            except zlib.error as err:
                raise ParseError("the message is no zlib or gzip data") from err
            data = self._inner.unconsumed_tail or self._inner.unused_data
            if piece:
                yield piece

    def end(self) -> None:
        """The end must have been announced."""
        _check_end(eof=self._inner.eof)


class Zstandard:
    """A body in the format of Zstandard (RFC 8878), one frame of it."""

    def __init__(self) -> None:
        self._inner = zstd.ZstdDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` stands for."""
        while data or self._has_more():
            if self._inner.eof:
                raise ParseError("something follows the end of the compressed message")
            try:
                piece = self._inner.decompress(data, _PIECE)
            except zstd.ZstdError as err:
                raise ParseError("the message is no Zstandard data") from err
            data = self._inner.unused_data
            if piece:
                yield piece

    def end(self) -> None:
        """The end must have been announced."""
        _check_end(eof=self._inner.eof)

    def _has_more(self) -> bool:
        return not (self._inner.needs_input or self._inner.eof)


def decoder_of(name: str) -> Decoder:
    """Return what makes a body plain that is compressed as `name` says (RFC 9110 §8.4.1).

    Raises:
        ParseError: Nothing of ours does.
    """
    word = name.strip().lower()
    if word in {"", "identity"}:
        return Plain()
    if word in {"gzip", "x-gzip", "deflate", "zlib"}:
        return Zlib()
    if word == "zstd":
        return Zstandard()
    raise ParseError(f"{word[:40]!r} is not understood: send the message plain, or as gzip or zstd")


def _check_end(*, eof: bool) -> None:
    if not eof:
        raise ParseError("the compressed message ends too early")
