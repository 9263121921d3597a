"""Traces of a worker: where they are wanted, what notes, makes and sends them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter import __version__
from milter.pipeline.timings import Timings
from milter.pipeline.traces import Traces

if TYPE_CHECKING:
    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.runner import Pipeline
    from milter.settings import Settings
    from milter.telemetry.otlp import OtlpSender


@dataclass(frozen=True, slots=True)
class Tracing:
    """What traces the transactions of a worker.

    Attributes:
        timings: For the pipeline.
        sender: Close it at the end.
        private: Whether nothing may stand in a trace that points to somebody.
    """

    timings: Timings
    sender: OtlpSender
    private: bool

    def follow(self, aftermath: Aftermath, pipeline: Pipeline) -> None:
        """Make a trace of each transaction that `aftermath` is told of."""
        traces = Traces(
            self.timings,
            pipeline.stage_of_checks(),
            self.sender.send,
            clock=time.time,
            monotonic=time.monotonic,
            private=self.private,
        )
        aftermath.add(traces)
        aftermath.watch(traces)


def open_tracing(settings: Settings, host: str) -> Tracing | None:
    """Return what traces; None where no traces are wanted."""
    endpoint = settings.traces.endpoint
    if endpoint is None:
        return None
    # An extra that most sites do without; nothing of it is loaded for them.
    from milter.telemetry.otlp import OtlpSender  # noqa: PLC0415

    return Tracing(
        Timings(settings.traces.share, time.monotonic),
        OtlpSender(endpoint, __version__, host),
        settings.statistics.privacy or settings.log.addresses == "hashed",
    )
