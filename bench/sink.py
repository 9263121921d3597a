"""The yardstick: aiosmtpd as it comes, on asyncio's own loop, taking every message, keeping none.

Usage: python bench/sink.py; prints its port once it listens.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session


class Taking:
    """Says 250 to every message."""

    async def handle_DATA(  # noqa: N802 -- aiosmtpd finds its hooks by name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a message."""
        return "250 2.0.0 Ok"


async def serve() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Taking(), loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # Its log lines would be most of what is measured.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(serve())
