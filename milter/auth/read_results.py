"""Authentication-Results of others: read, so that those of a trusted upstream can count.

Knows the grammar of RFC 8601 §2.2, and what well-known writers make of it: values that should be
quoted, results that the RFC does not have, a missing id. It believes nobody; whose results count is
not decided here (RFC 8601 §5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.auth.results import AuthResult, Result
from milter.auth.structured import Piece, pieces
from milter.core.address import domain_key
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Far more than any writer needs; a field may be a megabyte of results.
_MAX_VALUE: Final = 16_384
_MAX_RESULTS: Final = 100
_RESULTS: Final = {result.value: result for result in Result}
_REASON: Final = "reason"
_JOINTS: Final = (".", "/", "=")


@dataclass(frozen=True, slots=True)
class OthersResults:
    """One field.

    Attributes:
        authserv_id: Who says so, in lower case and A-labels.
        results: In order. One with a result that the RFC does not have is left out.
    """

    authserv_id: str
    results: tuple[AuthResult, ...]


def parse_authentication_results(value: bytes) -> OthersResults:
    """Return what the value of a field says, folded or not (RFC 8601 §2.2).

    Raises:
        ParseError: It is too long, has no authserv-id, or a comment or string in it does not end.
    """
    return _results(_parts(value))


def parse_arc_results(value: bytes) -> OthersResults:
    """Return what the value of an ARC-Authentication-Results says behind its instance.

    The instance is no part of what was found; the chain is ordered by it (RFC 8617 §4.1.1).

    Raises:
        ParseError: As for Authentication-Results.
    """
    return _results(_parts(value)[1:])


def _parts(value: bytes) -> list[list[Piece]]:
    """Return what stands between the semicolons."""
    if len(value) > _MAX_VALUE:
        raise ParseError("more than is read of one field")
    parts: list[list[Piece]] = [[]]
    for piece in pieces(value.decode("utf-8", "replace")):
        if piece.ends:
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def _results(parts: list[list[Piece]]) -> OthersResults:
    head, *rest = parts or [[]]
    # What has an equals sign is a result: a writer that leaves the id out is nobody.
    authserv_id = domain_key(head[0].text) if head else ""
    if not authserv_id or (not head[0].quoted and "=" in head[0].text):
        raise ParseError("no authserv-id")
    results = [said for part in rest[:_MAX_RESULTS] if (said := _result(part)) is not None]
    return OthersResults(authserv_id, tuple(results))


def _result(part: list[Piece]) -> AuthResult | None:
    pairs = _pairs(part)
    if not pairs:
        return None
    (method, word), *properties = pairs
    result = _RESULTS.get(word.lower())
    if result is None or not method:
        return None
    reason = next((text for name, text in properties if name == _REASON), "")
    known = tuple([(name, text) for name, text in properties if name != _REASON])
    # RFC 8601 §2.2: a version may stand behind the method; there is only one.
    return AuthResult(method.partition("/")[0], result, known, reason)


def _pairs(part: Iterable[Piece]) -> list[tuple[str, str]]:
    """Return the `name=value` pairs of a part, names in lower case."""
    pairs: list[tuple[str, str]] = []
    name, value = "", None
    for piece in _words(part):
        if value is None and not piece.quoted and "=" in piece.text:
            before, _, after = piece.text.partition("=")
            name, value = name + before, after or None
            if value is None:
                # The value follows, in quotes or behind white space.
                value = ""
                continue
        elif value == "":
            value = piece.text
        elif value is None:
            # Only values may be quoted: what was quoted from others names no method.
            before = name if name.endswith(_JOINTS[:2]) else ""
            name = "" if piece.quoted else before + piece.text
            continue
        pairs.append((name.lower(), value))
        name, value = "", None
    if value == "":
        pairs.append((name.lower(), ""))
    return pairs


def _words(part: Iterable[Piece]) -> list[Piece]:
    """Return the pieces with those put together that stand together, or at a dot, `/` or `=`."""
    words: list[Piece] = []
    for piece in part:
        last = words[-1] if words else None
        if last is not None and _belongs(last, piece):
            words[-1] = Piece(last.text + piece.text, last.quoted and not piece.joined)
        else:
            words.append(piece)
    return words


def _belongs(last: Piece, piece: Piece) -> bool:
    if piece.joined and not last.text.endswith("="):
        return not (last.quoted and piece.text.startswith("="))
    if last.quoted or piece.quoted or "=" in last.text:
        return False
    return last.text.endswith((".", "/")) or piece.text.startswith(_JOINTS)
