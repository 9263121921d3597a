"""What was signed, out of signed data (RFC 5652): no key is needed to read it.

Mail readers that know S/MIME show what is in `application/pkcs7-mime` as they show any message.
Only the way to the content is read, in DER or in BER (X.690), with no recursion and in one pass;
whether the signature holds is not asked.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_TYPES: Final = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_ENDING: Final = ".p7m"
# The name that mail readers give to a message (RFC 8551 §3.2.1).
_OF_A_MESSAGE: Final = "smime"
_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
# X.690 §8.1.2: class and number, and whether there are elements inside.
_INTEGER, _OCTETS, _IDENTIFIER, _SEQUENCE, _SET, _EXPLICIT = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0
_OCTETS_IN_PIECES: Final = 0x24
_NUMBER: Final = 0x1F
_INSIDE: Final = 0x20
_LONG: Final = 0x80
_MOST_LENGTH_BYTES: Final = 4
# Programs write pieces of a kilobyte and more; an attacker could write some of nothing.
_MOST_PIECES: Final = 50_000


class _Element(NamedTuple):
    """The beginning of an element; `end` is -1 where a mark ends it (X.690 §8.1.3.6)."""

    tag: int
    start: int
    end: int


class _BrokenError(Exception):
    """What is there cannot be read on."""


def is_signed(content_type: str, name: str) -> bool:
    """Return whether a part of that type or file name may be signed data (RFC 8551 §3.10)."""
    return content_type in _TYPES or name.lower().endswith(_ENDING)


def signed_file(name: str) -> str:
    """Return the name of the file that was signed: `bill.pdf` of `bill.pdf.p7m`.

    Empty where the name is one that mail readers give to a whole message.
    """
    file = name[: -len(_ENDING)] if name.lower().endswith(_ENDING) else ""
    return "" if file.lower() == _OF_A_MESSAGE else file


def signed_content(data: bytes) -> bytes | None:
    """Return the content that signed data holds; None where it holds none, or is something else.

    RFC 5652 §3, §5.1, §5.2: the content stands before certificates and signatures.
    """
    try:
        position = _enter(data, 0, _SEQUENCE)
        kind = _element(data, position, _IDENTIFIER)
        if data[kind.start : kind.end] != _SIGNED_DATA:
            return None
        position = _enter(data, kind.end, _EXPLICIT)
        position = _enter(data, position, _SEQUENCE)
        position = _behind(data, _element(data, position, _INTEGER))
        position = _behind(data, _element(data, position, _SET))
        position = _enter(data, position, _SEQUENCE)
        position = _behind(data, _element(data, position, _IDENTIFIER))
        return _octets(data, _enter(data, position, _EXPLICIT))
    except _BrokenError:
        return None


def _element(data: bytes, position: int, tag: int | None = None) -> _Element:
    """Return the element that begins at `position`, which must be one of `tag`."""
    if position + 2 > len(data):
        raise _BrokenError
    found, length = data[position], data[position + 1]
    start = position + 2
    if tag not in (None, found) or found & _NUMBER == _NUMBER:
        raise _BrokenError
    if length == _LONG:
        return _Element(found, start, -1)
    if length > _LONG:
        count = length - _LONG
        length = int.from_bytes(data[start : start + count], "big")
        start += count
        if count > _MOST_LENGTH_BYTES:
            raise _BrokenError
    return _Element(found, start, min(start + length, len(data)))


def _enter(data: bytes, position: int, tag: int) -> int:
    return _element(data, position, tag).start


def _behind(data: bytes, element: _Element) -> int:
    """Return where `element` has ended."""
    position, open_ones = (element.start, 1) if element.end < 0 else (element.end, 0)
    for _ in range(_MOST_PIECES):
        if not open_ones:
            return position
        inner = _element(data, position)
        if inner.end < 0:
            open_ones += 1
        elif inner.tag == 0:
            open_ones -= 1
        position = inner.start if inner.end < 0 else inner.end
    raise _BrokenError


def _octets(data: bytes, position: int) -> bytes:
    """Return an octet string, whole or in pieces (X.690 §8.7)."""
    pieces: list[bytes] = []
    open_ones = 0
    for _ in range(_MOST_PIECES):
        if position >= len(data):
            break
        element = _element(data, position)
        if element.tag == _OCTETS and element.end >= 0:
            pieces.append(data[element.start : element.end])
        elif element.tag == _OCTETS_IN_PIECES:
            open_ones += element.end < 0
        elif element.tag == 0 and open_ones:
            open_ones -= 1
        else:
            break
        inside = element.tag == _OCTETS_IN_PIECES or element.end < 0
        position = element.start if inside else element.end
    if not pieces:
        raise _BrokenError
    return b"".join(pieces)
