"""Says many sessions with mistakes in them to the milter door; ends with 1 when one is not stood.

What raises anything but the session's own errors, answers what is no packet, keeps memory or takes
long is printed with the number that makes it again.
Usage: python -m tests.fuzz.milter_packets [COUNT] [FIRST]
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from random import Random

from milter.core.limits import LocalLimits
from milter.milter8.edits import InexpressibleEditError
from milter.milter8.session import SessionEndedError
from milter.milter8.wire import PacketError
from tests.support import milter_packets as mta
from tests.support.milter_fuzz import SESSIONS, mutated
from tests.support.milter_session import Dialog, a_door

_COUNT = 100_000
# Far above what the worst session takes; a quadratic one would take seconds.
_LONGEST_S = 0.5


async def run(count: int, first: int) -> int:
    """Say `count` sessions from number `first` on; return the exit code."""
    door = a_door()
    ended, longest_s, failed = 0, 0.0, False
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        data = mutated(random.choice(SESSIONS), random)
        dialog = Dialog(door)
        started = time.thread_time()
        try:
            mta.answers(await dialog.say(data))
        except (PacketError, SessionEndedError, InexpressibleEditError) as error:
            ended += isinstance(error, PacketError)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {data.hex()}: {error!r}\n")
        dialog.session.close()
        longest_s = max(longest_s, time.thread_time() - started)
    assert isinstance(door.limits, LocalLimits)
    held = door.limits.bytes_in_flight
    sys.stdout.write(
        f"{count} sessions, {ended} broke the protocol, {held} bytes kept, "
        f"longest {longest_s * 1000:.1f} ms\n"
    )
    return int(failed or held > 0 or longest_s > _LONGEST_S)


def main(count: int = _COUNT, first: int = 0) -> int:
    """Run the fuzzer with nothing logged."""
    logging.disable(logging.CRITICAL)
    return asyncio.run(run(count, first))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
