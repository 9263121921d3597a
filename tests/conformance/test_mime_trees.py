"""Messages next to the trees that two other readers make of them: Stalwart's and mime4j's.

What is compared is what each leaf holds and is called. Where both differ from us, the reason stands
beside the file's name.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from milter.message.document import Message
from milter.message.guard import Notes
from milter.message.part import decode_part
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.conformance

_MIME = SHARED / "conformance" / "mime"
_STALWART = _MIME / "stalwart-mail-parser" / "eml"
_MIME4J = _MIME / "mime4j-testmsgs"
_ALL_BYTES = 1 << 30

# Numbers of leaves whose content or name differs, and why.
_NOT_STALWARTS = {
    "legacy/016": ({2}, "a name in bytes that are no UTF-8: we guess the charset"),
    "legacy/017": ({1, 2}, "uuencode is decoded"),
    "legacy/023": ({3}, "a name in bytes that are no UTF-8: we guess the charset"),
    "legacy/026": ({1}, "as above"),
    "legacy/045": ({1}, "carriage returns before CRLF, of which we drop one"),
    "legacy/048": ({1, 2, 3}, "uuencode is decoded"),
    "legacy/052": ({0}, "no charset is named: we guess it"),
    "rfc/000": ({2, 3}, "base64 that is none stays text there; we decode what can be decoded"),
}
# How many leaves we see and they do not, and why.
_NOT_MIME4JS = {
    "basic-plain-with-bad-header-separator": "a line of space alone ends no header, text does",
    "malformedHeader-nocrlfcrlf": "the body begins at a line that is no field, as for mail servers",
    "malformedHeader-noheader": "as above",
    "malformedHeaderStartsBody-nocrlfcrlf": "as above",
    "malformedHeaderStartsBody-noheader": "as above",
    "missing-boundary": "a multipart without its boundary is text, as mail readers show it",
    "missing-inner-boundary": "as above",
    "missing-inner-start-boundary": "as above",
    "multipartnopart": "as above",
    "obsolete": "a field name that is not ASCII is none, as for mail servers",
}


def files(folder: Path, pattern: str) -> list[Path]:
    if not folder.exists():
        pytest.skip(f"the test data is not there: {folder}")
    return sorted(folder.glob(pattern))


def stalwart_leaves(message: dict[str, Any]) -> Iterator[tuple[str, str | bytes]]:
    for part in message["parts"]:
        if part["body"] == "Multipart" or "Multipart" in part["body"]:
            continue
        ((kind, content),) = part["body"].items()
        if kind == "Message":
            yield from stalwart_leaves(content)
            continue
        name = attribute(part, "content_disposition", "filename")
        name = name or attribute(part, "content_type", "name")
        yield name, content if isinstance(content, str) else bytes(content)


def attribute(part: dict[str, Any], field: str, name: str) -> str:
    for header in part["headers"]:
        value = header["value"]
        if header["name"] == field and isinstance(value, dict) and "ContentType" in value:
            for each in value["ContentType"]["attributes"] or ():
                if each["name"] == name:
                    return str(each["value"])
    return ""


def own_leaves(message: Message) -> list[tuple[str, str | bytes]]:
    texts = dict(zip(map(id, message.text_parts), message.texts, strict=True))
    return [
        (
            part.filename,
            texts[id(part)].text if id(part) in texts else decode_part(part, _ALL_BYTES, Notes()),
        )
        for part in message.parts
        # Files that are uuencoded in a text are no parts for others.
        if part.source is message.raw or part.start
    ]


def even(content: str | bytes) -> str | bytes:
    """Return content with one kind of line break and none at its ends."""
    if isinstance(content, bytes):
        return content.replace(b"\r\n", b"\n").strip()
    return content.replace("\r\n", "\n").strip()


def test_message_has_the_leaves_that_stalwart_sees() -> None:
    read, differing = 0, {}
    for path in files(_STALWART, "*/*.json"):
        if path.stem.endswith(".crlf"):
            continue
        theirs = list(stalwart_leaves(json.loads(path.read_text("utf-8"))))
        ours = own_leaves(Message(path.with_suffix(".eml").read_bytes()))
        assert len(theirs) == len(ours), path
        places = {
            place
            for place, ((name, content), (own_name, own)) in enumerate(
                zip(theirs, ours, strict=True)
            )
            if (name, even(content)) != (own_name, even(own))
        }
        if places:
            differing[f"{path.parent.name}/{path.stem}"] = places
        read += 1
    assert differing == {name: places for name, (places, _) in _NOT_STALWARTS.items()}
    assert read == 64


def test_message_is_the_same_with_both_kinds_of_line_breaks() -> None:
    for path in files(_STALWART, "*/*.eml"):
        lf = path.read_bytes().replace(b"\r\n", b"\n")
        crlf = lf.replace(b"\n", b"\r\n")
        ours = [[even(content) for _, content in own_leaves(Message(raw))] for raw in (lf, crlf)]
        assert ours[0] == ours[1], path


def test_message_has_the_leaves_that_mime4j_sees() -> None:
    read, differing = 0, set()
    for path in files(_MIME4J, "*.msg"):
        tree = ET.fromstring((path.parent / f"{path.stem}_decoded.xml").read_bytes())  # noqa: S314 -- test data, read by tests alone
        bodies = [each.get("name", "") for each in tree.iter() if each.tag.endswith("-body")]
        theirs = [lines((path.parent / name).read_bytes()) for name in bodies]
        message = Message(path.read_bytes())
        ours = [lines(decode_part(part, _ALL_BYTES, Notes())) for part in message.parts]
        if theirs != ours:
            differing.add(path.stem)
            assert sum(map(len, ours)) >= sum(map(len, theirs)), path
        read += 1
    assert differing == set(_NOT_MIME4JS)
    assert read == 32


def lines(content: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\n", content).strip()
