"""Decoding inside header values: encoded words (RFC 2047) and parameters (RFC 2045, RFC 2231).

Both are decoded as mail readers do it, not as senders should write it: words inside quotes, split
in the middle of a character, with broken padding. One pass, bounded, and nothing is raised.
"""

from __future__ import annotations

import binascii
import re
from itertools import islice
from typing import Final
from urllib.parse import unquote_to_bytes

from milter.message.charsets import codec_of, decode_raw, decode_text
from milter.message.guard import DEFAULT_BOUNDS, Bounds, Fault, Notes

# RFC 2047 §2. A word may hold spaces here, for many senders put them there. Each attempt ends at
# the next question mark, so the whole search is linear.
_ENCODED_WORD: Final = re.compile(rb"=\?([^?\s]{1,60}+)\?([BbQq])\?([^?]*+)\?=")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=\s]")
_BASE64_LINES: Final = re.compile(rb"[A-Za-z0-9+/]*+(?:\r?\n[A-Za-z0-9+/]*+)*+")
_PADDING: Final = re.compile(rb"=[=\s]*")
# What no text has and nearly all that is no base64 decodes to.
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# RFC 2045 §6.7: space between the sign of a soft break and its end was put there on the way.
_SPACED_BREAK: Final = re.compile(rb"=[ \t]++(?=\r?\n)")
_BARE_BREAK: Final = re.compile(rb"=\r(?!\n)")
# In so many bytes of other letters there is one of those.
_LEAST_TEXT: Final = 40
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACE: Final = b" \t\r\n"
_NO_BASE64: Final = bytes(code for code in range(256) if code not in _BASE64)
# Value: a quoted string, closed or not, or all up to the next semicolon.
_PARAMETER: Final = re.compile(
    r';\s*+([^\s=;]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)|([^;]*+))', re.DOTALL
)
_COMMENT: Final = r"(?:\([^()]*+\)\s*+)?"
# Space and comments may stand around both words of a type (RFC 2045 §5.1, RFC 5322 §3.2.2).
_SPACED_HEAD: Final = re.compile(
    rf"\s*+{_COMMENT}([^\s;()/=]++)\s*+{_COMMENT}(?:/\s*+{_COMMENT}([^\s;()/=]++)\s*+{_COMMENT})?"
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
# A comment behind a value: `charset=us-ascii (plain text)`.
_COMMENT_TAIL: Final = re.compile(r"\s\(")
_NAMES: Final = frozenset(("name", "filename"))
# A segment number above this would only serve to overflow something.
_MAX_SEGMENT: Final = 999


def decode_words(value: bytes, notes: Notes) -> str:
    """Return an unfolded header value as text, its encoded words decoded (RFC 2047 §6.2)."""
    if b"=?" not in value:
        return decode_raw(value)
    pieces: list[str] = []
    run: list[bytes] = []
    charset, position = "", 0
    for match in _ENCODED_WORD.finditer(value):
        data = _word_bytes(match)
        if data is None:
            notes.add(Fault.MIME, "an encoded word that cannot be decoded")
            continue
        between = value[position : match.start()]
        same = match[1].decode("ascii", "replace").lower()
        # RFC 2047 §6.2: space between two words is theirs to drop. Senders cut words in the middle
        # of a character, so neighbours of one charset are decoded together.
        adjacent = position > 0 and (not between or between.isspace())
        if not adjacent or same != charset:
            _flush(pieces, run, charset, notes)
            charset = same
            if not adjacent:
                pieces.append(decode_raw(between))
        run.append(data)
        position = match.end()
    _flush(pieces, run, charset, notes)
    pieces.append(decode_raw(value[position:]))
    return "".join(pieces)


def decode_base64(data: bytes) -> bytes:
    """Return what `data` says in base64, foreign characters skipped, padding forgiven.

    Decoding goes on behind padding where base64 follows, or text comes of it, as mail readers do:
    what is put there is seen by people. It ends before the footer of a mailing list.
    """
    try:
        decoded = binascii.a2b_base64(data)
    except binascii.Error:
        return _decode_pieces(data)
    return _decode_pieces(data) if b"=" in data.rstrip(b"= \t\r\n") else decoded


def decode_quoted(data: bytes, *, header: bool = False) -> bytes:
    """Return what `data` says in quoted-printable; in words of a header `_` is space."""
    if b"= " in data or b"=\t" in data:
        data = _SPACED_BREAK.sub(b"=", data)
    # Else what follows a CR would be left out, up to the end of the line that it is for others.
    if data.count(b"=\r") != data.count(b"=\r\n"):
        data = _BARE_BREAK.sub(b"", data)
    return binascii.a2b_qp(data, header=header)


def mostly_base64(data: bytes, least: float = 0.0) -> bool:
    """Return whether at least half of `data` is of the alphabet of base64, space left out.

    And, line breaks and padding left out, at least the share `least` of all.
    """
    found = len(data.translate(None, _NO_BASE64))
    written = len(data.translate(None, b"=\r\n"))
    return found * 2 >= len(data.translate(None, _SPACE)) and found >= least * written


def parse_parameters(
    value: bytes,
    notes: Notes,
    bounds: Bounds = DEFAULT_BOUNDS,
    claimed: list[str] | None = None,
) -> tuple[str, dict[str, str]]:
    """Return the head of a field such as Content-Type in lower case, and its parameters.

    The first of several equal names holds; where a name comes both plain and after RFC 2231, the
    latter does. Every name of a file that is said goes to `claimed`: not all readers agree.
    """
    text = decode_raw(value[: bounds.value_bytes])
    if len(value) > bounds.value_bytes:
        notes.limit("value", "a field with parameters is longer than is read")
    head, text = _head(text)
    plain: dict[str, str] = {}
    segments: dict[str, dict[int, tuple[bool, str]]] = {}
    matches = _PARAMETER.finditer(text)
    for match in islice(matches, bounds.parameters):
        base, star, rest = match[1].lower().partition("*")
        content = _value_of(match)
        if not star:
            decoded = _decode_plain(base, content, notes)
            plain.setdefault(base, decoded)
            if claimed is not None and base in _NAMES:
                claimed.append(decoded)
        elif (place := _segment(rest)) is not None:
            segments.setdefault(base, {}).setdefault(place[0], (place[1], content))
    if next(matches, None) is not None:
        notes.limit("parameters", "a field has more parameters than are read")
    for base, parts in segments.items():
        plain[base] = _join_segments(parts, notes)
        if claimed is not None and base in _NAMES:
            claimed.append(plain[base])
    return head, plain


def _flush(pieces: list[str], run: list[bytes], charset: str, notes: Notes) -> None:
    if run:
        text, fits = decode_text(b"".join(run), charset)
        if not fits:
            notes.add(Fault.CHARSET, "an encoded word that does not fit its charset")
        pieces.append(text)
        run.clear()


def _word_bytes(match: re.Match[bytes]) -> bytes | None:
    if match[2] in b"Qq":
        return decode_quoted(match[3], header=True)
    # Bad base64 stays the text that it is: readers show it so, and a pattern can see it.
    return None if _NOT_BASE64.search(match[3]) else decode_base64(match[3])


def _decode_pieces(data: bytes) -> bytes:
    first, *others = _PADDING.split(data)
    pieces = [_base64_piece(first)]
    for other in others:
        piece = _base64_piece(other)
        if not (_BASE64_LINES.fullmatch(other) or _is_text(piece)):
            break
        pieces.append(piece)
    return b"".join(pieces)


def _is_text(data: bytes) -> bool:
    """Return whether `data` can be a text, and does not only come of other letters."""
    if _NO_TEXT.search(data):
        return False
    if len(data) >= _LEAST_TEXT:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _base64_piece(piece: bytes) -> bytes:
    clean = piece.translate(None, _NO_BASE64)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _head(text: str) -> tuple[str, str]:
    """Return the head in lower case, without space and comments, and where parameters begin."""
    plain = text.partition(";")[0].strip()
    if " " not in plain and "(" not in plain and "\t" not in plain:
        return plain.lower(), text
    spaced = _SPACED_HEAD.match(text)
    if spaced is None:
        return plain.partition("(")[0].strip().lower(), text
    rest = text[spaced.end() :]
    # Behind a semicolon that was forgotten, parameters are read as if it were there.
    return "/".join(filter(None, spaced.groups())).lower(), rest if rest[:1] == ";" else f";{rest}"


def _value_of(match: re.Match[str]) -> str:
    quoted = match[2]
    if quoted is not None:
        return _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
    bare = match[3].strip()
    comment = _COMMENT_TAIL.search(bare)
    return bare[: comment.start()].rstrip() if comment else bare


def _decode_plain(base: str, content: str, notes: Notes) -> str:
    # RFC 2047 §5 forbids encoded words here; most senders of file names use them all the same.
    if base in _NAMES and "=?" in content:
        return decode_words(content.encode("utf-8", "replace"), notes)
    return content


def _segment(rest: str) -> tuple[int, bool] | None:
    """Return number and whether percent-encoded of `0*`, `12` or nothing (RFC 2231 §3, §4)."""
    number, star, more = rest.partition("*")
    if not number:
        return (0, True)
    if more or not number.isascii() or not number.isdigit() or len(number) > len(str(_MAX_SEGMENT)):
        return None
    return int(number), bool(star)


def _join_segments(parts: dict[int, tuple[bool, str]], notes: Notes) -> str:
    charset, data = "", b""
    ordered = [parts[number] for number in sorted(parts)]
    extended, first = ordered[0]
    if extended and first.count("'") >= 2:
        # RFC 2231 §4: charset'language'value.
        charset, _, first = first.split("'", 2)
        ordered[0] = (True, first)
    data = b"".join(
        unquote_to_bytes(content) if encoded else content.encode("utf-8", "replace")
        for encoded, content in ordered
    )
    if charset and codec_of(charset) is None:
        notes.add(Fault.CHARSET, "a parameter in an unknown charset")
    text, fits = decode_text(data, charset)
    if not fits:
        notes.add(Fault.CHARSET, "a parameter that does not fit its charset")
    return text
