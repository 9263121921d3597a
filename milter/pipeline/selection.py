"""What policies are selected by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.select import Context

if TYPE_CHECKING:
    from milter.core.address import Mailbox
    from milter.core.connection import Connection


def context_of(connection: Connection, mail_from: Mailbox | None) -> Context:
    """Return what policies are selected by, before the recipient."""
    return Context(
        listener=connection.listener,
        direction=connection.direction.value,
        mail_from=mail_from.plain if mail_from else "",
        account=connection.account,
    )
