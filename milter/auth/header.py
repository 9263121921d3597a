"""Authentication-Results: written so that a value can never become syntax, and recognised as ours.

Knows the grammar of RFC 8601 §2.2 and the reasons of §5 for removing fields that claim to be ours.
It removes nothing itself; other people's results are read by `milter.auth.read_results`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.auth.structured import pieces
from milter.core.address import domain_key
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milter.auth.results import AuthResult

FIELD_NAME: Final = b"Authentication-Results"

# RFC 5322 §2.1.1: lines should hold 78 characters and must not hold more than 998.
_LINE: Final = 78
# A value is cut here. Escaped it doubles at most, which with its name stays well under 998.
_MAX_VALUE: Final = 450
_MAX_WORD: Final = 40
# An id is far shorter. A field may be fifty megabytes of what comes before one.
_MAX_BEGINNING: Final = 2_048

# RFC 2045 §5.1 token.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
# What RFC 8601 §2.2 lets stand unquoted as pvalue beside a token: [local-part "@"] domain-name.
_PLAIN_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)?"
    r"@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
)
_UNPRINTABLE: Final = re.compile(r"[^ -~]")
_NOT_A_WORD: Final = re.compile(r"[^A-Za-z0-9.-]")


def format_authentication_results(authserv_id: str, results: Iterable[AuthResult]) -> bytes:
    """Return the whole field, folded and ended by CRLF (RFC 8601 §2.2).

    Values come from peers: what is no token is quoted, what is not printable ASCII becomes `?`, and
    each is cut at 450 characters.
    """
    groups = [_group(result) for result in results] or [["none"]]
    lines = [f"{FIELD_NAME.decode()}: {_value(authserv_id)}"]
    for group in groups:
        lines[-1] += ";"
        lines += _folded(group)
    return "\r\n\t".join(lines).encode("ascii") + b"\r\n"


def _group(result: AuthResult) -> list[str]:
    words = [f"{_word(result.method)}={result.result.value}"]
    if result.reason:
        words.append(f"reason={_quoted(result.reason)}")
    words += [f"{_word(name)}={_value(value)}" for name, value in result.properties]
    return words


def _folded(words: Sequence[str]) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        # One for the tab, one for the semicolon that may follow.
        if len(lines[-1]) + 1 + len(word) + 2 < _LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _word(text: str) -> str:
    """Return a method or property name of our own, with nothing in it that could be syntax."""
    return _NOT_A_WORD.sub("-", text[:_MAX_WORD])


def _value(text: str) -> str:
    plain = _TOKEN.fullmatch(text) or _PLAIN_ADDRESS.fullmatch(text)
    if plain and len(text) <= _MAX_VALUE and "=?" not in text:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    # RFC 2047 §5 knows no encoded word in here, but there are readers that decode one.
    safe = _UNPRINTABLE.sub("?", text[:_MAX_VALUE]).replace("=?", "??")
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bears_authserv_id(value: bytes, authserv_id: str) -> bool:
    """Tell whether the field with this value speaks in our name, or may be read so (RFC 8601 §5).

    Comments, folding, case, quoting, white space around dots, a version and a final dot do not hide
    our id. A field whose beginning is broken, or is an encoded word that a lenient reader would
    decode, is ours when our id is anywhere in it, or cannot be read. So is one whose beginning does
    not end: removing one too many of those costs nothing, keeping a forged one would be believed.
    """
    text = value.decode("utf-8", "replace")
    ours = domain_key(authserv_id)
    words = _leading_words(text)
    if words is None:
        return len(text) > _MAX_BEGINNING or ours in text.lower()
    if not words:
        return False
    if words[0].startswith("=?"):
        return True
    candidates = {words[0], words[0].strip("<>[]'"), "".join(words)}
    if words[-1].isdigit():
        candidates.add("".join(words[:-1]))
    if token := _TOKEN.match(words[0]):
        candidates.add(token[0])
    # Decoding names costs more than looking at their length: what is far longer is another's.
    return any(domain_key(word) == ours for word in candidates if len(word) <= 2 * len(ours) + 64)


def _leading_words(text: str) -> list[str] | None:
    """Return the words of the first part that has any, without comments.

    A lenient reader skips semicolons in front. None if it is broken, or longer than is read.
    """
    words: list[str] = []
    try:
        for piece in pieces(text[:_MAX_BEGINNING]):
            if not piece.ends:
                words.append(piece.text)
            elif words:
                return words
    except ParseError:
        return None
    return words if len(text) <= _MAX_BEGINNING else None
