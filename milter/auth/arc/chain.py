"""The sets of ARC fields in a header, and what must hold of them before any key is asked for.

Follows RFC 8617 §4.1, §4.2 and the structural steps of §5.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.auth.dkim.result import Refusal
from milter.auth.dkim.signature import describe, read_key_name, read_tags
from milter.auth.dkim.tags import decode_base64
from milter.core.errors import ParseError
from milter.core.reply import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.auth.dkim.fields import Field
    from milter.auth.dkim.header import FieldsByName
    from milter.auth.dkim.result import DkimResult

# RFC 8617 §4.2.1: the numbers that an instance can have.
MAX_SETS: Final = 50
_INSTANCE: Final = re.compile(rb"[1-9][0-9]?")
# Its tag, behind nothing but white space; comments there are legal and seen nowhere.
_RESULTS_INSTANCE: Final = re.compile(rb"\s*[iI]\s*=\s*([0-9]{1,3})\s*;")

_RESULTS: Final = b"arc-authentication-results"
_MESSAGE: Final = b"arc-message-signature"
_SEAL: Final = b"arc-seal"
NAMES: Final = (_RESULTS, _MESSAGE, _SEAL)


@dataclass(frozen=True, slots=True)
class SealTags:
    """What an ARC-Seal says.

    Attributes:
        known: Domain, selector and algorithm.
        value: What b= says.
        key_name: Where the key is.
    """

    known: DkimResult
    value: bytes
    key_name: str


@dataclass(frozen=True, slots=True)
class ArcSet:
    """The three fields that one hop added.

    Attributes:
        results: ARC-Authentication-Results.
        message: ARC-Message-Signature.
        message_tags: Its tags.
        seal: ARC-Seal.
        seal_tags: What it says.
    """

    results: Field
    message: Field
    message_tags: Mapping[bytes, bytes]
    seal: Field
    seal_tags: SealTags


def read_chain(fields: FieldsByName) -> tuple[ArcSet, ...]:
    """Return the sets in their order; none where there is no ARC field.

    Raises:
        ParseError: The chain is broken, whatever its signatures are worth.
    """
    if not any(name in fields for name in NAMES):
        return ()
    results = _numbered(_RESULTS, fields)
    messages = _numbered(_MESSAGE, fields)
    seals = _numbered(_SEAL, fields)
    if not results.keys() == messages.keys() == seals.keys() == {*range(1, len(seals) + 1)}:
        raise ParseError("not three ARC fields for each hop")
    return tuple(
        ArcSet(
            results[number][0],
            *messages[number],
            seals[number][0],
            _read_seal(seals[number][1], number),
        )
        for number in sorted(seals)
    )


def _numbered(name: bytes, fields: FieldsByName) -> dict[int, tuple[Field, Mapping[bytes, bytes]]]:
    """Return the fields called `name` by their instance, with their tags."""
    found = fields.get(name, ())
    if len(found) > MAX_SETS:
        raise ParseError("more than fifty ARC sets")
    numbered: dict[int, tuple[Field, Mapping[bytes, bytes]]] = {}
    for field in found:
        tags = {b"i": _results_instance(field)} if name == _RESULTS else _tags(field)
        if not _INSTANCE.fullmatch(tags.get(b"i", b"")) or int(tags[b"i"]) > MAX_SETS:
            raise ParseError("an ARC field without a valid i=")
        if int(tags[b"i"]) in numbered:
            raise ParseError("two ARC fields of one kind with one i=")
        numbered[int(tags[b"i"])] = field, tags
    return numbered


def _results_instance(field: Field) -> bytes:
    match = _RESULTS_INSTANCE.match(field[1])
    return match[1] if match else b""


def _tags(field: Field) -> Mapping[bytes, bytes]:
    tags = read_tags(field)
    if isinstance(tags, Refusal):
        raise ParseError(f"ARC: {tags.reason}")
    return tags


def _read_seal(tags: Mapping[bytes, bytes], number: int) -> SealTags:
    """Return what a seal says, if it may stand in a chain that holds (RFC 8617 §4.1.3, §5.2)."""
    if b"h" in tags:
        raise ParseError(f"seal {number} has an h=")
    # RFC 8617 §4.4: the first hop found no chain, the others one that held.
    status = tags.get(b"cv", b"")
    if status != (b"none" if number == 1 else b"pass"):
        raise ParseError(
            f"seal {number} says cv={printable(status.decode('utf-8', 'replace'))[:20]}"
        )
    known, value = describe(tags), decode_base64(tags.get(b"b", b""))
    key_name = read_key_name(known)
    if value is None or isinstance(key_name, Refusal):
        what = key_name.reason if isinstance(key_name, Refusal) else "its b= is not base64"
        raise ParseError(f"seal {number}: {what}")
    if b"t" in tags and not tags[b"t"].isdigit():
        raise ParseError(f"seal {number}: its t= is no number")
    return SealTags(known, value, key_name)
