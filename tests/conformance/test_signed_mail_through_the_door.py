"""Signed mail that the door marks still verifies at the next hop, octet for octet."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

import dkim
import pytest

from tests.support.corpora import CORPORA, corpus
from tests.support.dkim_signer import MESSAGE, NAME, ed25519_pair, rsa_pair
from tests.support.door import running_door
from tests.support.fast_rsa import give_fast_rsa
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

# A signature that holds is what tags here, so that every message is marked.
TAGGING = """\
version: 1
name: tagging
thresholds: {tag: 1}
weights: {DKIM_PASS: 5}
actions: {tag: {subject_prefix: "[SPAM] "}}
"""
COUNT = 1_000
PAIRS = {b"rsa-sha256": (b"rsa", rsa_pair), b"ed25519-sha256": (b"ed", ed25519_pair)}
ZONE = {
    f"{selector.decode()}._domainkey.example.org": {"TXT": [pair().record]}
    for selector, pair in PAIRS.values()
}
OURS = (b"x-spam", b"x-gatepost", b"authentication-results")


@pytest.fixture(autouse=True)
def fast_rsa(monkeypatch: pytest.MonkeyPatch) -> None:
    give_fast_rsa(monkeypatch)


def usable(message: bytes) -> bytes | None:
    """Return `message` as it could come by SMTP and be signed, None where it could not."""
    if message.startswith(b"From "):
        message = message.partition(b"\n")[2]
    header, empty, _ = message.partition(b"\r\n\r\n")
    fields = header.lower().split(b"\r\n")
    if not empty or len(message) > 200_000 or b"\r" in message.replace(b"\r\n", b""):
        return None
    # A second From or Subject, and headers with lines that are none, are other tests' business.
    names = [line.partition(b":")[0] for line in fields if line[:1] not in b" \t"]
    if any(b" " in name or not name for name in names) or b"dkim-signature" in names:
        return None
    once = [names.count(name) <= 1 for name in (b"to", b"cc", b"date", b"message-id", b"sender")]
    one = names.count(b"from") == names.count(b"subject") == 1
    return message if one and all(once) and names.count(b"reply-to") <= 1 else None


def signed(message: bytes, number: int) -> bytes:
    algorithm, (selector, pair) = [*PAIRS.items()][number % 2]
    forms = (b"relaxed", b"simple")
    header = dkim.sign(
        message,
        selector,
        b"example.org",
        pair().private,
        canonicalize=(forms[number // 2 % 2], forms[number // 4 % 2]),
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id", b"mime-version"],
        signature_algorithm=algorithm,
    )
    return bytes(header) + message


def key(name: bytes, **_: object) -> bytes:
    for selector, pair in PAIRS.values():
        if name.startswith(selector + b"."):
            return pair().record
    raise AssertionError(name)


def send(client: LineClient, message: bytes) -> None:
    assert client.ask(b"MAIL FROM:<a@example.net>")[:3] == b"250"
    assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"250"
    assert client.ask(b"DATA")[:3] == b"354"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    client.send((b"." if message.startswith(b".") else b"") + stuffed)
    client.send(b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
    assert client.reply()[:3] == b"250"


def without_ours(message: bytes) -> bytes:
    """Return `message` without the fields that the door removes where others wrote them."""
    header, empty, body = message.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    keeping = True
    for line in header.split(b"\r\n"):
        if line[:1] not in (b" ", b"\t"):
            keeping = not line.lower().startswith(OURS)
        if keeping:
            kept.append(line)
    return b"\r\n".join(kept) + empty + body


def messages() -> Iterator[bytes]:
    mail = chain.from_iterable(corpus(name, every=4) for name in CORPORA)
    good = (message for each in mail if (message := usable(each)) is not None)
    return islice(good, COUNT)


@pytest.mark.timeout(600)
def test_signatures_hold_at_the_next_hop() -> None:
    sent = [signed(message, number) for number, message in enumerate(messages())]
    assert len(sent) == COUNT

    with (
        running_sink() as sink,
        running_door(sink.host, policy=TAGGING, zone=ZONE, limits={"commands": 100_000}) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        for message in sent:
            send(client, message)
        received = [each.content for each in sink.wait_for(COUNT)]

    tagged = [b"\r\nX-Gatepost-Action: tag\r\n" in each for each in received]
    broken = [n for n, each in enumerate(received) if not dkim.verify(each, dnsfunc=key)]
    changed = [
        number
        for number, (was, came) in enumerate(zip(sent, received, strict=True))
        if not without_ours(came).endswith(without_ours(was).rstrip(b"\r\n") + b"\r\n")
        and not without_ours(came).endswith(without_ours(was))
    ]
    assert all(tagged)
    assert broken == []
    assert changed == []


def test_signature_over_a_spam_field_breaks_where_the_field_is_removed() -> None:
    # RFC 8601 asks the same of Authentication-Results: what claims to be ours cannot stay.
    message = b"X-Spam-Flag: NO\r\n" + MESSAGE
    header = dkim.sign(
        message,
        b"sel",
        b"example.org",
        rsa_pair().private,
        include_headers=[b"from", b"x-spam-flag"],
    )
    zone = {NAME: {"TXT": [rsa_pair().record]}}
    with (
        running_sink() as sink,
        running_door(sink.host, policy=TAGGING, zone=zone) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        send(client, bytes(header) + message)
        (received,) = [each.content for each in sink.wait_for(1)]

    assert b"dkim=pass" in received
    assert not dkim.verify(received, dnsfunc=lambda _name, timeout=5: rsa_pair().record)
