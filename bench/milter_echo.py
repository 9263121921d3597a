"""The yardstick of `bench/milter.py`: the codec alone, answering what a filter must answer.

It takes packets apart with Gatepost's own codec, reads header fields and body pieces, keeps a
message's body as any filter has to, and lets everything pass with one field inserted. No pipeline,
no log, no metrics.
Usage: python -m bench.milter_echo; prints its port once it listens.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from milter.milter8 import wire
from milter.milter8.negotiate import Agreement, agree

_FIELD = wire.insert_header(0, b"X-Echo", b" yes")


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._reader = wire.PacketReader()
        self._transport: asyncio.Transport | None = None
        self._agreement: Agreement | None = None
        self._message: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each packet."""
        assert self._transport is not None
        self._reader.feed(data)
        answers = []
        while (packet := self._reader.next()) is not None:
            answers.append(self._answer(*packet))
        if answer := b"".join(answers):
            self._transport.write(answer)

    def _answer(self, letter: int, data: bytes) -> bytes:
        if letter == wire.NEGOTIATE:
            self._agreement = agree(
                wire.read_negotiation(data), answers_mail=False, reads_bodies=True
            )
            return self._agreement.answer
        if letter == wire.HEADER:
            self._message += wire.read_header(data)
        elif letter == wire.BODY:
            self._message.append(data)
        elif letter == wire.MACROS:
            wire.read_macros(data)
        elif letter == wire.END_OF_MESSAGE:
            b"".join(self._message)
            self._message.clear()
            return _FIELD + wire.CONTINUE
        elif letter in {wire.MAIL, wire.RCPT, wire.HELO}:
            wire.read_strings(data)
        silent = self._agreement.silent if self._agreement else frozenset()
        quiet = letter in silent or letter in {wire.MACROS, wire.ABORT, wire.QUIT}
        return b"" if quiet else wire.CONTINUE


async def serve() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
