"""The pipeline: a transaction goes in, a judgement comes out, whichever door it came through.

Nothing is logged of the transaction itself and nothing is sent: that is the door's business.
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from milter.core.transaction import Stage
from milter.pipeline.arrival import Arrival
from milter.pipeline.early import AT_GREETING
from milter.pipeline.forwarding import is_forwarded
from milter.pipeline.scan import ConnectionScan
from milter.pipeline.stage_run import Means, Observe
from milter.pipeline.stages import StagePlan, plan_stages, without_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.checks.base import Check
    from milter.core.connection import Addresses, Connection
    from milter.dns.resolver import Resolver
    from milter.pipeline.outcome import Identity
    from milter.pipeline.stage_run import EnclosedReader
    from milter.pipeline.timings import Timings
    from policies.select import PolicySet


def _observe_nothing(check: str, result: str, seconds: float, started: float) -> None:
    """Count nothing."""


class Pipeline:
    """Checks and policies as one configuration has them; replaced whole when that changes.

    Args:
        checks: Those that the policies need.
        policies: All policies of this configuration.
        resolver: Answers the checks' questions.
        identity: Who we are in what is written.
        budget_s: Seconds for the checks of one stage.
        observe: Told name, result (`ok`, `error`, `timeout`), seconds and begin of every check.
        clock: Seconds, never going back.
    """

    __slots__ = (
        "_observe",
        "identity",
        "means",
        "narrowed",
        "policies",
        "stages",
        "timings",
        "version",
    )

    def __init__(
        self,
        *,
        checks: Sequence[Check],
        policies: PolicySet,
        resolver: Resolver,
        identity: Identity,
        budget_s: float,
        observe: Observe | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policies = policies
        self.identity = replace(identity, version=policies.version)
        self.stages: StagePlan = plan_stages(checks)
        self._observe = observe or _observe_nothing
        self.means = Means(resolver, budget_s, self._observe, clock)
        self.version: str = policies.version
        self.narrowed: dict[frozenset[Stage], Pipeline] = {}
        # Where what checks took is kept for traces; None: nowhere.
        self.timings: Timings | None = None

    def skipping(self, stages: frozenset[Stage]) -> Pipeline:
        """Return this pipeline without the checks of `stages`, about which nothing is known."""
        if not stages:
            return self
        if stages not in self.narrowed:
            narrowed = copy(self)
            narrowed.narrowed = {}
            narrowed.stages = without_stages(self.stages, stages)
            self.narrowed[stages] = narrowed
        return self.narrowed[stages]

    def opening(self, enclosed: EnclosedReader | None) -> Pipeline:
        """Return this pipeline with documents and pictures opened by `enclosed`."""
        opening = copy(self)
        opening.narrowed = {}
        opening.means = replace(self.means, enclosed=enclosed)
        return opening

    def explaining(self) -> Pipeline:
        """Return this pipeline with evidence that tells how the checks came to it."""
        explaining = copy(self)
        explaining.narrowed = {}
        explaining.means = replace(self.means, explains=True)
        return explaining

    def behind(self, relays: Addresses) -> Pipeline:
        """Return this pipeline for mail that `relays` of ours pass on."""
        behind = copy(self)
        behind.narrowed = {}
        behind.identity = replace(self.identity, relays=relays)
        return behind

    def tracing(self, timings: Timings) -> Pipeline:
        """Return this pipeline with what its checks take kept in `timings`, for traces."""
        tracing = copy(self)
        tracing.narrowed = {}
        tracing.timings = timings
        return tracing

    @property
    def reads_messages(self) -> bool:
        """Whether a check, or a rule, depends on more than connection, envelope and header."""
        late = [by[stage] for by in self.stages.values() for stage in (Stage.DATA, Stage.MESSAGE)]
        return (
            any(checks.checks or checks.combines for checks in late)
            or self.means.enclosed is not None
            or "size_bytes" in self.policies.plan.facts
        )

    def stage_of_checks(self) -> dict[str, Stage]:
        """Return the stage of each check, by its name."""
        return {
            check.name: stage
            for by_stage in self.stages.values()
            for stage, checks in by_stage.items()
            for check in (*checks.checks, *checks.combines)
        }

    def timed(self, reference: str) -> Pipeline:
        """Return this pipeline with what its checks take kept under `reference`.

        The same where nothing is kept.
        """
        if self.timings is None:
            return self
        timed = copy(self)
        timed.narrowed = {}
        note = self.timings.noting(reference, self._observe)
        timed.means = replace(self.means, observe=note)
        return timed

    def _chosen(self, connection: Connection) -> Pipeline:
        """Return the pipeline for a connection, whose transactions are traced all or none."""
        if self.timings is None:
            return self
        if self.timings.chooses(connection.session_id):
            return self.timed(connection.session_id)
        untimed = copy(self)
        untimed.timings = None
        return untimed

    def arrive(self, connection: Connection) -> Arrival | None:
        """Return what is asked of a client before its greeting; None where nothing depends on it.

        Args:
            connection: Of a client that speaks for itself.
        """
        depends = self.policies.slows or AT_GREETING in self.policies.early
        if not depends or is_forwarded(connection, self.identity.relays):
            return None
        return Arrival(self._chosen(connection), connection)

    def connect(self, connection: Connection, arrival: Arrival | None = None) -> ConnectionScan:
        """Return the scan of `connection`; nothing runs before its first transaction begins.

        Args:
            connection: As it is known now.
            arrival: What was asked of this client before the greeting.
        """
        return ConnectionScan(self._chosen(connection), connection, arrival)
