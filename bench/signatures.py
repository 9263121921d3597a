"""The rows of DKIM and ARC of `bench.auth`: RSA-2048, relaxed/relaxed, beside plain dkimpy.

Both are given the keys at once. dkimpy runs as it comes, with RSA of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import dkim

from bench.auth_cases import Case, Zone
from milter.auth.arc import check_arc
from milter.auth.dkim import check_dkim
from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.dkim_signer import NAME, NOW, dkimpy_signed, rsa_pair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_HEADER: Final = (
    b"".join(
        b"%s: value of a header field that nobody signed\r\n" % name
        for name in (b"Received", b"Received", b"Message-ID", b"Date", b"MIME-Version", b"X-Mailer")
    )
    + b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\n"
)
_LINE: Final = b"The quick brown fox jumps over  the lazy dog, as in each line of this.\r\n"
# Of the sizes; DKIM of 50 KB is the one that has a limit of its own.
_SIZES: Final = (("2 KB", 2_000, 300, 1.0), ("50 KB", 50_000, 40, 1 / 3), ("1 MB", 1_000_000, 2, 1))


def _message(size: int) -> bytes:
    return _HEADER + _LINE * ((size - len(_HEADER)) // len(_LINE))


def dkim_cases() -> list[Case]:
    """Return the rows of DKIM."""
    rows = []
    for words, size, count, limit in _SIZES:
        rows += _dkim_rows(
            f"DKIM, {words}", dkimpy_signed(_message(size), rsa_pair()), count, limit
        )
    message = _message(50_000)
    for number, words in ((2, "two"), (3, "three")):
        signed = message
        for _ in range(number):
            signed = dkimpy_signed(signed, rsa_pair())
        rows += _dkim_rows(f"DKIM, 50 KB, {words} signatures", signed, 20, 1 / 3)
    return rows


def _dkim_rows(words: str, message: bytes, count: int, limit: float) -> list[Case]:
    zone = Zone({NAME: {"TXT": [rsa_pair().record]}})
    signatures = message.count(b"DKIM-Signature:")

    async def ours() -> object:
        return await check_dkim(message, zone, now=NOW)

    async def plain() -> object:
        whole = dkim.DKIM(message)
        return [whole.verify(number, dnsfunc=_key) for number in range(signatures)]

    results = asyncio.run(check_dkim(message, zone, now=NOW))
    assert [each.result.value for each in results] == ["pass"] * signatures
    assert asyncio.run(_all(plain)) == [True] * signatures
    yardstick = f"{words}, plain dkimpy"
    return [Case(yardstick, plain, count), Case(words, ours, count, yardstick, limit)]


def arc_cases() -> list[Case]:
    """Return the rows of ARC: three sets on a message of 2 KB."""
    domains = ("one.example", "two.example", "three.example")
    message = _message(2_000)
    for domain in domains:
        message = sealed(message, domain, "dmarc=pass header.from=example.org")
    zone = Zone(sealer_zone(*domains))

    async def ours() -> object:
        return await check_arc(message, zone, now=NOW)

    async def plain() -> object:
        return dkim.arc_verify(message, dnsfunc=_key)

    assert asyncio.run(check_arc(message, zone, now=NOW)).result.value == "pass"
    assert dkim.arc_verify(message, dnsfunc=_key)[0] == b"pass"
    yardstick = "ARC, 2 KB, three sets, plain dkimpy"
    return [Case(yardstick, plain, 50), Case("ARC, 2 KB, three sets", ours, 200, yardstick, 1.0)]


async def _all(work: Callable[[], Awaitable[object]]) -> object:
    return await work()


def _record(_name: bytes, **_: object) -> bytes:
    return rsa_pair().record


# dkimpy's own annotations say less than it takes.
_key: Any = _record
