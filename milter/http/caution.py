"""The headers of caution that every answer bears, whichever process gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

_POLICY: Final = "Content-Security-Policy"
HEADERS: Final = {
    # The page, which needs scripts and styles of our own, says so itself.
    _POLICY: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # The library's own value tells versions to whoever asks.
    "Server": "Gatepost",
}


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put them on an answer of the library, before it is sent."""
    own = response.headers.get(_POLICY)
    response.headers.update(HEADERS)
    if own is not None:
        response.headers[_POLICY] = own
