"""What a document of Office loads from elsewhere when it is opened, by its relationships."""

from __future__ import annotations

import re
from typing import Final

# No tag holds an opening bracket: of many in a row, each would be followed far.
_LOADED: Final = re.compile(
    rb"<(?:[\w.-]{1,40}:)?Relationship\b(?=[^<>]{0,2000}TargetMode\s*=\s*[\"']External)"
    rb"(?=[^<>]{0,2000}(?:attachedTemplate|oleObject|/frame|externalLinkPath|subDocument))"
    rb"([^<>]{0,4000})",
    re.IGNORECASE,
)
_TARGET: Final = re.compile(rb"\bTarget\s*=\s*[\"']([^\"']{0,2000})", re.IGNORECASE)
_REFERENCE: Final = re.compile(rb"&#(?:x0*([0-9a-f]{2})|0*([0-9]{2,3}));", re.IGNORECASE)
_FILE: Final = re.compile(rb"(?:file:/*|/{2,})([^/]*)")
# A drive, a folder, or a server by a name that only its own network knows: what Word and Excel
# note of the template or workbook of a colleague.
_AT_HOME: Final = re.compile(rb"(?:[a-z]:|[a-z][a-z0-9_$-]*)?")
# One letter and a colon are a drive.
_SCHEME: Final = re.compile(rb"[a-z][a-z0-9+.-]+:")


def loads_from_elsewhere(relations: bytes) -> bool:
    """Return whether a part with relationships names something to load from another network."""
    if b"&#" in relations:
        relations = _REFERENCE.sub(_letter, relations)
    for relation in _LOADED.finditer(relations):
        target = _TARGET.search(relation[1])
        if target is None or _is_elsewhere(target[1]):
            return True
    return False


def _is_elsewhere(target: bytes) -> bool:
    path = target.strip().replace(b"\\", b"/").lower()
    if file := _FILE.match(path):
        return not _AT_HOME.fullmatch(file[1])
    return bool(_SCHEME.match(path))


def _letter(reference: re.Match[bytes]) -> bytes:
    """Return the letter or digit of a reference; another character as it is written."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    letter = chr(code)
    return letter.encode() if letter.isascii() and letter.isalnum() else reference[0]
