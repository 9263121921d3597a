"""Who calls, and whether that is enough for what is asked (RFC 6750 §2.1 for the token).

A unix socket counts as a token, for its mode says who may use it. A program on this machine that
speaks for somebody else counts as that somebody, who is beyond it: a reverse proxy, which says so
in its headers, and a browser, which says `Origin` (RFC 6454 §7) whenever a page that anybody wrote
has it send something.
"""

from __future__ import annotations

import hmac
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from milter.doors.peers import PeerGoneError, peer_of
from milter.http.endpoint import Access
from milter.http.refusal import RefusedError

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

    from milter.core.connection import IpAddress

_BEARER: Final = "bearer "
# What rspamd's clients send instead.
_PASSWORD: Final = "Password"  # noqa: S105 - the name of a header
_SPEAKS_FOR_OTHERS: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin")
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


class Caller(StrEnum):
    """Where a caller is."""

    SOCKET = "socket"
    MACHINE = "machine"
    BEYOND = "beyond"


def caller_of(request: web.Request) -> Caller:
    """Return who makes `request`."""
    if any(name in request.headers for name in _SPEAKS_FOR_OTHERS):
        return Caller.BEYOND
    return _at_the_other_end(request.transport)


def address_of(transport: asyncio.BaseTransport | None) -> IpAddress | None:
    """Return the address at the other end; None on a unix socket.

    Raises:
        PeerGoneError: Nobody is at the other end any more.
    """
    if transport is None:
        raise PeerGoneError("the caller is gone")
    return peer_of(transport)[0]


class Guard:
    """Lets in who may ask.

    Args:
        token: What a caller has to know; empty: nobody does.
    """

    def __init__(self, token: bytes) -> None:
        self._token = token.strip()

    def knows(self, request: web.Request) -> bool:
        """Return whether the caller may see what a token is needed for."""
        try:
            self.admit(request, Access.TOKEN)
        except RefusedError:
            return False
        return True

    def admit(self, request: web.Request, access: Access) -> None:
        """Return if the caller may ask what `access` protects.

        Raises:
            RefusedError: It may not.
        """
        if access is Access.OPEN:
            return
        caller = caller_of(request)
        if caller is Caller.SOCKET or (access is Access.MACHINE and caller is Caller.MACHINE):
            return
        if not self._token:
            raise RefusedError(401, "this needs a token: set `http.token_file`", _CHALLENGE)
        given = _given(request)
        if not given:
            words = "a token is needed: `Authorization: Bearer TOKEN`"
            raise RefusedError(401, words, _CHALLENGE)
        if not hmac.compare_digest(given, self._token):
            raise RefusedError(401, "the token is wrong", _CHALLENGE)


def _at_the_other_end(transport: asyncio.BaseTransport | None) -> Caller:
    try:
        address = address_of(transport)
    except PeerGoneError:
        return Caller.BEYOND
    if address is None:
        return Caller.SOCKET
    return Caller.MACHINE if address.is_loopback else Caller.BEYOND


def _given(request: web.Request) -> bytes:
    words = request.headers.get("Authorization", "")
    if words.lower().startswith(_BEARER):
        words = words[len(_BEARER) :]
    else:
        words = request.headers.get(_PASSWORD, "")
    return words.strip().encode("utf-8", "surrogateescape")
