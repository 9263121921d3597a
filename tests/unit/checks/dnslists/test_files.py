"""Files at lists of hashes: what is hashed, and what is asked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import MessageListsCheck
from milter.checks.dnslists.files import hashed_files
from milter.checks.dnslists.relays import relay_addresses
from milter.message.document import Message
from policies.loader import load_policies
from tests.support.checks import a_transaction, asked
from tests.unit.policies.policy_files import Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.dnslists.questions import Subject

CONTENT = b"MZ\x90\0 a program that nobody wants"
POLICY = """
version: 1
name: x
dns_lists:
  - {use: spamhaus-hbl-file-dqs, key_file: key}
"""


def with_files(*contents: bytes, name: str = "a.exe") -> bytes:
    parts = b"".join(
        b"--b\r\nContent-Type: application/octet-stream\r\n"
        b'Content-Disposition: attachment; filename="%b"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n%b\r\n"
        % (name.encode(), base64.encodebytes(content))
        for content in contents
    )
    return (
        b"From: a@b.example\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nwords\r\n%b--b--\r\n" % parts
    )


def hashed(message: bytes, *algorithms: str) -> Sequence[Subject]:
    return asyncio.run(hashed_files(Message(message), algorithms or ("sha256",)))


@pytest.mark.parametrize("size", [1, 1000], ids=["here", "on-a-thread"])
def test_file_is_hashed_as_it_was_before_it_was_encoded(size: int) -> None:
    content = CONTENT * size

    (subject,) = hashed(with_files(content), "sha256", "md5")

    assert subject.digests["sha256"] == hashlib.sha256(content).digest()
    assert subject.digests["md5"] == hashlib.md5(content).digest()  # noqa: S324 - a list's choice
    assert subject.text.startswith("a.exe ")


def test_text_that_a_reader_shows_and_an_empty_file_are_not_hashed() -> None:
    assert list(hashed(with_files(b""))) == []


def test_same_file_twice_is_one_subject() -> None:
    assert len(hashed(with_files(CONTENT, CONTENT))) == 1


def test_file_past_what_is_decoded_is_not_asked_about() -> None:
    assert len(hashed(with_files(CONTENT, b"x" * 34_000_000, CONTENT + b"!"))) == 1


def test_listed_file_is_found_by_its_base32_below_the_part_and_the_key() -> None:
    plan = load_policies(Files({"p.yaml": POLICY, "key": "k3y"}), "p.yaml").plan
    check = MessageListsCheck(ListAsker(plan.dns_lists, lambda: 0.0), relay_addresses)
    label = base64.b32encode(hashlib.sha256(CONTENT).digest()).decode().rstrip("=").lower()
    zone = {f"{label}._file.k3y.hbl.dq.spamhaus.net": {"A": ["127.0.3.10"]}}

    evidence = asked(check, a_transaction(), zone, with_files(CONTENT))

    (finding,) = evidence.findings
    assert finding.symbol == "SPAMHAUS_HBL_FILE"
    assert "a.exe" in finding.evidence
    assert "k3y" not in finding.evidence
