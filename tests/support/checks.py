"""Checks of a test: transactions in few words, and what a check saw in short."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

from milter.core.address import parse_mailbox
from milter.core.connection import Connection, Direction
from milter.core.ids import SessionId, TxnId
from milter.core.transaction import Stage, Transaction
from milter.dns.fake import FakeResolver
from milter.message.document import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.checks.base import Ask, Evidence, Look


def a_transaction(
    mail_from: str | None = "a@example.org",
    client_ip: str | None = "192.0.2.7",
    helo_name: str = "mx.example.org",
    *,
    destination_ip: str | None = None,
    protocol: str = "ESMTP",
    early_talker: bool = False,
    told_name: str | None = None,
) -> Transaction:
    """Return a transaction of an inbound client; `mail_from` None is the null reverse path."""
    connection = Connection(
        session_id=SessionId("SESSION00001"),
        listener="inbound",
        direction=Direction.INBOUND,
        client_ip=ip_address(client_ip) if client_ip else None,
        told_name=told_name,
        helo_name=helo_name,
        esmtp=True,
        protocol=protocol,
        destination_ip=ip_address(destination_ip) if destination_ip else None,
        early_talker=early_talker,
    )
    mailbox = parse_mailbox(mail_from) if mail_from else None
    return Transaction(TxnId("TXN000000001"), connection, mail_from=mailbox, stage=Stage.MESSAGE)


def looked(check: Look, message: bytes | None = None, txn: Transaction | None = None) -> Evidence:
    """Return what `check` sees."""
    return check.look(txn or a_transaction(), None if message is None else Message(message))


def asked(
    check: Ask, txn: Transaction, names: Mapping[str, object], message: bytes | None = None
) -> Evidence:
    """Return what `check` is answered from a zone of `names`."""
    resolver = FakeResolver(names)
    return asyncio.run(check.ask(txn, None if message is None else Message(message), resolver))


def symbols_of(evidence: Evidence) -> list[str]:
    """Return the symbols of the findings, in their order."""
    return [finding.symbol for finding in evidence.findings]
