from __future__ import annotations

import asyncio

import pytest

from milter.http.trust import is_local


class _Transport(asyncio.BaseTransport):
    """A transport whose peer the test names."""


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        pytest.param(("127.0.0.1", 5), True, id="loopback"),
        pytest.param(("::1", 5, 0, 0), True, id="loopback-v6"),
        pytest.param(("::ffff:127.0.0.1", 5, 0, 0), True, id="loopback-mapped"),
        pytest.param("", True, id="unix-socket"),
        pytest.param(("192.0.2.1", 5), False, id="elsewhere"),
        pytest.param(("::ffff:192.0.2.1", 5, 0, 0), False, id="elsewhere-mapped"),
        pytest.param(("fe80::1%eth0", 5, 0, 2), False, id="link-local"),
        pytest.param(("nonsense", 5), False, id="no-address"),
        pytest.param(None, False, id="unknown"),
    ],
)
def test_is_local_by_the_peer(peer: object, local: bool) -> None:
    assert is_local(_Transport({"peername": peer})) is local


def test_is_local_without_a_transport_is_not() -> None:
    assert not is_local(None)
