"""What every session of one listener shares."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from milter.smtp.data import Bounds

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from milter.core.limits import SharedLimits
    from milter.doors.relaying_rules import RecipientDomains
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.runner import Pipeline
    from milter.relay.nexthop import NextHop
    from milter.settings import Limits, Listener
    from milter.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SessionBounds:
    """Those of `Limits` that every command is held against.

    Copied, because a field of a pydantic model takes several times as long to read. What each means
    is said there.
    """

    message_bytes: int
    recipients: int
    commands: int
    errors: int
    command_timeout_s: float
    data_timeout_s: float


@dataclass(frozen=True, slots=True)
class Door:
    """One listener with all that its sessions use.

    Attributes:
        listener: Its configuration.
        bounds: Limits of the daemon.
        hostname: Our name in greeting and EHLO.
        recipient_domains: Whom mail is taken for.
        pipeline: Judges; a reload brings a new worker, so it never changes under a message.
        next_hop: Where mail goes.
        limits: Counts over all workers.
        metrics: Counts for Prometheus.
        new_id: Makes session and transaction ids.
        clock: Monotonic seconds.
        tls: Context for STARTTLS; None when not offered.
        aftermath: Told of each message after its reply; None: nobody wants to know.
        message_bounds: What a message of this listener may be.
        session_bounds: What a session of it may do.
    """

    listener: Listener
    bounds: Limits
    hostname: str
    recipient_domains: RecipientDomains
    pipeline: Pipeline
    next_hop: NextHop
    limits: SharedLimits
    metrics: Metrics
    new_id: Callable[[], str]
    clock: Callable[[], float]
    tls: ssl.SSLContext | None = None
    aftermath: Aftermath | None = None
    message_bounds: Bounds = field(init=False)
    session_bounds: SessionBounds = field(init=False)

    def __post_init__(self) -> None:
        normalise = self.listener.bare_newlines == "normalise"
        bounds = Bounds(self.bounds.message_bytes, self.bounds.line_bytes, normalise)
        object.__setattr__(self, "message_bounds", bounds)
        copied = {each.name: getattr(self.bounds, each.name) for each in fields(SessionBounds)}
        object.__setattr__(self, "session_bounds", SessionBounds(**copied))
