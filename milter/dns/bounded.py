"""A resolver with an end: whoever asks many names in turn gets an answer to each in time.

The runner cuts off a check whose time is up, and with it what the check knew already. One that asks
through this resolver is told `timeout` before that, and says what it knows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from milter.dns.resolver import Resolver, Rrtype

_TOO_LATE: Final = Answer(Outcome.TIMEOUT)


class BoundedResolver:
    """Asks another resolver until the time is up. Made within the running event loop.

    Args:
        inner: Is asked.
        wait_s: Seconds from now on in which answers are waited for; what is at hand is given
            afterwards as well.
    """

    __slots__ = ("_inner", "_until")

    def __init__(self, inner: Resolver, wait_s: float) -> None:
        self._inner = inner
        self._until = asyncio.get_running_loop().time() + wait_s

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; see `Resolver`."""
        try:
            async with asyncio.timeout_at(self._until):
                return await self._inner.resolve(name, rrtype)
        except TimeoutError:
            return _TOO_LATE
