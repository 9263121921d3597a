"""What every session of one milter listener shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.limits import SharedLimits
    from milter.doors.relaying_rules import RecipientDomains
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.runner import Pipeline
    from milter.settings import Limits, Listener
    from milter.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Door:
    """One listener with all that its sessions use.

    Attributes:
        listener: Its configuration.
        bounds: Limits of the daemon.
        hostname: Our name, for addresses that have no domain and no mail server to name one.
        recipient_domains: Whose postmasters are ours; whom mail is taken for is the mail server's
            own business.
        pipeline: Judges; a reload brings a new worker, so it never changes under a message.
        limits: Counts over all workers.
        metrics: Counts for Prometheus.
        new_id: Makes session and transaction ids.
        clock: Monotonic seconds.
        aftermath: Told of each message after its reply; None: nobody wants to know.
    """

    listener: Listener
    bounds: Limits
    hostname: str
    recipient_domains: RecipientDomains
    pipeline: Pipeline
    limits: SharedLimits
    metrics: Metrics
    new_id: Callable[[], str]
    clock: Callable[[], float]
    aftermath: Aftermath | None = None

    @property
    def reads_bodies(self) -> bool:
        """Whether the body of a message matters: to a check, or to what is kept of it."""
        return self.aftermath is not None or self.pipeline.reads_messages
