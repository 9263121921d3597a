"""What a connection asks when it begins and says when it is over; `server` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from milter.core.connection import Connection, IpAddress
    from milter.core.reply import Reply
    from milter.smtp.protocol import SmtpProtocol


class Reception(Protocol):
    """Who may come in; `server` implements it."""

    def welcome(
        self, protocol: SmtpProtocol, transport: asyncio.BaseTransport
    ) -> tuple[Connection, bool] | Reply:
        """Return the client and whether it may speak for others, or the reply that refuses it.

        Raises:
            ConnectionError: The client is gone.
        """
        ...

    def introduce(self, protocol: SmtpProtocol, client: IpAddress | None) -> Reply | None:
        """Count a proxy's connection as the client's; return what turns it away, None if nothing.

        Args:
            protocol: The connection.
            client: Whom the PROXY header named.
        """
        ...

    def farewell(self, protocol: SmtpProtocol) -> None:
        """Take note that the connection is over; called once for each connection."""
        ...
