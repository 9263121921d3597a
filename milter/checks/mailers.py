"""Whether a message comes from the mail program that it names.

Programs that send spam call themselves by the name of one that people use, and copy what is seen
of it: seldom how it builds its Message-IDs and boundaries, and which fields it writes in which
order. The rows of `milter.message.mailers` say how the real ones do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from milter.message.decode import parse_parameters
from milter.message.guard import Notes
from milter.message.mailers import SERVER_BOUNDARY, SERVER_ID, mailer_of
from milter.message.received import hops_outside, parse_received
from milter.message.urls.domains import registrable_domain
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.message.mailers import Mailer

_NAMES: Final = ("x-mailer", "user-agent")
_READ: Final = 200
_SHOWN: Final = 80
_MOST_HOPS: Final = 20


class MailersCheck:
    """Message-ID, boundary and fields of the program that a message names."""

    name = "mailers"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("MAILER_FORGED_ID", "MAILER_SERVER_ID", "MAILER_FORGED_BOUNDARY"),
            *("MAILER_FORGED_FIELDS", "MAILER_FORGED_ORDER"),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what the named program never writes, or nothing."""
        mailer = _mailer(message) if message is not None else None
        if message is None or mailer is None:
            return NOTHING
        found = (
            *_message_id(txn, message, mailer),
            *_boundary(message, mailer),
            *_fields(message, mailer),
        )
        return Evidence(found) if found else NOTHING


def _mailer(message: Message) -> Mailer | None:
    named = (value[:_READ] for name in _NAMES for value in message.values(name)[:2])
    return next((mailer for value in named if (mailer := mailer_of(value)) is not None), None)


def _message_id(txn: Transaction, message: Message, mailer: Mailer) -> Iterator[Finding]:
    values = message.values("message-id")
    if not values or mailer.message_id is None:
        return
    value = values[0]
    if mailer.message_id.fullmatch(value) or SERVER_ID.fullmatch(value):
        return
    details = {"mailer": mailer.name}
    shown = value[:_SHOWN].decode("latin-1")
    if _by_a_server(txn, message, value):
        # These programs write one themselves, so somebody handed in a message that had none.
        yield Finding("MAILER_SERVER_ID", f"{mailer.name}: {shown}", details)
    else:
        yield Finding("MAILER_FORGED_ID", f"{mailer.name}: {shown}", details)


def _by_a_server(txn: Transaction, message: Message, message_id: bytes) -> bool:
    """Return whether a host that the message went through bears the name in its Message-ID."""
    host = message_id.rpartition(b"@")[2].rstrip(b">").decode("latin-1").lower()
    ours = registrable_domain(host) or host
    values = hops_outside(message.values("received"), txn.connection)
    hops = (parse_received(value).by.lower() for value in values[:_MOST_HOPS])
    return any((registrable_domain(by) or by) == ours for by in hops if by)


def _boundary(message: Message, mailer: Mailer) -> Iterator[Finding]:
    values = message.values("content-type")
    if not values or mailer.boundary is None:
        return
    _, parameters = parse_parameters(values[0], Notes(), message.bounds)
    boundary = parameters.get("boundary", "").encode("utf-8", "replace")
    if not boundary or mailer.boundary.fullmatch(boundary) or SERVER_BOUNDARY.fullmatch(boundary):
        return
    shown = f"{mailer.name}: {boundary[:_SHOWN].decode('utf-8', 'replace')}"
    yield Finding("MAILER_FORGED_BOUNDARY", shown, {"mailer": mailer.name})


def _fields(message: Message, mailer: Mailer) -> Iterator[Finding]:
    details = {"mailer": mailer.name}
    missing = [name for name in mailer.always if not message.count(name)]
    if missing:
        yield Finding("MAILER_FORGED_FIELDS", f"{mailer.name} without {missing[0]}", details)
    there = [field.name for field in message.fields if field.name in mailer.order]
    if there != sorted(there, key=mailer.order.index):
        yield Finding("MAILER_FORGED_ORDER", f"{mailer.name}: {', '.join(there)}"[:200], details)
