"""Reads SPF records, Received chains and Authentication-Results with mistakes in them.

Ends with 1 when one is not stood: what raises anything but ParseError, changes for whom mail is
judged, or takes long is printed with the number that makes it again. At the end each reader of
senders' texts gets texts made of one piece, below the length up to which it reads and above it, and
such that are eight times as long: its time may grow so, not more.
Usage: python -m tests.fuzz.sender_texts [COUNT] [FIRST]
"""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import IPv4Address
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from milter.auth.header import bears_authserv_id
from milter.auth.read_results import parse_authentication_results
from milter.auth.results import Result
from milter.auth.spf import check_spf
from milter.core.address import Mailbox
from milter.core.errors import ParseError
from milter.dns.fake import FakeResolver
from milter.message.received import parse_received, trusted_route
from tests.support.mutation import mutated
from tests.support.sender_readers import PIECES, READERS, Reader, read

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


KINDS: tuple[tuple[tuple[bytes, ...], Callable[[bytes, Random], None]], ...] = (
    (RECORDS, spf),
    (RECEIVED, received),
    (RESULTS, results),
)


def main(count: int = _COUNT, first: int = 0) -> int:
    """Read `count` texts from number `first` on; return the exit code."""
    refused, longest_s, failed = 0, 0.0, False
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        seeds, reads = KINDS[number % len(KINDS)]
        text = mutated(random.choice(seeds), seeds, random)
        started = time.thread_time()
        try:
            reads(text, random)
        except ParseError:
            refused += 1
        except Exception as err:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {reads.__name__} {text!r}: {err!r}\n")
        longest_s = max(longest_s, time.thread_time() - started)
    sys.stdout.write(f"{count} texts, {refused} refused, longest {longest_s * 1000:.1f} ms\n")
    return int(grows() or failed or longest_s > _LONGEST_S)


def grows() -> bool:
    """Return whether any reader takes more than its share of a longer text, and print which."""
    worst = 0.0
    for reader, piece in product(READERS, PIECES):
        # Below the bound of the reader, where all of a text is read, and far above it.
        for size in (reader.bound // 16, 16_000):
            short, long = (_seconds(reader, piece, octets) for octets in (size, 8 * size))
            # Below that, what is measured is the clock.
            if long < _NOTICEABLE_S:
                continue
            worst = max(worst, long / max(short, 1e-6))
            if long > short * _GROWTH:
                sys.stdout.write(f"{reader.name}, {size} of {piece!r}: {short} s, then {long} s\n")
                return True
    sys.stdout.write(f"a text eight times as long takes at most {worst:.1f} times as long\n")
    return False


# Eight times is linear; sixty-four would be quadratic.
_GROWTH = 24
_NOTICEABLE_S = 0.0005
# Short texts are read several times, so that there is something to measure.
_AT_ONCE = 64_000


def _seconds(reader: Reader, piece: bytes, size: int) -> float:
    times = max(1, _AT_ONCE // size)
    best = float("inf")
    for _ in range(3):
        started = time.thread_time()
        for _ in range(times):
            read(reader, piece, size)
        best = min(best, time.thread_time() - started)
    return best / times


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
