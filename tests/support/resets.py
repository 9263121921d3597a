"""A client that says all it has to say and resets its connection before anybody looks at it."""

from __future__ import annotations

import socket
import struct
from typing import Final

_NO_LINGER: Final = struct.pack("ii", 1, 0)


def say_and_reset(address: tuple[str, int], said: bytes) -> None:
    """Connect to `address`, say so much, and leave a connection without a peer.

    The kernel takes the connection; whoever listens sees it only when it is reset already, if its
    loop stands still meanwhile.
    """
    with socket.create_connection(address) as client:
        client.sendall(said)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
