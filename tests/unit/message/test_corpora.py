"""The reader next to the standard library's compat32 parser, on real mail."""

from __future__ import annotations

import email
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from milter.message.document import Message
from milter.message.guard import Fault, Notes
from milter.message.part import decode_part
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ALL_BYTES = 1 << 30


def messages(archive: Path, every: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as files:
        mails = 0
        for member in files:
            content = files.extractfile(member) if member.name.endswith(".eml") else None
            if content is not None:
                mails += 1
                if mails % every == 0:
                    yield member.name, content.read()


def standard_reading(raw: bytes) -> tuple[int, list[bytes], bool]:
    """Return the number of leaves, the decoded text parts, and whether it saw broken MIME."""
    leaves, texts, broken = 0, [], False
    for part in email.message_from_bytes(raw).walk():
        broken = broken or bool(part.defects)
        # A report of delivery is no multipart: compat32 makes each of its blocks a part.
        broken = broken or part.get_content_type() == "message/delivery-status"
        if part.is_multipart():
            continue
        leaves += 1
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            texts.append(payload if isinstance(payload, bytes) else b"")
    return leaves, texts, broken


def own_reading(message: Message) -> tuple[int, list[bytes]]:
    texts = [
        decode_part(part, _ALL_BYTES, Notes())
        for part in message.parts
        if part.content_type.startswith("text/")
    ]
    return len(message.parts), texts


@pytest.mark.conformance
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["spamassassin", "csdmc2010", "lists_modern", "phishing_pot", "nazario_2005", "ccert_zh"],
)
def test_message_agrees_with_compat32_where_compat32_sees_no_defect(name: str) -> None:
    archive = SHARED / "corpora" / f"{name}.tar.xz"
    if not archive.exists():
        pytest.skip(f"the corpora are not there: {archive}")
    read = differing = 0
    unexplained = []
    for path, raw in messages(archive, every=20):
        read += 1
        message = Message(raw)
        leaves, texts, broken = standard_reading(raw)
        if own_reading(message) == (leaves, texts):
            continue
        differing += 1
        message.read()
        # Broken multiparts are read as the text that they are; a part without an end keeps its
        # last line break.
        noted = any(defect.fault is Fault.MIME for defect in message.defects)
        if not broken and not noted:
            unexplained.append(path)
    assert unexplained == []
    assert read >= 30
    # The multiparts of this one were cut off when it was collected.
    assert differing <= read * (0.35 if name == "ccert_zh" else 0.01)


@pytest.mark.conformance
def test_message_of_the_mime_test_data_raises_nothing() -> None:
    folder = SHARED / "conformance" / "mime"
    if not folder.exists():
        pytest.skip(f"the test data is not there: {folder}")
    read = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".eml", ".msg", ".txt", ".in"):
            message = Message(path.read_bytes())
            message.read()
            assert 0 <= message.body_start <= len(message.raw)
            assert all(part.end <= len(part.source) for part in message.parts)
            read += 1
    assert read > 200


@pytest.mark.conformance
def test_message_of_the_specimens_of_spam_raises_nothing() -> None:
    folder = SHARED / "conformance" / "content"
    if not folder.exists():
        pytest.skip(f"the test data is not there: {folder}")
    read = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            message = Message(path.read_bytes())
            message.read()
            assert all(url.href for url in message.links)
            assert len(message.skeleton) <= 20 * len(message.raw)
            read += 1
    assert read > 10


@pytest.mark.conformance
def test_author_domains_agree_with_the_table_of_opendmarc() -> None:
    tables = SHARED / "conformance" / "dmarc" / "opendmarc-tables.json"
    if not tables.exists():
        pytest.skip(f"the test data is not there: {tables}")
    rows = json.loads(tables.read_text("utf-8"))["tables"]["test_finddomain"]
    assert len(rows) == 13
    for value, domain in rows:
        message = Message(f"From: {value}\r\n\r\n".encode())
        assert message.author_domains[:1] == (domain,), value
