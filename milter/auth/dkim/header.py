"""What a signature says of the header: the hash over its signed fields (RFC 6376 §3.7).

Canonicalizes only what is signed. The digests equal those of dkimpy, which canonicalizes the whole
header anew for each signature.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.auth.dkim.fields import Field

    FieldsByName = Mapping[bytes, Sequence[Field]]

# The value of b=, which is left out of what is hashed (RFC 6376 §3.5).
SIGNATURE_VALUE: Final = re.compile(
    rb"((?:\A|[;\s])b\s*=)(?:[\sa-zA-Z0-9+/=]*[a-zA-Z0-9+/=])?(?:\r?\n\Z)?"
)
_BLANKS: Final = re.compile(rb"[\t ]{2,}|\t")


def by_name(fields: Sequence[Field]) -> dict[bytes, list[Field]]:
    """Return the fields by their names in lower case, from the top."""
    named: dict[bytes, list[Field]] = {}
    for field in fields:
        named.setdefault(field[0].rstrip().lower(), []).append(field)
    return named


def header_digest(
    fields: FieldsByName, signed: Sequence[bytes], signature: Field, *, relaxed: bool
) -> bytes:
    """Return the SHA-256 of the fields called `signed` and of the signature without its b=.

    Args:
        fields: Of the message.
        signed: Names in lower case. Of a name that stands more than once each mention takes the
            next field from below; one that finds none adds nothing (RFC 6376 §5.4.2).
        signature: The field itself.
        relaxed: Which canonicalization (RFC 6376 §3.4.1, §3.4.2).
    """
    canonical = relaxed_field if relaxed else simple_field
    taken: dict[bytes, int] = {}
    pieces = []
    for name in signed:
        same = fields.get(name, ())
        place = taken[name] = taken.get(name, 0) + 1
        if place <= len(same):
            pieces.append(canonical(same[-place]))
    name, value = signature
    pieces.append(canonical((name, SIGNATURE_VALUE.sub(b"\\1", value))).rstrip())
    return hashlib.sha256(b"".join(pieces)).digest()


def simple_field(field: Field) -> bytes:
    """Return the field as it stands (RFC 6376 §3.4.1)."""
    return b"%b:%b" % field


def relaxed_field(field: Field) -> bytes:
    """Return the field on one line, its name in lower case, runs of blanks as one space."""
    name, value = field
    value = value.replace(b"\r\n", b"")
    if b"  " in value or b"\t" in value:
        value = _BLANKS.sub(b" ", value)
    return b"%b:%b\r\n" % (name.rstrip().lower(), value.strip(b" "))
