"""The body of a request, which has to come at a least rate.

Only the time spent waiting for the caller counts: what takes our own time is not its fault.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.refusal import RefusedError, overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import StreamReader

# For what is left of a body that nobody wants, so that the caller reads its answer first.
LINGER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a body may be.

    Attributes:
        bytes_per_s: Least rate.
        patience_s: For how long it may be slower, at the start or in between.
        clock: Monotonic seconds.
    """

    bytes_per_s: float
    patience_s: float = 10.0
    clock: Callable[[], float] = time.monotonic


class PacedBody:
    """The pieces of one body as they come."""

    def __init__(self, content: StreamReader, pace: Pace) -> None:
        self._content = content
        self._pace = pace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces.

        Raises:
            RefusedError: They come too slowly, or not as they should.
        """
        pace, left_s = self._pace, self._pace.patience_s
        while True:
            began = pace.clock()
            piece = await self._next(left_s)
            if not piece:
                return
            left_s += len(piece) / pace.bytes_per_s - (pace.clock() - began)
            # Who was quick at first has not earned a long silence.
            left_s = min(left_s, pace.patience_s)
            yield piece

    async def _next(self, left_s: float) -> bytes:
        try:
            async with asyncio.timeout(left_s):
                return await self._content.readany()
        except TimeoutError as err:
            raise overloaded("the message came too slowly", 408) from err
        except (ConnectionError, web.RequestPayloadError) as err:
            # The caller went; or its pieces are malformed.
            raise RefusedError(400, "the message broke off") from err
