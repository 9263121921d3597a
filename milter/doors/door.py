"""What every session, or request, of one listener shares; the SMTP door, which relays, has more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milter.doors.relaying_rules import RecipientDomains

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.limits import SharedLimits
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
        pipeline: Judges; a reload brings a new worker, so it never changes under a message.
        limits: Counts over all workers.
        metrics: Counts for Prometheus.
        new_id: Makes session and transaction ids.
        clock: Monotonic seconds.
        aftermath: Told of each message after its reply; None: nobody wants to know.
        recipient_domains: Whose postmasters are ours; whom mail is taken for is the mail server's
            own business.
    """

    listener: Listener
    bounds: Limits
    hostname: str
    pipeline: Pipeline
    limits: SharedLimits
    metrics: Metrics
    new_id: Callable[[], str]
    clock: Callable[[], float]
    aftermath: Aftermath | None = None
    recipient_domains: RecipientDomains = field(init=False)

    def __post_init__(self) -> None:
        domains = RecipientDomains(self.listener.recipient_domains, self.listener.direction)
        object.__setattr__(self, "recipient_domains", domains)

    @property
    def reads_bodies(self) -> bool:
        """Whether the body of a message matters: to a check, or to what is kept of it."""
        return self.aftermath is not None or self.pipeline.reads_messages
