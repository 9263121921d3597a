"""A client before the greeting: what is known of its address alone, and what follows from it.

Only of clients that speak for themselves: for whom a trusted upstream speaks is known later. What
was asked here is not asked again, for the connection takes the answers over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milter.core.ids import TxnId
from milter.core.transaction import Stage, Transaction
from milter.pipeline.early import AT_GREETING, agreed
from milter.pipeline.facts import merge
from milter.pipeline.selection import context_of
from milter.pipeline.stage_run import StageRun
from policies.evaluate import slowed_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.connection import Connection
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.runner import Pipeline
    from policies.compile import Policy


class Arrival:
    """One client that has not been greeted. `close` it, whatever happened.

    Args:
        pipeline: Has the checks and policies.
        connection: As far as it is known.

    Attributes:
        slowed: Whether it was slowed down, which happens once.
    """

    __slots__ = ("_checks", "_pipeline", "_run", "slowed")

    def __init__(self, pipeline: Pipeline, connection: Connection) -> None:
        self._pipeline = pipeline
        self._checks = pipeline.stages[connection.direction][Stage.CONNECT]
        self._run = StageRun(self._checks, _nothing_sent(connection), None, pipeline.means)
        self.slowed = False

    def start(self) -> None:
        """Ask about the client."""
        self._run.ask_ahead()

    @property
    def answers(self) -> Mapping[int, Evidence]:
        """What was answered, by the place of the check among those of CONNECT."""
        return self._run.answers

    async def refused(self, connection: Connection) -> Outcome | None:
        """Return a refusal that holds whatever this client may send and to whom, or None.

        Args:
            connection: As it is known now.
        """
        if AT_GREETING not in self._pipeline.policies.early:
            return None
        txn = _nothing_sent(connection)
        return agreed(self._possible(connection), merge(txn, await self._seen(txn)), txn)

    async def slowed_s(self, connection: Connection) -> float:
        """Return the seconds by which the client is greeted later: the least of any policy."""
        if not self._pipeline.policies.slows:
            return 0.0
        evidence = await self._seen(_nothing_sent(connection))
        findings = [finding for piece in evidence for finding in piece.findings]
        wait_s = min(slowed_s(policy, findings) for policy in self._possible(connection))
        self.slowed = wait_s > 0
        return wait_s

    def close(self) -> None:
        """Cancel what still runs."""
        self._run.close()

    async def _seen(self, txn: Transaction) -> Sequence[Evidence]:
        await self._run.gather()
        run = StageRun(self._checks, txn, None, self._pipeline.means, self.answers)
        run.start()
        return run.so_far

    def _possible(self, connection: Connection) -> tuple[Policy, ...]:
        return common_policies(self._pipeline, connection)


def common_policies(pipeline: Pipeline, connection: Connection) -> tuple[Policy, ...]:
    """Return policies that bound what any mail of this client can get."""
    # The sender is not known yet, which is not the same as the null sender.
    context = replace(context_of(connection, None), mail_from=None)
    return pipeline.policies.common(context)


def _nothing_sent(connection: Connection) -> Transaction:
    # These checks belong to no transaction yet; what they log bears the session's id.
    return Transaction(TxnId(connection.session_id), connection, stage=Stage.CONNECT)
