"""One question to one name server over TCP (RFC 7766 §5), for answers that UDP cannot carry.

A connection serves one question: cut answers are rare, and name servers close idle connections
early. What an answer means is not known here.
"""

from __future__ import annotations

import asyncio
from secrets import randbits
from typing import Final

from milter.core.errors import ParseError
from milter.dns.udp import NoReply, Reply
from milter.dns.wire import Fit, fit, query_packet

_ID_BITS: Final = 16


async def ask_over_tcp(
    server: tuple[str, int], question: bytes, timeout_s: float, slots: asyncio.Semaphore
) -> Reply:
    """Ask, and return the packet or why there is none.

    Args:
        server: Address and port.
        question: The question section.
        timeout_s: Seconds for all of it, the wait for a slot included.
        slots: Bounds the connections at once.

    Raises:
        ParseError: The server sent something else than an answer to `question`.
    """
    try:
        async with asyncio.timeout(timeout_s), slots:
            return await _exchange(*server, question)
    except TimeoutError:
        return NoReply.TIMEOUT
    except (OSError, EOFError):
        return NoReply.UNREACHABLE


async def _exchange(address: str, port: int, question: bytes) -> bytes:
    query = query_packet(randbits(_ID_BITS), question)
    reader, writer = await asyncio.open_connection(address, port)
    try:
        # Length and message in one segment (RFC 7766 §8).
        writer.write(len(query).to_bytes(2) + query)
        size = int.from_bytes(await reader.readexactly(2))
        packet = await reader.readexactly(size)
    finally:
        writer.transport.abort()
    # Nobody can forge what comes on a connection, so the mix of capitals need not come back.
    if packet[:2] != query[:2] or fit(packet, question) is Fit.FOREIGN:
        raise ParseError("an answer to another question")
    return packet
