"""Judges mutated signatures, seals, records and From fields; ends with 1 when one is not stood.

What raises anything, yields no result, or takes long is printed with the number that makes it
again. Usage: python -m tests.fuzz.signatures [COUNT] [FIRST]
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final

from milter.auth.arc import check_arc
from milter.auth.dkim import check_dkim
from milter.auth.dmarc.record import DmarcRecord, parse_record
from milter.auth.results import Result
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.dkim_signer import MESSAGE, NAME, NOW, rsa_pair, signed

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNT: Final = 200_000
# Far above what the worst input takes; a quadratic one would take seconds.
_LONGEST_S: Final = 0.5
_PIECES: Final = (
    *(b";", b"=", b":", b" ", b"\t", b"\r\n ", b"\r\n", b"\n", b"\r", b"\0", b"\xff", b'"', b"\\"),
    *(b"(", b")", b"<", b">", b"@", b",", b"b=", b"bh=", b"h=from:", b"i=1;", b"l=0;", b"x=1;"),
    *(b"t=99999999999999999999;", b"c=simple/relaxed;", b"a=ed25519-sha256;", b"cv=pass;"),
    *(b"v=DMARC1;", b"p=reject;", b"sp=bad;", b"rua=mailto:a@b!9k,", b"psd=y;", b"=?utf-8?q?=40?="),
    *("\u00fc".encode(), b"a" * 300, b" " * 2_000, b"(" * 2_000, b";" * 500, b"<@" * 500),
)
_RECORD: Final = (
    b"v=DMARC1; p=reject; sp=quarantine; np=none; t=y; psd=u; adkim=s; rua=mailto:a@b.c"
)
_FROM: Final = (
    b'"Doe, Ann (A)" <@relay.example:ann@example.org>, team: "b c"@d.example (x), e@[1.2.3.4];'
)


@cache
def _two_hops() -> bytes:
    return sealed(sealed(MESSAGE, "one.example"), "two.example")


def _zone(random: Random, key: bytes) -> FakeResolver:
    record = rsa_pair().record
    names = sealer_zone("one.example", "two.example")
    names[NAME] = {"TXT": [_mutated(record, random) if random.random() < 0.3 else key]}
    return FakeResolver(names)


def _mutated(data: bytes, random: Random) -> bytes:
    """Return `data` with a few pieces put in, taken out or moved."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice((0, 0, 1, 5, 40)))
        piece = random.choice(_PIECES) if random.random() < 0.7 else data[end : end + 30]
        data = data[:start] + piece + data[end:]
    return data


def _signature(random: Random) -> object:
    whole = signed()
    end = whole.index(b"From:")
    message = _mutated(whole[:end], random) + whole[end:]
    results = asyncio.run(check_dkim(message, _zone(random, rsa_pair().record), now=NOW))
    assert all(each.result is not Result.NONE for each in results)
    return results


def _seals(random: Random) -> object:
    whole = _two_hops()
    end = whole.index(b"From:")
    message = _mutated(whole[:end], random) + whole[end:]
    result = asyncio.run(check_arc(message, _zone(random, rsa_pair().record), now=NOW))
    assert result.result in (Result.PASS, Result.FAIL, Result.NONE)
    return result


def _record(random: Random) -> object:
    record = parse_record(_mutated(_RECORD, random))
    assert record is None or isinstance(record, DmarcRecord)
    return record


def _authors(random: Random) -> object:
    message = Message(b"From: " + _mutated(_FROM, random) + b"\r\nSubject: x\r\n\r\nx\r\n")
    domains = message.author_domains
    assert all(domains)
    return domains


_KINDS: Final[tuple[Callable[[Random], object], ...]] = (_signature, _seals, _record, _authors)


def main(count: int = _COUNT, first: int = 0) -> int:
    """Judge `count` inputs from number `first` on; return the exit code."""
    longest_s, failed = 0.0, False
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        judge = _KINDS[number % len(_KINDS)]
        started = time.thread_time()
        try:
            judge(random)
        except Exception as err:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {judge.__name__}: {err!r}\n")
        longest_s = max(longest_s, time.thread_time() - started)
    sys.stdout.write(f"{count} inputs, longest {longest_s * 1000:.1f} ms\n")
    return int(failed or longest_s > _LONGEST_S)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
