"""What is logged and counted of a transaction: one line, whichever way it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from milter.pipeline.aftermath import TurnedAway
from milter.telemetry.log import log_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milter.checks.base import Evidence
    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.core.errors import RelayError
    from milter.core.ids import TxnId
    from milter.core.reply import Reply
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.runner import Pipeline
    from milter.pipeline.scan import Judgement
    from milter.relay.delivery import Delivered
    from milter.settings import Listener
    from milter.telemetry.metrics import Metrics
    from policies.verdict import Verdict

_log: Final = logging.getLogger("gatepost.smtp")
_LOGGED_RECIPIENTS: Final = 20
# A client may be refused a thousand recipients, one by one.
_TOLD_RECIPIENTS: Final = 200
_LOGGED_METHODS: Final = frozenset({"spf", "dkim", "dmarc", "arc", "iprev"})


def client_fields(connection: Connection) -> dict[str, object]:
    """Return the fields that name the client, the same for every line about it."""
    return {
        "session_id": connection.session_id,
        "listener": connection.listener,
        "client_ip": str(connection.client_ip or ""),
        "client_name": connection.told_name or "",
        "helo_name": connection.helo_name,
    }


def _judged_client(connection: Connection) -> dict[str, object]:
    """Return the fields that name the client before our relays; none where no relay of ours came.

    Without an address where our relays do not tell who it was.
    """
    if not connection.relays:
        return {}
    return {
        "judged_ip": str(connection.client_ip or ""),
        "judged_helo_name": connection.helo_name,
        "relays": [str(relay) for relay in connection.relays],
    }


def _results(evidence: Evidence) -> dict[str, object]:
    """Return the result of each method of authentication that ran."""
    results: dict[str, object] = {}
    for said in evidence.auth:
        if said.method in _LOGGED_METHODS:
            # Several signatures give several results; the first is the author's or the best.
            results.setdefault(said.method, said.result.value)
    # Of several authors the one that speaks most against the message decides.
    if isinstance(dmarc := evidence.facts.get("dmarc"), dict):
        results["dmarc"] = dmarc["result"]
    return results


class Door(Protocol):
    """What a record asks of the door that it is about."""

    @property
    def listener(self) -> Listener:
        """The listener."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        ...

    @property
    def pipeline(self) -> Pipeline:
        """What judges."""
        ...

    @property
    def aftermath(self) -> Aftermath | None:
        """Who is told of it afterwards."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic seconds."""
        ...


class TransactionRecord:
    """Gathers the fields of the one INFO line of a transaction; `write` it once.

    Args:
        door: The listener.
        client: `client_fields` of the client.
        txn_id: Of the transaction.
        mail_from: The reverse path; None for the null one.
        announced_bytes: SIZE= of MAIL: what a refusal before DATA saves.
    """

    def __init__(
        self,
        door: Door,
        client: Mapping[str, object],
        txn_id: TxnId,
        mail_from: Mailbox | None,
        *,
        announced_bytes: int,
    ) -> None:
        self._door = door
        self._started = door.clock()
        self._announced = announced_bytes
        self.recipients: tuple[Mailbox, ...] = ()
        self.queue_id = ""
        self._action = ""
        self._mail_from = mail_from
        self._stage = ""
        self._refused: TurnedAway | None = None
        self._size = 0
        self._fields: dict[str, object] = {
            **client,
            "txn_id": txn_id,
            "mail_from": mail_from.text if mail_from else "<>",
        }

    def queued(self, queue_id: str) -> None:
        """Note the mail server's own name for the message."""
        if queue_id:
            self.queue_id = queue_id
            self._fields["queue_id"] = queue_id

    def next_hop_refused(self, stage: str, reply: Reply) -> None:
        """Note a refusal of the next hop that went to the client."""
        self._fields |= {"reply": str(reply), "stage": stage}
        _log.debug(
            "next hop refused", extra={"txn_id": self._fields["txn_id"], "reply": str(reply)}
        )

    def relay_failed(self, error: RelayError, reply: Reply) -> None:
        """Note that the next hop could not be used."""
        self._fields |= {
            "error": str(error),
            "next_hop": error.next_hop,
            "reply": str(reply),
            "temporary": True,
        }

    def refused_early(
        self,
        stage: str,
        outcome: Outcome,
        reply: Reply,
        connection: Connection,
        mailbox: Mailbox | None = None,
    ) -> None:
        """Note a decision before DATA; the message may still come, for other recipients.

        Args:
            stage: Where it fell.
            outcome: The decision.
            reply: What the client is told.
            connection: The client.
            mailbox: The recipient, where it is about one.
        """
        self._judge(outcome.verdict)
        self._stage = stage
        self._fields["reply"] = str(reply)
        aftermath = self._door.aftermath
        if aftermath is None:
            return
        before = self._refused.recipients if self._refused else ()
        recipients = (*before, mailbox) if mailbox and len(before) < _TOLD_RECIPIENTS else before
        self._refused = TurnedAway(
            aftermath.clock(),
            str(self._fields["txn_id"]),
            connection,
            stage,
            outcome.verdict,
            reply,
            self._mail_from,
            recipients,
            self._announced,
        )

    def faulty(self, fault: str, size: int, reply: Reply) -> None:
        """Note a message that could not be taken as it was sent."""
        self._size = size
        self._fields |= {"error": fault, "reply": str(reply)}

    def judged(self, judgement: Judgement, outcome: Outcome, size: int) -> None:
        """Note the verdict on the whole message."""
        self._size = size
        self._fields |= _judged_client(judgement.txn.connection)
        self._fields |= _results(judgement.evidence)
        self._fields["symbols"] = [item.symbol for item in outcome.verdict.contributions]
        self._judge(outcome.verdict)
        self._door.metrics.scan(judgement.duration_s)
        found = (*judgement.evidence.findings, *outcome.verdict.found)
        for symbol in {finding.symbol for finding in found}:
            self._door.metrics.symbol(symbol)

    def replied(self, reply: Reply) -> None:
        """Note our own answer to the end of the message."""
        self._fields["reply"] = str(reply)

    def delivered(self, delivered: Delivered) -> None:
        """Note what the next hop did with the message."""
        self._fields |= {"reply": str(delivered.reply), "next_hop": delivered.next_hop}
        if delivered.unknown:
            self._fields["error"] = "no reply to the final dot"

    def failed(self, reply: Reply) -> None:
        """Note an exception of ours; its traceback is logged where it was caught."""
        self._fields |= {"error": "internal error", "reply": str(reply)}

    def write(self) -> None:
        """Log the transaction and count it."""
        metrics = self._door.metrics
        if self._stage and not self._size:
            metrics.bytes_saved(self._stage, self._announced)
        if self._refused is not None and self._door.aftermath is not None:
            self._door.aftermath.turn_away(self._refused._replace(came=self._size > 0))
        if self._action:
            listener = self._door.listener
            metrics.message(listener.name, listener.direction.value, self._action, self._size)
        addresses = [mailbox.text for mailbox in self.recipients[:_LOGGED_RECIPIENTS]]
        self._fields |= {
            "recipients": addresses,
            "rcpt_count": len(self.recipients),
            "size_bytes": self._size,
            "duration_ms": round((self._door.clock() - self._started) * 1000, 1),
        }
        log_event(_log, "transaction", self._fields)

    def _judge(self, verdict: Verdict) -> None:
        self._action = verdict.action.word
        self._fields |= {"action": self._action, "score": verdict.score, "policy": verdict.policy}
        self._fields["policy_version"] = self._door.pipeline.version
        self._door.metrics.policy(verdict.policy, self._action)
        if verdict.rule:
            self._fields["rule"] = verdict.rule
        if verdict.kind:
            self._fields["kind"] = verdict.kind
            self._door.metrics.kind(verdict.kind)
