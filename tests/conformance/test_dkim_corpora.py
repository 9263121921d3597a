"""Our DKIM next to dkimpy's: real mail signed by dkimpy, whole and tampered with.

dkimpy is given faster RSA; what it canonicalizes, hashes and decides is its own. It knows nothing
of fields that were doubled, so those are no part of this comparison. GATEPOST_EVERY=1 takes every
message of the corpora and not each third.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import dkim
import pytest

from milter.auth.dkim import check_dkim
from milter.auth.results import Result
from milter.dns.fake import FakeResolver
from tests.support.corpora import CORPORA, corpus
from tests.support.dkim_signer import NAME, NOW, Pair, ed25519_pair, rsa_pair
from tests.support.fast_rsa import give_fast_rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

FORMS = [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]
SIGNED = [b"from", b"from", b"to", b"cc", b"subject", b"date", b"x-order", b"x-order"]

EVERY = int(os.environ.get("GATEPOST_EVERY", "3"))
ORDER = b"\r\nX-Order: 1\r\nX-Order: 2\r\nX-Order: 3\r\n\r\n"


@pytest.fixture(autouse=True)
def fast_rsa(monkeypatch: pytest.MonkeyPatch) -> None:
    give_fast_rsa(monkeypatch)


def signed(message: bytes, pair: Pair, form: tuple[bytes, bytes], *, length: bool) -> bytes | None:
    """Return `message` signed, None where dkimpy cannot."""
    algorithm = b"rsa-sha256" if b"k=rsa" in pair.record else b"ed25519-sha256"
    try:
        header = dkim.sign(
            message,
            b"sel",
            b"example.org",
            pair.private,
            canonicalize=form,
            include_headers=list(SIGNED),
            signature_algorithm=algorithm,
            length=length,
        )
    except (dkim.DKIMException, IndexError, TypeError):
        return None
    return bytes(header) + message


def tampered(message: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the message, and what can be done to one."""
    yield "whole", message
    header, empty, body = message.partition(b"\r\n\r\n")
    yield "body", header + empty + body.replace(b"e", b"o", 1)
    yield "appended", message + b"more text\r\n"
    yield "cut", header + empty + body[: len(body) // 2]
    yield "blank", header + empty + body.replace(b" ", b"  ", 1) + b" \r\n\r\n"
    yield "header", header.replace(b"ubject: ", b"ubject: Re: ", 1) + empty + body
    yield "case", header.replace(b"Subject:", b"SUBJECT:  ", 1) + empty + body
    yield "order", message.replace(b"X-Order: 2\r\nX-Order: 3", b"X-Order: 3\r\nX-Order: 2")
    yield "above", message.replace(b"X-Order: 1", b"X-Order: 0")
    yield "below", message.replace(b"X-Order: 3", b"X-Order: 3\r\nX-Order: 4")


def theirs(message: bytes, record: bytes) -> bool:
    try:
        return bool(dkim.verify(message, dnsfunc=lambda _name, timeout=5: record))
    except Exception:  # noqa: BLE001 - whatever escapes dkimpy is no pass
        return False


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CORPORA)
def test_results_equal_those_of_dkimpy(name: str) -> None:
    compared = passed = 0
    differing = []
    for number, stored in enumerate(corpus(name, EVERY)):
        # The line above a message in a mailbox is no part of it.
        plain = stored.partition(b"\n")[2] if stored.startswith(b"From ") else stored
        header = plain.partition(b"\r\n\r\n")[0].lower()
        if len(plain) > 400_000 or b"dkim-signature:" in header:
            continue
        pair = ed25519_pair() if number % 4 == 3 else rsa_pair()
        # Two of three are signed.
        message = plain.replace(b"\r\n\r\n", ORDER, 1)
        whole = signed(message, pair, FORMS[number % 4], length=number % 5 == 4)
        if whole is None:
            continue
        zone = {NAME: {"TXT": [pair.record]}}
        for what, changed in tampered(whole):
            judged = asyncio.run(check_dkim(changed, FakeResolver(zone), now=NOW))
            ours = judged[0].result is Result.PASS
            # Text behind l= is no pass here, and a field that was doubled is none.
            if judged[0].result is not Result.POLICY and ours != theirs(changed, pair.record):
                differing.append((number, what, judged[0]))
            compared += 1
            passed += ours
    assert differing == []
    print(f"{name}: {compared} compared, {passed} pass")  # noqa: T201 - shown with -s
    assert compared > 40
    assert 0 < passed < compared
