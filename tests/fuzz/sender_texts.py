"""Reads SPF records, Received chains and Authentication-Results with mistakes in them.

Ends with 1 when one is not stood: what raises anything but ParseError, changes for whom mail is
judged, or takes long is printed with the number that makes it again. At the end each reader, those
of signatures, seals, DMARC records and From fields too, gets
long texts made of one piece, and such that are eight times as long: its time may grow so, not more.
Usage: python -m tests.fuzz.sender_texts [COUNT] [FIRST]
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from ipaddress import IPv4Address
from random import Random
from typing import TYPE_CHECKING

from milter.auth.arc import check_arc
from milter.auth.dkim import check_dkim
from milter.auth.dmarc import record as dmarc_record
from milter.auth.header import bears_authserv_id
from milter.auth.read_results import parse_authentication_results
from milter.auth.results import Result
from milter.auth.spf import check_spf
from milter.auth.spf.record import parse_record
from milter.core.address import Mailbox
from milter.core.errors import ParseError
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from milter.message.received import parse_received, trusted_route
from tests.support.mutation import mutated

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNT = 200_000
# Far above what the worst text takes; a quadratic one would take seconds.
_LONGEST_S = 0.5
_CLIENT = IPv4Address("192.0.2.1")
_RELAYS = frozenset({IPv4Address("192.0.2.25")})

RECORDS = (
    b"v=spf1 a mx/24//64 include:b.example ip4:198.51.100.0/24 ip6:2001:db8::/32 -all",
    b"v=spf1 exists:%{ir}.%{v}._spf.%{d2} ptr:example.org ?all exp=why.example",
    b"v=spf1 a:%{l1r-}.%{o}.example/8 redirect=%{d1r+}.b.example unknown=%{h}%%%_%-",
)
EXPLANATIONS = (b"%{i} may not send for %{s}: see http://x.example/%{S}?%{c}%_%{t}%%", b"no")
RECEIVED = (
    b"from a.example (b.example [198.51.100.7])\r\n\tby mx.example (Postfix) with ESMTPS id 4X; d",
    b"from [198.51.100.7] (helo=a.example) by mx.example with esmtps (Exim 4.98) id 1A; d",
    b"from unknown (HELO a.example) (me@198.51.100.7) by mx.example with SMTP; d",
    b'from a.example ([IPv6:2001:db8::7]:25 helo="x") by mx (8.18.1/8.18.1) with ESMTP id 1; d',
)
RESULTS = (
    b'mx.example.org 1; spf=pass reason="a \\"b\\"" smtp.mailfrom=a@example.net; dkim=fail',
    b'mx.example.org; dkim (x) / 1 = pass (y) header . d = example.net header.b="abc="; arc=none',
    b'"mx.example.org"; iprev=pass policy.iprev=2001:db8::1; none',
)


def spf(text: bytes, random: Random) -> None:
    """Evaluate a record, with an explanation that has mistakes too."""
    zone: dict[str, object] = {
        "example.org": {"TXT": [text]},
        "why.example": {"TXT": [mutated(random.choice(EXPLANATIONS), RECORDS, random)]},
        "b.example": {"TXT": [b"v=spf1 a -all"], "A": ["192.0.2.1"]},
        "192.0.2.1": {"PTR": ["b.example", "mx.example.org"]},
        "mx.example.org": "servfail",
    }
    sender = Mailbox("a-b", "example.org")
    said = asyncio.run(check_spf(_CLIENT, sender, "mx.example.org", FakeResolver(zone)))
    assert said.result is not Result.POLICY
    assert said.explanation.isprintable()


def received(text: bytes, random: Random) -> None:
    """Follow a chain; what stands below the line of trust must not change it."""
    top = random.choice(RECEIVED)
    route = trusted_route([top, text], _RELAYS)
    assert route.client is not None
    assert route.client == parse_received(top)
    parse_received(text)


def results(text: bytes, _random: Random) -> None:
    """Read a field, and look for our name in it."""
    bears_authserv_id(text, "mx.example.org")
    parse_authentication_results(text)


READERS: tuple[tuple[tuple[bytes, ...], Callable[[bytes, Random], None]], ...] = (
    (RECORDS, spf),
    (RECEIVED, received),
    (RESULTS, results),
)


def main(count: int = _COUNT, first: int = 0) -> int:
    """Read `count` texts from number `first` on; return the exit code."""
    refused, longest_s, failed = 0, 0.0, False
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        seeds, read = READERS[number % len(READERS)]
        text = mutated(random.choice(seeds), seeds, random)
        started = time.thread_time()
        try:
            read(text, random)
        except ParseError:
            refused += 1
        except Exception as err:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {read.__name__} {text!r}: {err!r}\n")
        longest_s = max(longest_s, time.thread_time() - started)
    sys.stdout.write(f"{count} texts, {refused} refused, longest {longest_s * 1000:.1f} ms\n")
    return int(grows() or failed or longest_s > _LONGEST_S)


def grows() -> bool:
    """Return whether any reader takes more than its share of a longer text, and print which."""
    worst = 0.0
    for reader in (_record, parse_received, _results, _signature, _seal, _policy, _authors):
        for piece in _pieces():
            short, long = (_seconds(reader, piece * (size // len(piece))) for size in _SIZES)
            # Below that, what is measured is the clock.
            if long > _NOTICEABLE_S:
                worst = max(worst, long / max(short, 1e-6))
            if long > _NOTICEABLE_S and long > short * _GROWTH:
                sys.stdout.write(f"{reader.__name__} of {piece!r}: {short} s, then {long} s\n")
                return True
    sys.stdout.write(f"a text eight times as long takes at most {worst:.1f} times as long\n")
    return False


_KEYS = FakeResolver({})
_SIZES = (16_000, 128_000)
# Eight times is linear; sixty-four would be quadratic.
_GROWTH = 24
_NOTICEABLE_S = 0.02


def _pieces() -> list[bytes]:
    marks = [bytes([byte]) for byte in b'()[]"\\%{};:=/.@ -a1']
    words = [b"a ", b"a.", b"%{d}", b"x=", b"a:%{l1r-}.b ", b"(a", b'"a"', b'"\\', b"a=b;"]
    return [*marks, *words, *(seed + b" " for seeds, _ in READERS for seed in seeds)]


def _record(text: bytes) -> None:
    parse_record(b"v=spf1 " + text)


def _results(text: bytes) -> None:
    bears_authserv_id(text, "mx.example.org")
    parse_authentication_results(b"mx; " + text)


def _signature(text: bytes) -> None:
    field = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AA; b=AA; " + text
    asyncio.run(check_dkim(field + b"\r\nFrom: a@x.example\r\n\r\nx\r\n", _KEYS, now=0))


def _seal(text: bytes) -> None:
    names = (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
    fields = b"".join(name + b": i=1; " + text + b"\r\n" for name in names)
    asyncio.run(check_arc(fields + b"\r\nx\r\n", _KEYS, now=0))


def _policy(text: bytes) -> None:
    dmarc_record.parse_record.cache_clear()
    dmarc_record.parse_record(b"v=DMARC1; " + text)


def _authors(text: bytes) -> None:
    _ = Message(b"From: " + text + b"\r\n\r\nx\r\n").author_domains


def _seconds(reader: Callable[[bytes], object], text: bytes) -> float:
    best = float("inf")
    for _ in range(3):
        parse_record.cache_clear()
        started = time.thread_time()
        with suppress(ParseError):
            reader(text)
        best = min(best, time.thread_time() - started)
    return best


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
