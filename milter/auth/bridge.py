"""Lets synchronous libraries ask an asynchronous resolver.

pyspf evaluates a record in plain calls and looks names up in the middle of them. Here it runs in a
greenlet: each look-up switches to the event loop's side with the question, and back with the
answer. That costs some 25 microseconds a check, where a thread for each look-up costs more than a
hundred. No library is named in code here; each has one module of its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from milter.core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.dns.resolver import Answer, Resolver, Rrtype

    DnsFunction = Callable[[str, Rrtype], Answer]

T = TypeVar("T")

# A library may swallow the exception that unwinds it (pyspf has a bare `except`) and go on to its
# next look-up. It is told again there, and left to the collector after so many.
_MAX_UNWINDS: Final = 1000


def ask(name: str, rrtype: Rrtype) -> Answer:
    """Return the answer for `name`, from inside a function that `run_with_dns` runs.

    Raises:
        LocalProtocolError: It was called from anywhere else, where waiting would stop the loop.
    """
    loop_side = getcurrent().parent
    if loop_side is None:
        raise LocalProtocolError("a look-up outside of run_with_dns")
    answer: Answer = loop_side.switch((name, rrtype))
    return answer


async def run_with_dns(function: Callable[[DnsFunction], T], resolver: Resolver) -> T:
    """Return what `function` returns; it is given `ask` and runs on the loop's thread.

    Any number may run at once, each with its own resolver. Cancellation unwinds `function` with
    GreenletExit where it waits, so that its `finally` blocks run.

    Raises:
        Exception: Whatever `function` raises.
    """
    worker = greenlet(function)
    try:
        outcome = worker.switch(ask)
        while not worker.dead:
            outcome = worker.switch(await resolver.resolve(*outcome))
    finally:
        _unwind(worker)
    result: T = outcome
    return result


def _unwind(worker: greenlet) -> None:
    for _ in range(_MAX_UNWINDS):
        if worker.dead:
            return
        # What the library makes of its end must not take the place of the cancellation.
        with suppress(Exception):
            worker.throw(GreenletExit)
