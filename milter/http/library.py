"""What reads requests and writes answers: the library's, within our bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from milter.doors.told_envelope import MAX_RECIPIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

# Each recipient has a field of its own.
_MOST_FIELDS: Final = MAX_RECIPIENTS + 128


def library(server: web.Server | None, **options: Any) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of a connection.

    Args:
        server: Of a runner that is set up.
        options: For each connection, as the library calls them.
    """
    assert server is not None  # noqa: S101 - it is set up
    bounds = {"access_log": None, "auto_decompress": False, "max_headers": _MOST_FIELDS, **options}

    def make() -> asyncio.Protocol:
        return web.RequestHandler(server, loop=asyncio.get_running_loop(), **bounds)

    return make
