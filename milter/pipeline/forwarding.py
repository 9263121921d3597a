"""Mail that our own hosts pass on to us: whom it is judged for (RFC 5321 §4.4).

A backup MX, a forwarder or a list server of ours is not the sender. Who gave the mail to it stands
in the Received fields that it and other hosts of ours wrote; what lies below them anybody may have
written. That header comes at the end of data, so until then nothing is known of the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.core.connection import Direction
from milter.message.received import trusted_route

if TYPE_CHECKING:
    from milter.core.connection import Addresses, Connection
    from milter.message.document import Message


def is_forwarded(connection: Connection, relays: Addresses) -> bool:
    """Return whether `connection` is that of a relay of ours, not yet of the client before it."""
    return (
        not connection.relays
        and connection.client_ip is not None
        and connection.direction is not Direction.OUTBOUND
        and connection.client_ip in relays
    )


def client_before(connection: Connection, message: Message, relays: Addresses) -> Connection:
    """Return the connection as it would be, had the client before our relays come to us.

    Without an address, where the message began inside or our relays do not tell: then nothing can
    be said of any client, and the relay is not taken for one.
    """
    route = trusted_route(message.values("received"), relays)
    passed = [connection.client_ip, *(hop.client_ip for hop in route.hops if hop != route.client)]
    return connection._replace(
        client_ip=route.client.client_ip if route.client else None,
        client_port=0,
        told_name=None,
        told_reverse_name=None,
        helo_name=route.client.helo_name if route.client else "",
        tls=None,
        early_talker=False,
        relays=tuple(dict.fromkeys([address for address in passed if address is not None])),
    )
