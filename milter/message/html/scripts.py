"""What the scripts of a page say, with the usual ways to hide an address from a search undone.

Nothing is run. Whoever works an address out by sums is not followed; most pages that are sent as
files only have letters by number, base64, percent signs, or a text in pieces.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from milter.message.decode import decode_base64

_MOST: Final = 262_144
_PIECES: Final = re.compile(r"([\"'`])[ \t\r\n]{0,20}\+[ \t\r\n]{0,20}\1")
_ESCAPED: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,4})\})")
_NUMBERS: Final = re.compile(
    r"from(?:Char|CodePoint)(?:Code)?\s{0,5}\(([\s\dxXa-fA-F,]{1,100000})\)"
)
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,4}|\d{1,5}")
_BASE64: Final = re.compile(r"[\"'`]([A-Za-z0-9+/]{12,}={0,2})[\"'`]")
_HIGHEST: Final = 0xD7FF


def written_out(script: str) -> str:
    """Return `script`, and behind it what it holds in base64 and by numbers."""
    text = _plain(script[:_MOST])
    if "atob" in text:
        held = [decode_base64(match[1].encode("ascii")) for match in _BASE64.finditer(text)]
        text = "\n".join([text, *(_plain(each.decode("utf-8", "replace")) for each in held)])
    numbers = [match[1] for match in _NUMBERS.finditer(text)]
    return "\n".join([text, *map(_by_number, numbers)])


def _plain(text: str) -> str:
    if "+" in text:
        text = _PIECES.sub("", text)
    if "\\" in text:
        text = _ESCAPED.sub(_escaped, text).replace("\\/", "/")
    return unquote(text) if "%" in text and ("unescape" in text or "decodeURI" in text) else text


def _escaped(match: re.Match[str]) -> str:
    return _letter(int(match[1] or match[2] or match[3], 16))


def _by_number(numbers: str) -> str:
    return "".join([_letter(int(each, 0)) for each in _decimal(numbers)])


def _decimal(numbers: str) -> list[str]:
    found: list[str] = _NUMBER.findall(numbers)
    return [each if each[:2] in ("0x", "0X") else each.lstrip("0") or "0" for each in found]


def _letter(code: int) -> str:
    # Halves of pairs are no characters that could be encoded again.
    return chr(code) if code <= _HIGHEST else " "
