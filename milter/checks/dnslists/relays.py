"""Addresses of the relays that a message says it passed.

Anybody can write Received fields, so a list that allows is never asked about them
(`policies.declared_lists`), and what a list that blocks says of them can only harm who wrote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.message.received import parse_received

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.connection import IpAddress
    from milter.core.transaction import Transaction
    from milter.message.document import Message

_MOST_FIELDS: Final = 20


def relay_addresses(txn: Transaction, message: Message) -> Sequence[IpAddress]:
    """Return the addresses that the Received fields tell, from the newest, each once.

    The client itself and relays of our own are not among them.
    """
    known = {txn.connection.client_ip, *txn.connection.relays}
    hops = map(parse_received, message.values("received")[:_MOST_FIELDS])
    found = dict.fromkeys(hop.client_ip for hop in hops if hop.client_ip is not None)
    return [address for address in found if address not in known]
