"""One client and one message on their way through the pipeline.

The door tells each step as it happens; checks start as early as they can, in the background, and
are waited for at the end of data, or before it where a policy decides early.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.ids import TxnId
from milter.core.transaction import Stage, Transaction
from milter.message.document import Message
from milter.pipeline.arrival import common_policies
from milter.pipeline.combining import combined
from milter.pipeline.decided import Decided
from milter.pipeline.early import AT_CONNECT, AT_RCPT, agreed, has_early
from milter.pipeline.facts import merge
from milter.pipeline.forwarding import client_before, is_forwarded
from milter.pipeline.outcome import Marker, Outcome, outcomes_of, softened
from milter.pipeline.selection import context_of
from milter.pipeline.stage_run import LARGE_BYTES, StageRun
from policies.evaluate import slowed_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.pipeline.arrival import Arrival
    from milter.pipeline.runner import Pipeline
    from milter.pipeline.stages import StageChecks
    from policies.compile import Policy
    from policies.evaluate import EarlyStage
    from policies.select import Context


_NO_ANSWERS: Final[Mapping[int, Evidence]] = {}


class Judgement(NamedTuple):
    """What is known and decided of one message.

    Attributes:
        outcomes: One for each policy that was asked about, in the same order.
        evidence: All findings, facts and authentication results.
        txn: The transaction, whole.
        message: The message, as checks saw it.
        duration_s: From the end of data to here.
    """

    outcomes: tuple[Outcome, ...]
    evidence: Evidence
    txn: Transaction
    message: Message
    duration_s: float


class ConnectionScan:
    """Evidence of CONNECT and HELO, shared by the transactions of one `Connection` value.

    A connection that becomes better known (HELO, STARTTLS, XCLIENT) gets a new one.
    """

    __slots__ = (
        "_answers",
        "_evidence",
        "_pipeline",
        "_runs",
        "_slowed",
        "connection",
        "forwarded",
    )

    def __init__(
        self, pipeline: Pipeline, connection: Connection, arrival: Arrival | None = None
    ) -> None:
        self.connection = connection
        # Whether it is a relay of ours that connects: until the end of data nothing is known then.
        self.forwarded = is_forwarded(connection, pipeline.identity.relays)
        self._pipeline = pipeline
        self._runs: tuple[StageRun, ...] | None = None
        self._evidence: list[Evidence] | None = None
        self._slowed = arrival is not None and arrival.slowed
        self._answers = arrival.answers if arrival is not None else _NO_ANSWERS

    def begin(self, txn_id: TxnId) -> Scan:
        """Return the scan of a new transaction."""
        return Scan(self._pipeline.timed(txn_id), self, txn_id)

    async def refuse_connect(self, txn_id: TxnId | None = None) -> Outcome | None:
        """Return a refusal that holds whatever mail this client may send, or None.

        Decides only where one policy holds for everybody: the sender is not known yet, and an
        override may be milder with it. Then `Scan.refuse_early` decides at MAIL.

        Args:
            txn_id: Stands in the reply; the session's id where no transaction began yet.
        """
        policy = self._pipeline.policies.only
        if policy is None or not has_early(policy, AT_CONNECT) or self.forwarded:
            return None
        reference = txn_id or TxnId(self.connection.session_id)
        txn = Transaction(reference, self.connection, stage=Stage.HELO)
        return agreed((policy,), merge(txn, await self.gather()), txn)

    async def slowed_s(self) -> float:
        """Return the seconds by which the client's first MAIL is answered later.

        The least that any recipient's policy may want, and 0 from the second transaction on.
        """
        policies = self._pipeline.policies
        if not policies.slows or self._slowed or self.forwarded:
            return 0.0
        self._slowed = True
        evidence = await self.gather()
        findings = [finding for piece in evidence for finding in piece.findings]
        possible = common_policies(self._pipeline, self.connection)
        return min(slowed_s(policy, findings) for policy in possible)

    def start(self) -> None:
        """Start the checks of CONNECT and HELO, once."""
        if self._runs is None and self.forwarded:
            # Of a relay of ours nothing is asked; its client is known at the end of data.
            self._runs = ()
        elif self._runs is None:
            # These checks belong to no transaction yet; what they log bears the session's id.
            txn_id = TxnId(self.connection.session_id)
            runs = [
                _started(self._pipeline, Transaction(txn_id, self.connection, stage=stage), known)
                for stage, known in (
                    (Stage.CONNECT, self._answers),
                    (Stage.HELO, _NO_ANSWERS),
                )
            ]
            self._runs = tuple([run for run in runs if run is not None])

    @property
    def runs(self) -> tuple[StageRun, ...]:
        """The checks of CONNECT and HELO, as far as they are started."""
        return self._runs or ()

    async def gather(self) -> Sequence[Evidence]:
        """Return what the checks of CONNECT and HELO saw; asked again, the same."""
        if self._evidence is None:
            self.start()
            evidence = []
            for run in self.runs:
                evidence += await run.gather()
            self._evidence = evidence
        return self._evidence

    def close(self) -> None:
        """Cancel what still runs; closing again does nothing."""
        for run in self.runs:
            run.close()


class Scan:
    """One transaction, from MAIL to the verdict."""

    __slots__ = (
        "_connection",
        "_mail_run",
        "_marker",
        "_pipeline",
        "_recipients",
        "_rest",
        "_txn",
    )

    def __init__(self, pipeline: Pipeline, connection: ConnectionScan, txn_id: TxnId) -> None:
        self._pipeline = pipeline
        self._connection = connection
        self._txn = Transaction(txn_id, connection.connection)
        self._recipients: list[Mailbox] = []
        self._mail_run: StageRun | None = None
        self._marker: Marker | None = None
        self._rest: list[StageRun] = []

    def mail(self, mail_from: Mailbox | None, announced_bytes: int) -> None:
        """Take the reverse path and start the checks that need no more than it."""
        self._txn = Transaction(
            self._txn.txn_id,
            self._txn.connection,
            mail_from,
            announced_bytes=announced_bytes,
            stage=Stage.MAIL,
        )
        self._connection.start()
        if not self._connection.forwarded:
            self._mail_run = _started(self._pipeline, self._txn)

    def policy_for(self, recipient: Mailbox) -> Policy:
        """Return the policy under which mail to `recipient` is judged."""
        policies = self._pipeline.policies
        return policies.only or policies.select(self._context(), recipient.plain)

    def policy_of_others(self) -> Policy:
        """Return the policy of a recipient that no override names."""
        policies = self._pipeline.policies
        return policies.only or policies.select(self._context(), None)

    def rcpt(self, recipient: Mailbox) -> None:
        """Take a recipient that the next hop accepted."""
        self._recipients.append(recipient)

    async def refuse_early(
        self, policies: Sequence[Policy], recipient: Mailbox | None
    ) -> Outcome | None:
        """Return a refusal before the end of data, or None.

        Waits for evidence only where every one of `policies` has an `early` threshold for this
        stage, for they must agree.

        Args:
            policies: At RCPT that of the recipient; at MAIL none, for then all that a recipient
                may bring are asked.
            recipient: The one of this RCPT; None at MAIL.
        """
        stage: EarlyStage = AT_CONNECT if recipient is None else AT_RCPT
        if stage not in self._pipeline.policies.early or self._connection.forwarded:
            return None
        if recipient is None:
            policies = policies or self._pipeline.policies.common(self._context())
        # RFC 5321 §4.5.1: who wants to complain about a refusal must be able to.
        if recipient is not None and recipient.is_postmaster:
            return None
        if not all(has_early(policy, stage) for policy in policies):
            return None
        txn = self._txn
        if recipient is not None:
            known = (*self._recipients, recipient)
            txn = txn._replace(recipients=known, stage=Stage.RCPT)
        return agreed(policies, merge(txn, await self._envelope_evidence()), txn)

    async def judge(self, message: bytes, groups: Sequence[tuple[Policy, bool]]) -> Judgement:
        """Run what is left at the end of data and decide for each group of recipients.

        Args:
            message: As sent, dots unstuffed, lines ended by CRLF.
            groups: Policy of each, and whether it is postmaster's, who is never refused for
                content. A door that has postmaster in a group with others lets a sender around
                the filter, so it keeps postmaster in a group apart.
        """
        started = self._pipeline.means.clock()
        document = Message(message)
        if self._connection.forwarded:
            self._turn_to_client(document)
        if self._pipeline.means.enclosed is not None:
            await self._pipeline.means.enclosed.read(document)
        decided = await self._start_rest(message, document, groups)
        pieces = list(await self._envelope_evidence())
        for run in self._rest:
            pieces += await run.gather()
        if combines := self._message_checks().combines:
            means = self._pipeline.means
            pieces = await combined(
                combines, self._txn, document, pieces, means, decided=decided.by
            )
        evidence = merge(self._txn, pieces)
        marker = self._marker = Marker(self._txn, document, evidence, self._pipeline.identity)
        if len(message) > LARGE_BYTES:
            # The fields to be removed are looked for in a header that may be all of the message.
            outcomes = await asyncio.to_thread(outcomes_of, marker, evidence, groups)
        else:
            outcomes = outcomes_of(marker, evidence, groups)
        return Judgement(
            outcomes=outcomes,
            evidence=evidence,
            txn=self._txn,
            message=document,
            duration_s=self._pipeline.means.clock() - started,
        )

    def soften(self, outcome: Outcome) -> Outcome:
        """Return `outcome` of the judged message with its refusal made a quarantine."""
        if self._marker is None or not outcome.verdict.action.refuses:
            return outcome
        return self._marker.outcome(softened(outcome.verdict))

    def redirected(self, outcome: Outcome, recipients: Sequence[Mailbox]) -> Outcome:
        """Return `outcome` of the judged message as it is for these of its recipients alone.

        A redirected message names its recipients, and whoever lets it go sends it to them: others
        have the message, or a copy of their own in the same place.
        """
        if self._marker is None or outcome.redirect_to is None:
            return outcome
        return self._marker.outcome(outcome.verdict, recipients)

    def close(self) -> None:
        """Cancel what still runs; closing again does nothing."""
        for run in self._own_runs():
            run.close()
        if self._txn.connection.relays:
            # The door knows nothing of the connection that takes the place of the relay's.
            self._connection.close()

    def _turn_to_client(self, document: Message) -> None:
        """Judge the client before our relay in its place: all of its checks run now."""
        relays = self._pipeline.identity.relays
        connection = client_before(self._txn.connection, document, relays)
        self._connection = ConnectionScan(self._pipeline, connection)
        self._txn = self._txn._replace(connection=connection)
        self._connection.start()
        self._mail_run = _started(self._pipeline, self._txn)

    async def _start_rest(
        self, message: bytes, document: Message, groups: Sequence[tuple[Policy, bool]]
    ) -> Decided:
        """Start the checks of RCPT, DATA and MESSAGE: only now are all recipients known."""
        txn = self._txn = Transaction(
            self._txn.txn_id,
            self._txn.connection,
            self._txn.mail_from,
            tuple(self._recipients),
            message,
            self._txn.announced_bytes,
            Stage.MESSAGE,
        )
        plan = self._pipeline.stages[self._connection.connection.direction]
        before = [*self._connection.runs, *self._own_runs()]
        decided = Decided(txn, groups, self._pipeline.policies.plan, before)
        for stage in (Stage.RCPT, Stage.DATA, Stage.MESSAGE):
            if not plan[stage].checks:
                continue
            seen = document if stage is Stage.MESSAGE else None
            run = StageRun(plan[stage], txn, seen, self._pipeline.means)
            self._rest.append(run)
            if seen is None:
                before.append(run)
            if len(message) > LARGE_BYTES:
                await run.start_large(decided.so_far)
            else:
                run.start(decided.so_far)
        return decided

    def _message_checks(self) -> StageChecks:
        return self._pipeline.stages[self._connection.connection.direction][Stage.MESSAGE]

    async def _envelope_evidence(self) -> Sequence[Evidence]:
        """Return what the checks up to MAIL saw."""
        connect = await self._connection.gather()
        mail = await self._mail_run.gather() if self._mail_run else []
        return [*connect, *mail]

    def _context(self) -> Context:
        return context_of(self._txn.connection, self._txn.mail_from)

    def _own_runs(self) -> list[StageRun]:
        return [*([self._mail_run] if self._mail_run else ()), *self._rest]


def _started(
    pipeline: Pipeline, txn: Transaction, answers: Mapping[int, Evidence] = _NO_ANSWERS
) -> StageRun | None:
    """Return the checks of the transaction's stage, running; None where there are none."""
    checks = pipeline.stages[txn.connection.direction][txn.stage]
    if not checks.checks:
        return None
    run = StageRun(checks, txn, None, pipeline.means, answers)
    run.start()
    return run
