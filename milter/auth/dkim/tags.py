"""Tag lists of signatures, seals and keys (RFC 6376 §3.2)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

# No real signature or key has half as many.
_MAX_TAGS: Final = 50

_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_SEPARATOR: Final = re.compile(rb"\s*:\s*")


def parse_tags(text: bytes) -> dict[bytes, bytes]:
    """Return the tags of `text` by name; values without the white space around them.

    Raises:
        ParseError: It is no tag list: a piece without `=`, a name that cannot be one, or one that
            stands twice.
    """
    pieces = text.strip().split(b";", _MAX_TAGS)
    if len(pieces) > _MAX_TAGS:
        raise ParseError("too many tags")
    if not pieces[-1].strip():
        pieces.pop()
    tags: dict[bytes, bytes] = {}
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        name = name.strip()
        if not equals or _NAME.fullmatch(name) is None:
            raise ParseError("a tag without name or value")
        if name in tags:
            raise ParseError("a tag that stands twice")
        tags[name] = value.strip()
    return tags


def tag_text(tags: Mapping[bytes, bytes], name: bytes) -> str:
    """Return the tag `name` as text; empty where it is missing."""
    return tags.get(name, b"").decode("utf-8", "replace")


def items(value: bytes) -> list[bytes]:
    """Return what stands between the colons of `value`, without white space."""
    return _SEPARATOR.split(value.strip())


def decode_base64(value: bytes) -> bytes | None:
    """Return what `value` encodes, white space aside; None when it is no base64 or empty."""
    try:
        return base64.b64decode(b"".join(value.split()), validate=True) or None
    except ValueError:
        return None
