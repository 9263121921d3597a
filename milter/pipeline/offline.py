"""Running messages through the real checks without a daemon (`scan`, the HTTP API, policy tests).

Whoever asks says what is known of the envelope. What is not known is not guessed from the message:
the checks that need it do not run, for their silence is honest and their answer would not be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.core.connection import Connection, Direction
from milter.core.transaction import Stage
from milter.pipeline.report import severest
from policies.counterfactuals import Way, ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.base import Check
    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.core.ids import SessionId, TxnId
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.runner import Pipeline
    from milter.pipeline.scan import Judgement, Scan
    from policies.compile import Policy


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message beside its bytes.

    Attributes:
        client_ip: None when not known.
        client_name: Forward-confirmed name, when somebody trusted said it.
        helo_name: Empty when not known.
        mail_from: None for the null reverse path.
        mail_from_known: Whether anybody said what the reverse path was.
        recipients: Of the message; without any, the policy of a recipient that no override names.
        direction: Which way the message goes.
        listener: Name that overrides by listener see.
        account: Login of an authenticated client.
    """

    client_ip: IpAddress | None = None
    client_name: str | None = None
    helo_name: str = ""
    mail_from: Mailbox | None = None
    mail_from_known: bool = False
    recipients: tuple[Mailbox, ...] = ()
    direction: Direction = Direction.INBOUND
    listener: str = "scan"
    account: str = ""

    def connection(self, session_id: SessionId) -> Connection:
        """Return the connection that this envelope would have come over."""
        return Connection(
            session_id=session_id,
            listener=self.listener,
            direction=self.direction,
            client_ip=self.client_ip,
            told_name=self.client_name,
            helo_name=self.helo_name,
            esmtp=True,
            protocol="ESMTP",
            account=self.account,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """One message with what was decided about it.

    Attributes:
        txn_id: Of the transaction.
        message: As judged, lines ended by CRLF.
        judgement: What was seen and decided, for every policy of the recipients.
        outcome: The severest of its outcomes; beside postmaster, who gets it, nobody is refused.
        policy: The policy that led to it.
        postmaster: Whether it is for the postmaster.
    """

    txn_id: TxnId
    message: bytes
    judgement: Judgement
    outcome: Outcome
    policy: Policy
    postmaster: bool = False

    def ways(self) -> list[Way]:
        """Return what would have changed the outcome."""
        evidence = self.judgement.evidence
        facts = dict(evidence.facts)
        return ways(self.policy, evidence.findings, facts, postmaster=self.postmaster)


def without_network(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return the checks that ask nobody."""
    return tuple(
        check for check in checks if not (hasattr(check, "ask") or getattr(check, "asks", False))
    )


def unknown_stages(envelope: Envelope) -> frozenset[Stage]:
    """Return the stages about which `envelope` says nothing."""
    known = {
        Stage.CONNECT: envelope.client_ip is not None,
        Stage.HELO: bool(envelope.helo_name),
        Stage.MAIL: envelope.mail_from_known,
    }
    return frozenset(stage for stage, is_known in known.items() if not is_known)


async def judge(
    pipeline: Pipeline, message: bytes, envelope: Envelope, txn_id: TxnId, session_id: SessionId
) -> Judged:
    """Return what is decided about `message`, whose lines end in CRLF."""
    pipeline = pipeline.skipping(unknown_stages(envelope))
    connection = pipeline.connect(envelope.connection(session_id))
    scan = connection.begin(txn_id)
    try:
        scan.mail(envelope.mail_from, len(message))
        for recipient in envelope.recipients:
            scan.rcpt(recipient)
        groups = _groups(scan, envelope)
        judgement = await scan.judge(message, groups)
        outcomes = _agreeing(judgement.outcomes, groups, scan)
    finally:
        scan.close()
        connection.close()
    outcome = severest(outcomes)
    policy, postmaster = groups[outcomes.index(outcome)]
    return Judged(txn_id, message, judgement, outcome, policy, postmaster)


def _agreeing(
    outcomes: Sequence[Outcome], groups: Sequence[tuple[Policy, bool]], scan: Scan
) -> list[Outcome]:
    """Return outcomes that can hold for one message to all: what postmaster gets, all get."""
    if any(postmaster for _, postmaster in groups):
        return [scan.soften(outcome) for outcome in outcomes]
    return list(outcomes)


def _groups(scan: Scan, envelope: Envelope) -> list[tuple[Policy, bool]]:
    """Return the policies of the recipients, each once, postmaster's apart."""
    groups = [
        (scan.policy_for(recipient), _is_our_postmaster(recipient, envelope.direction))
        for recipient in envelope.recipients
    ]
    if not groups:
        groups = [(scan.policy_of_others(), False)]
    by_name = {(policy.name, postmaster): (policy, postmaster) for policy, postmaster in groups}
    return list(by_name.values())


def _is_our_postmaster(recipient: Mailbox, direction: Direction) -> bool:
    # What our own users send to the postmasters of others is judged like anything else.
    ours = direction is not Direction.OUTBOUND or not recipient.domain
    return recipient.is_postmaster and ours
