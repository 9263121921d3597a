"""What is logged and counted of a transaction: one line, whichever way it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from milter.doors.refusals import Refusals
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
# What is wrong with a message, as the log names it and in words.
_FAULTS: Final = {
    "too big": "the message is larger than limits.message_bytes",
    "no room": "there was no room for one more message (limits.bytes_in_flight)",
    "too many fields of ours": "the header has too many fields that mail filters write",
    "long line": "a line of the message is too long",
    "bare newline": "the message has a bare CR or LF",
}
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


def log_connection(connection: Connection, transactions: int, duration_s: float) -> None:
    """Log the end of a connection to the SMTP door.

    Args:
        connection: The client, as it was known last.
        transactions: How many it began.
        duration_s: From its first byte to its last.
    """
    fields = {
        **client_fields(connection),
        "tls": connection.tls.version if connection.tls else "",
        "transactions": transactions,
        "duration_ms": round(duration_s * 1000, 1),
    }
    log_event(_log, "connection", fields)


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
    # Of several authors the one that speaks most against the message decides. Facts are worked out
    # when the first is read, so they are left alone where DMARC said nothing.
    if "dmarc" in results and isinstance(dmarc := evidence.facts.get("dmarc"), dict):
        results["dmarc"] = dmarc["result"]
    return results


def _listed(mailbox: Mailbox | None) -> tuple[Mailbox, ...]:
    return () if mailbox is None else (mailbox,)


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
        connection: The client, for those who are told of mail that was not judged; None: nobody is,
            for whoever asked was told itself.
    """

    def __init__(
        self,
        door: Door,
        client: Mapping[str, object],
        txn_id: TxnId,
        mail_from: Mailbox | None,
        *,
        announced_bytes: int,
        connection: Connection | None = None,
    ) -> None:
        self._door = door
        self._started = door.clock()
        self._announced = announced_bytes
        self.recipients: tuple[Mailbox, ...] = ()
        self.queue_id = ""
        self._action = ""
        self._kind = ""
        self._symbols: set[str] = set()
        self._stage = ""
        self._refusals: Refusals | None = None
        if connection is not None and door.aftermath is not None:
            self._refusals = Refusals(
                door.aftermath, connection, txn_id, mail_from, announced_bytes
            )
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

    def relaying_denied(self, reply: Reply, mailbox: Mailbox) -> None:
        """Note a recipient whom nobody here takes mail for."""
        self._not_taken("rcpt", "the recipient is in none of recipient_domains", reply, mailbox)

    def next_hop_refused(self, stage: str, reply: Reply, mailbox: Mailbox | None = None) -> None:
        """Note a refusal of the next hop that went to the client.

        Args:
            stage: Where it fell.
            reply: What it said.
            mailbox: The recipient, where it is about one.
        """
        self._not_taken(stage, "the next mail server refused it", reply, mailbox)
        _log.debug(
            "next hop refused", extra={"txn_id": self._fields["txn_id"], "reply": str(reply)}
        )

    def relay_failed(
        self, error: RelayError, reply: Reply, *, stage: str = "", mailbox: Mailbox | None = None
    ) -> None:
        """Note that the next hop could not be used.

        Args:
            error: Why.
            reply: What the client is told.
            stage: Where it was found before the message was judged; empty: after it.
            mailbox: The recipient, where it is about one.
        """
        if stage:
            self._unjudged(
                stage, f"the next mail server could not be used: {error}", reply, _listed(mailbox)
            )
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
        mailbox: Mailbox | None = None,
    ) -> None:
        """Note a decision before DATA; the message may still come, for other recipients.

        Args:
            stage: Where it fell.
            outcome: The decision.
            reply: What the client is told.
            mailbox: The recipient, where it is about one.
        """
        self._judge(outcome.verdict)
        self._symbols = {item.symbol for item in outcome.verdict.contributions}
        self._stage = stage
        self._fields["reply"] = str(reply)
        if self._refusals is not None:
            self._refusals.by_policy(stage, outcome.verdict, reply, _listed(mailbox))

    def too_large(self, reply: Reply) -> None:
        """Note a message that is not let come, for SIZE= says that it is too large."""
        self._fields |= {"error": "too big", "reply": str(reply), "stage": "mail"}
        self._unjudged("mail", f"{_FAULTS['too big']}: SIZE={self._announced}", reply, ())

    def faulty(self, fault: str, size: int, reply: Reply) -> None:
        """Note a message that could not be taken as it was sent."""
        self._size = size
        self._fields |= {"error": fault, "reply": str(reply)}
        self._unjudged("data", _FAULTS[fault], reply, self.recipients, size)

    def judged(self, judgement: Judgement, outcome: Outcome, size: int) -> None:
        """Note the verdict on the whole message."""
        self._size = size
        self._fields |= _judged_client(judgement.txn.connection)
        self._fields |= _results(judgement.evidence)
        self._fields["symbols"] = [item.symbol for item in outcome.verdict.contributions]
        self._judge(outcome.verdict)
        self._door.metrics.scan(judgement.duration_s)
        found = (*judgement.evidence.findings, *outcome.verdict.found)
        self._symbols = {finding.symbol for finding in found}

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
        stage = "data" if self.recipients else "mail"
        why = "an error of Gatepost, which the log tells"
        self._unjudged(stage, why, reply, self.recipients)

    def write(self) -> None:
        """Log the transaction and count it."""
        metrics = self._door.metrics
        if self._stage and not self._size:
            metrics.bytes_saved(self._stage, self._announced)
        if self._refusals is not None:
            self._refusals.tell(came=self._size > 0)
        if self._action:
            listener = self._door.listener
            metrics.message(listener.name, listener.direction.value, self._action, self._size)
            for symbol in self._symbols:
                metrics.symbol(symbol)
            if self._kind:
                metrics.kind(self._kind)
        addresses = [mailbox.text for mailbox in self.recipients[:_LOGGED_RECIPIENTS]]
        self._fields |= {
            "recipients": addresses,
            "rcpt_count": len(self.recipients),
            "size_bytes": self._size,
            "duration_ms": round((self._door.clock() - self._started) * 1000, 1),
        }
        log_event(_log, "transaction", self._fields)

    def _not_taken(self, stage: str, why: str, reply: Reply, mailbox: Mailbox | None) -> None:
        self._fields |= {"reply": str(reply), "stage": stage}
        self._unjudged(stage, why, reply, _listed(mailbox))

    def _unjudged(
        self, stage: str, why: str, reply: Reply, recipients: tuple[Mailbox, ...], size: int = 0
    ) -> None:
        if self._refusals is not None:
            self._refusals.unjudged(stage, why, reply, recipients, size)

    def _judge(self, verdict: Verdict) -> None:
        self._action = verdict.action.word
        self._fields |= {"action": self._action, "score": verdict.score, "policy": verdict.policy}
        self._fields["policy_version"] = self._door.pipeline.version
        self._door.metrics.policy(verdict.policy, self._action)
        if verdict.rule:
            self._fields["rule"] = verdict.rule
        # Of several verdicts, for recipients who were refused one by one, the last one stands.
        self._kind = verdict.kind
        self._fields.pop("kind", None)
        if verdict.kind:
            self._fields["kind"] = verdict.kind
