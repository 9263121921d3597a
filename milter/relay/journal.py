"""What the log is told of one transaction at the next hop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.errors import RelayError
    from milter.core.reply import Reply
    from milter.relay.outcome import Tally

log: Final = logging.getLogger("gatepost.relay")


class Journal:
    """Writes the lines of one transaction.

    Args:
        session_id: Of the client's session.
        txn_id: Of the transaction.
    """

    def __init__(self, session_id: str, txn_id: str) -> None:
        self._session_id = session_id
        self._txn_id = txn_id
        self._told: RelayError | None = None

    def failed(self, error: RelayError, recipients: Sequence[str] = ()) -> None:
        """Tell that a host failed, and whom that concerns; harmless when it was told before."""
        if error is self._told:
            return
        self._told = error
        fields = self._fields(
            next_hop=error.next_hop,
            error=f"{error.stage}: {error.what}",
            reply=str(error.reply) if error.reply else "",
            temporary=error.temporary,
        )
        if recipients:
            fields["recipients"] = list(recipients)
        log.warning("next hop failed", extra=fields)

    def refused(self, host: str, reply: Reply) -> None:
        """Tell that a host refused, after DATA, whom it had accepted before."""
        fields = self._fields(next_hop=host, reply=str(reply))
        log.warning("recipient refused at delivery", extra=fields)

    def lacking(self, host: str, reply: Reply) -> None:
        """Tell that a host refused what another one had offered the client."""
        fields = self._fields(next_hop=host, reply=str(reply))
        log.warning("next hop lacks an extension that was offered", extra=fields)

    def not_remembered(self, recipients: Sequence[str]) -> None:
        """Tell that `recipients` may get the message twice."""
        log.error("partial delivery not remembered", extra=self._fields(recipients=recipients))

    def not_forgotten(self, recipients: Sequence[str]) -> None:
        """Tell that `recipients` may miss a later message of the same bytes."""
        log.error("partial delivery not forgotten", extra=self._fields(recipients=recipients))

    def report(self, tally: Tally) -> None:
        """Tell what failed after the final dot, and that only some were served."""
        for error, recipients in tally.failures:
            self.failed(error, recipients)
        if tally.partial:
            served = [recipient for recipient, _ in tally.accepted]
            log.warning(
                "message delivered in part",
                extra=self._fields(next_hop=tally.next_hop, recipients=served),
            )

    def _fields(self, **fields: object) -> dict[str, object]:
        return {"session_id": self._session_id, "txn_id": self._txn_id, **fields}
