"""What the process that reads files is asked and answers: frames with their length in front.

A question is a byte for what is to be read, four for the length, and the file. An answer is four
bytes of length and JSON. Whoever reads an answer believes nothing of it: the process may have been
taken over by the file.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

QUESTION: Final = struct.Struct(">cI")
LENGTH: Final = struct.Struct(">I")
MAX_ANSWER: Final = 2_097_152
PDF: Final = b"P"
PDF_WITH_CODES: Final = b"C"
PICTURE: Final = b"I"
MAX_TEXT: Final = 200_000
MAX_ADDRESSES: Final = 200
MAX_ADDRESS: Final = 4_096


def format_answer(text: str, links: list[str], codes: list[str], trouble: str) -> bytes:
    """Return the frame of an answer, cut to what is read of one."""
    value = {
        "text": text[:MAX_TEXT],
        "links": [link[:MAX_ADDRESS] for link in links[:MAX_ADDRESSES]],
        "codes": [code[:MAX_ADDRESS] for code in codes[:MAX_ADDRESSES]],
        "trouble": trouble,
    }
    body = json.dumps(value).encode("ascii")
    return LENGTH.pack(len(body)) + body


def parse_answer(body: bytes) -> tuple[str, list[str], list[str], str]:
    """Return text, links, codes and trouble of an answer.

    Raises:
        ValueError: It is not what `format_answer` makes.
    """
    value: Any = json.loads(body)
    match value:
        case {"text": str(text), "links": list(links), "codes": list(codes), "trouble": str(why)}:
            return _whole(text[:MAX_TEXT]), _strings(links), _strings(codes), _whole(why[:100])
    raise ValueError("an answer of another form")


def _strings(values: list[Any]) -> list[str]:
    if not all(isinstance(each, str) for each in values):
        raise ValueError("an answer whose addresses are none")
    return [_whole(each[:MAX_ADDRESS]) for each in values[:MAX_ADDRESSES]]


def _whole(text: str) -> str:
    """Return `text` without halves of characters, which JSON lets through and nobody can encode."""
    return text.encode("utf-8", "replace").decode("utf-8")
