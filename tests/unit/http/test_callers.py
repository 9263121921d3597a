"""Who calls, by the other end of the connection and by what a proxy or a browser says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request

from milter.doors.peers import PeerGoneError
from milter.http.callers import Caller, Guard, address_of, caller_of
from milter.http.endpoint import Access
from milter.http.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web


class _Transport(asyncio.Transport):
    """A transport whose peer the test names."""

    def is_closing(self) -> bool:
        return False


LOOPBACK = ("127.0.0.1", 5)
ELSEWHERE = ("192.0.2.1", 5)


@contextlib.contextmanager
def _request(peer: object, headers: dict[str, str] | None = None) -> Iterator[web.Request]:
    """Make a request of `peer`, which is a text on a unix socket alone."""
    family = socket.AF_UNIX if isinstance(peer, str) else socket.AF_INET6
    with socket.socket(family) as named:
        transport = _Transport({"peername": peer, "socket": named})
        yield make_mocked_request("GET", "/", headers=headers, transport=transport)


def _caller(peer: object, headers: dict[str, str] | None = None) -> Caller:
    with _request(peer, headers) as request:
        return caller_of(request)


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        pytest.param(LOOPBACK, Caller.MACHINE, id="loopback"),
        pytest.param(("::1", 5, 0, 0), Caller.MACHINE, id="loopback-v6"),
        pytest.param(("::ffff:127.0.0.1", 5, 0, 0), Caller.MACHINE, id="loopback-mapped"),
        pytest.param("", Caller.SOCKET, id="unix-socket"),
        pytest.param(ELSEWHERE, Caller.BEYOND, id="elsewhere"),
        pytest.param(("::ffff:192.0.2.1", 5, 0, 0), Caller.BEYOND, id="elsewhere-mapped"),
        pytest.param(("fe80::1%eth0", 5, 0, 2), Caller.BEYOND, id="link-local"),
        pytest.param(("nonsense", 5), Caller.BEYOND, id="no-address"),
        pytest.param(None, Caller.BEYOND, id="gone"),
    ],
)
def test_caller_by_the_other_end(peer: object, caller: Caller) -> None:
    assert _caller(peer) is caller


@pytest.mark.parametrize(
    ("peer", "headers", "caller"),
    [
        pytest.param(LOOPBACK, {"X-Forwarded-For": "::1"}, Caller.BEYOND, id="a-proxy-here"),
        pytest.param(LOOPBACK, {"Origin": "https://a.example"}, Caller.BEYOND, id="a-web-page"),
        pytest.param("", {"Forwarded": "for=192.0.2.1"}, Caller.BEYOND, id="a-proxy-at-the-socket"),
    ],
)
def test_caller_by_what_is_said(peer: object, headers: dict[str, str], caller: Caller) -> None:
    assert _caller(peer, headers) is caller


def test_address_of_no_connection_is_not_known() -> None:
    with pytest.raises(PeerGoneError):
        address_of(None)


@pytest.mark.parametrize(
    ("peer", "access", "admitted"),
    [
        pytest.param(ELSEWHERE, Access.OPEN, True, id="sums-for-everybody"),
        pytest.param(ELSEWHERE, Access.MACHINE, False, id="scanning-from-elsewhere"),
        pytest.param(LOOPBACK, Access.MACHINE, True, id="scanning-from-here"),
        pytest.param(LOOPBACK, Access.TOKEN, False, id="history-from-here"),
        pytest.param("", Access.TOKEN, True, id="history-over-a-socket"),
    ],
)
def test_guard_without_the_token(peer: object, access: Access, admitted: bool) -> None:
    guard = Guard(b"secret")
    with _request(peer) as request:
        if admitted:
            guard.admit(request, access)
            return
        with pytest.raises(RefusedError) as refused:
            guard.admit(request, access)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_guard_with_the_token_lets_in_from_anywhere() -> None:
    with _request(ELSEWHERE, {"Authorization": "Bearer secret"}) as request:
        Guard(b"secret\n").admit(request, Access.TOKEN)
