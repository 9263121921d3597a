"""What the parts of an Office document are to each other (ECMA-376-2, 9.3).

A part has the name that the sender likes; what a program does with it stands in its relation.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# No tag holds an opening bracket: of many in a row, each would be followed far.
_LOADED: Final = re.compile(
    rb"<(?:[\w.-]{1,40}:)?Relationship\b(?=[^<>]{0,2000}TargetMode\s*=\s*[\"']External)"
    rb"(?=[^<>]{0,2000}(?:attachedTemplate|oleObject|/frame|externalLinkPath|subDocument))"
    rb"([^<>]{0,4000})",
    re.IGNORECASE,
)
_TARGET: Final = re.compile(rb"\bTarget\s*=\s*[\"']([^\"']{0,2000})", re.IGNORECASE)
_MACRO_PART: Final = re.compile(
    rb"/relationships/(?:vbaProject|xlMacrosheet|xlIntlMacrosheet)\b", re.IGNORECASE
)
_REFERENCE: Final = re.compile(rb"&#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));")
_FILE: Final = re.compile(rb"(?:file:/*|/{2,})([^/]*)")
# A drive, a folder, or a server by a name that only its own network knows: what Word and Excel
# note of the template or workbook of a colleague.
_AT_HOME: Final = re.compile(rb"(?:[a-z]:|[a-z][a-z0-9_$-]*)?")
# One letter and a colon are a drive.
_SCHEME: Final = re.compile(rb"[a-z][a-z0-9+.-]+:")
# What ends a value or a tag does not when it is written as a reference.
_MARKUP: Final = frozenset(b"\"'<>&")


class Relations(NamedTuple):
    """What one file of relations says.

    Attributes:
        load_elsewhere: Whether a template, an object or a frame comes from another network.
        have_macros: Whether a part is macros.
    """

    load_elsewhere: bool
    have_macros: bool


def relations_of(content: bytes) -> Relations:
    """Return what a file of relations says, in UTF-8 or any charset that is ASCII to it."""
    if b"&#" in content:
        content = _REFERENCE.sub(_referred, content)
    return Relations(_load_elsewhere(content), bool(_MACRO_PART.search(content)))


def _load_elsewhere(content: bytes) -> bool:
    for relation in _LOADED.finditer(content):
        target = _TARGET.search(relation[1])
        if target is None or _is_elsewhere(target[1]):
            return True
    return False


def _is_elsewhere(target: bytes) -> bool:
    path = target.strip().replace(b"\\", b"/").lower()
    if file := _FILE.match(path):
        return not _AT_HOME.fullmatch(file[1])
    return bool(_SCHEME.match(path))


def _referred(reference: re.Match[bytes]) -> bytes:
    number = int(reference[1], 10) if reference[1] else int(reference[2], 16)
    return bytes([number]) if number < 0x80 and number not in _MARKUP else b"?"
