"""One transaction's evidence as a whole, and its facts.

Facts that the envelope holds are made here; the others come from the checks that found them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from milter.checks.base import Evidence
from policies.facts import FactValue
from policies.findings import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.core.connection import Connection
    from milter.core.transaction import Transaction


class LateFacts(Mapping[str, FactValue]):
    """The facts of a transaction, worked out when the first of them is read.

    Expressions, reports and people read them; most messages go through without any of these.
    """

    __slots__ = ("_facts", "_pieces", "_txn")

    def __init__(self, txn: Transaction, pieces: tuple[Evidence, ...]) -> None:
        self._txn = txn
        self._pieces = pieces
        self._facts: Facts | None = None

    def __getitem__(self, name: str) -> FactValue:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> Facts:
        if self._facts is None:
            facts = envelope_facts(self._txn)
            for piece in self._pieces:
                for name, value in piece.facts.items():
                    facts[name] = _joined(facts.get(name), value)
            self._facts = Facts(facts)
        return self._facts


def merge(txn: Transaction, evidence: Iterable[Evidence]) -> Evidence:
    """Return all that is known of `txn`; findings and results keep the order of `evidence`."""
    pieces = tuple(evidence)
    if not pieces:
        return Evidence(facts=LateFacts(txn, ()))
    return Evidence(
        findings=tuple([finding for piece in pieces for finding in piece.findings]),
        facts=LateFacts(txn, pieces),
        auth=tuple([result for piece in pieces for result in piece.auth]),
        stories=tuple([story for piece in pieces for story in piece.stories]),
        answers=tuple([answer for piece in pieces for answer in piece.answers]),
        spared=tuple([name for piece in pieces for name in piece.spared]),
    )


def envelope_facts(txn: Transaction) -> dict[str, FactValue]:
    """Return the facts that connection and envelope hold, without any check."""
    connection = txn.connection
    return {
        "connection": _connection(connection),
        "helo": connection.helo_name,
        "tls": _tls(connection),
        "account": connection.account,
        "direction": connection.direction.value,
        "listener": connection.listener,
        "mail_from": txn.mail_from.plain if txn.mail_from else "",
        "recipients": [recipient.plain for recipient in txn.recipients],
        "size_bytes": len(txn.message),
    }


def _joined(old: FactValue | None, new: FactValue) -> FactValue:
    """Return both values of one fact: maps key by key, of anything else the newer one."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **new}
    return new


def _connection(connection: Connection) -> FactValue:
    known: dict[str, FactValue] = {
        "port": connection.client_port,
        "protocol": connection.protocol,
        "local": connection.local_source,
    }
    if connection.relays:
        known["relays"] = [str(relay) for relay in connection.relays]
    if connection.client_ip is not None:
        known["ip"] = str(connection.client_ip)
    if connection.told_name:
        known["name"] = connection.told_name
    if connection.told_reverse_name:
        known["reverse_name"] = connection.told_reverse_name
    return known


def _tls(connection: Connection) -> FactValue:
    tls = connection.tls
    return {"version": tls.version, "cipher": tls.cipher} if tls else {}
