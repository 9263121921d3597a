"""Reads many answers of name servers with mistakes in them; ends with 1 when one is not stood.

What raises anything but ParseError, or takes long, is printed with the number that makes it again.
Usage: python -m tests.fuzz.dns_packets [COUNT] [FIRST]
"""

from __future__ import annotations

import sys
import time
from random import Random

from milter.core.errors import ParseError
from tests.support.dns_packets import mutated, read_as_the_client_does, true_packets

_COUNT = 200_000
# Far above what the worst packet takes; a quadratic one would take seconds.
_LONGEST_S = 0.5


def main(count: int = _COUNT, first: int = 0) -> int:
    """Read `count` packets from number `first` on; return the exit code."""
    packets = true_packets()
    refused, longest_s, failed = 0, 0.0, False
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        rrtype, question, packet = random.choice(packets)
        packet = mutated(packet, random)
        started = time.thread_time()
        try:
            read_as_the_client_does(rrtype, question, packet)
        except ParseError:
            refused += 1
        except Exception as err:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {rrtype} {packet.hex()}: {err!r}\n")
        longest_s = max(longest_s, time.thread_time() - started)
    sys.stdout.write(f"{count} packets, {refused} refused, longest {longest_s * 1000:.1f} ms\n")
    return int(failed or longest_s > _LONGEST_S)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
