"""The argument of HELO and EHLO (RFC 5321 §4.1.1.1, §4.1.3, §2.3.5).

Judges what the client wrote, without asking anybody: whether the name exists or authorises the
client is the business of SPF and of reverse DNS.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.core.address import domain_key
from milter.core.connection import parse_literal
from milter.core.transaction import Stage
from policies.findings import Finding
from policies.ranges import plain_address

if TYPE_CHECKING:
    from milter.core.connection import Connection
    from milter.core.transaction import Transaction
    from milter.message.document import Message

# RFC 5321 §2.3.5 asks for a fully qualified name: two labels at least, the last one not a number.
# Deviation: RFC 5321 §4.1.2 has no underscore; too many good hosts have one in their names.
_NAME: Final = re.compile(
    r"(?=.{1,255}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?",
    re.IGNORECASE,
)
_NUMBER_TAIL: Final = re.compile(r"(?:\A|\.)[0-9]+\.?\Z")
_SHOWN: Final = 100


class HeloCheck:
    """Whether the client names itself as RFC 5321 asks, and not as us."""

    name = "helo"
    stage = Stage.HELO
    directions = STRANGERS
    symbols = frozenset(
        {"HELO_SYNTAX", "HELO_LITERAL", "HELO_LITERAL_MISMATCH", "HELO_IS_OURS", "HELO_MISSING"}
    )

    def __init__(self, hostname: str) -> None:
        self._hostname = domain_key(hostname)

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is wrong with the name."""
        connection = txn.connection
        helo = connection.helo_name
        if not helo:
            # Without a protocol nobody spoke SMTP to us: a message from a file has no HELO to miss.
            missing = bool(connection.protocol) and connection.client_ip is not None
            return Evidence((Finding("HELO_MISSING"),)) if missing else NOTHING
        if helo.startswith("["):
            return Evidence(_literal_findings(helo, connection))
        if not _NAME.fullmatch(helo) or _NUMBER_TAIL.search(helo):
            return Evidence((_finding("HELO_SYNTAX", helo),))
        if domain_key(helo) == self._hostname and not _is_ourselves(connection):
            return Evidence((_finding("HELO_IS_OURS", helo),))
        return NOTHING


def _literal_findings(helo: str, connection: Connection) -> tuple[Finding, ...]:
    address = parse_literal(helo)
    if address is None:
        return (_finding("HELO_SYNTAX", helo),)
    literal = _finding("HELO_LITERAL", helo)
    client = connection.client_ip
    if client is None or plain_address(client) == plain_address(address):
        return (literal,)
    if address == connection.destination_ip:
        return (literal, _finding("HELO_IS_OURS", helo))
    details = {"helo": helo[:_SHOWN], "client_ip": str(client)}
    return (literal, Finding("HELO_LITERAL_MISMATCH", f"{helo[:_SHOWN]} from {client}", details))


def _is_ourselves(connection: Connection) -> bool:
    client = connection.client_ip
    return client is None or client.is_loopback or client == connection.destination_ip


def _finding(symbol: str, helo: str) -> Finding:
    return Finding(symbol, helo[:_SHOWN], {"helo": helo[:_SHOWN]})
