"""Whoever sends, and however many: what is counted for Prometheus has no more series for it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from milter.checks.catalogue import Means, build_checks
from milter.core.address import Mailbox
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.doors.record import TransactionRecord
from milter.pipeline.offline import Envelope, judge
from milter.pipeline.runner import Pipeline
from milter.settings import Listener
from milter.telemetry.metrics import Metrics
from tests.support.pipeline import IDENTITY, policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.pipeline.aftermath import Aftermath
    from milter.pipeline.offline import Judged

SENDERS = 100_000


def a_pipeline() -> Pipeline:
    chosen = policies()
    return Pipeline(
        checks=build_checks(chosen.plan, Means("mx.example.org", lambda: 0.0)),
        policies=chosen,
        resolver=FakeResolver({}),
        identity=IDENTITY,
        budget_s=5,
    )


@dataclass
class Door:
    """A listener, and what is counted at it."""

    listener: Listener = Listener(name="inbound", bind="127.0.0.1:0")  # noqa: RUF009 - frozen
    pipeline: Pipeline = field(default_factory=a_pipeline)
    metrics: Metrics = field(default_factory=Metrics)
    clock: Callable[[], float] = lambda: 0.0
    aftermath: Aftermath | None = None


def one_judged(pipeline: Pipeline) -> Judged:
    message = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"
    return asyncio.run(judge(pipeline, message, Envelope(), TxnId("T"), SessionId("S")))


@pytest.mark.slow
def test_100_000_senders_add_no_series(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "gatepost")
    door = Door()
    judged = one_judged(door.pipeline)

    def send(number: int) -> None:
        sender = Mailbox(f"u{number}", f"d{number}.example")
        client = {"client_ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        record = TransactionRecord(door, client, TxnId(f"T{number}"), sender, announced_bytes=0)
        record.recipients = (Mailbox(f"r{number}", "ours.example"),)
        record.judged(judged.judgement, judged.outcome, 100)
        record.write()

    def series() -> int:
        door.metrics.flush()
        return len(generate_latest(door.metrics.registry).splitlines())

    send(0)
    before = series()
    for number in range(1, SENDERS):
        send(number)

    assert series() == before
