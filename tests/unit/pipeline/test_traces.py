"""Traces: what was noted of a transaction becomes one, bounded, and of chosen connections only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.core.transaction import Stage
from milter.pipeline.aftermath import TurnedAway
from milter.pipeline.timings import CheckRun, Timings
from milter.pipeline.traces import Traces
from policies.verdict import Action, Contribution, Verdict
from tests.support.pipeline import Sees, a_connection, a_pipeline

if TYPE_CHECKING:
    from milter.telemetry.spans import Span

EPOCH = 1_800_000_000.0
REFUSED = Verdict(
    Action.REJECT, 15.0, 5.0, "p" * 999, contributions=(Contribution("LISTED", 15, 15),), kind="bot"
)


def observe(*_: object) -> None:
    """Count nothing."""


def traces(timings: Timings, sent: list[Span], *, private: bool = False) -> Traces:
    return Traces(
        timings,
        {"dnslists": Stage.CONNECT, "spf": Stage.MAIL},
        sent.append,
        clock=lambda: EPOCH,
        monotonic=lambda: 100.0,
        private=private,
    )


def refused(private: bool) -> Span:
    timings = Timings(1.0, lambda: 90.0)
    sent: list[Span] = []
    connection = a_connection("192.0.2.1")
    timings.noting(connection.session_id, observe)("dnslists", "timeout", 2.0, 91.0)
    timings.noting("T1", observe)("spf", "ok", 0.5, 95.0)
    turned = TurnedAway(EPOCH, "T1", connection, "rcpt", REFUSED, Reply.of(550, "5.7.1 No"))

    traces(timings, sent, private=private).see_turned_away(turned)

    assert timings.take("T1") is None
    assert timings.take(connection.session_id) is None
    (span,) = sent
    return span


def test_refused_transaction_has_the_checks_of_its_connection_too() -> None:
    span = refused(private=False)

    assert (span.start, span.end, span.failed) == (EPOCH - 10, EPOCH, False)
    assert [stage.name for stage in span.children] == ["stage connect", "stage mail"]
    (late,) = span.children[0].children
    assert (late.name, late.start, late.end) == ("check dnslists", EPOCH - 9, EPOCH - 7)
    assert late.failed
    assert span.attributes["gatepost.refused_at"] == "rcpt"
    assert span.attributes["gatepost.reply_code"] == 550
    assert span.attributes["client.address"] == "192.0.2.1"
    assert span.attributes["gatepost.policy"] == "p" * 256


def test_private_trace_has_no_address() -> None:
    assert "192.0.2.1" not in str(refused(private=True))


def test_refused_recipient_of_a_message_that_came_makes_no_trace_of_its_own() -> None:
    timings = Timings(1.0, lambda: 0.0)
    timings.noting("T1", observe)("spf", "ok", 0.5, 95.0)
    sent: list[Span] = []
    reply = Reply.of(550, "5.7.1 No")
    turned = TurnedAway(EPOCH, "T1", a_connection(), "rcpt", REFUSED, reply, came=True)

    traces(timings, sent).see_turned_away(turned)

    assert sent == []
    assert timings.take("T1") is not None


def test_transaction_of_which_nothing_was_noted_has_no_trace() -> None:
    sent: list[Span] = []
    reply = Reply.of(550, "5.7.1 No")
    turned = TurnedAway(EPOCH, "T9", a_connection(), "rcpt", REFUSED, reply)

    traces(Timings(1.0, lambda: 0.0), sent).see_turned_away(turned)

    assert sent == []


def test_what_is_kept_is_bounded() -> None:
    timings = Timings(1.0, lambda: 0.0)
    for number in range(10_000):
        timings.noting(f"T{number}", observe)
    note = timings.noting("T", observe)
    for _ in range(1000):
        note("spf", "ok", 0.1, 0.0)

    assert len(timings._kept) == 4096
    assert timings.take("T0") is None
    kept = timings.take("T")
    assert kept is not None
    assert len(kept.runs) == 200


@pytest.mark.parametrize(
    ("share", "least", "most"),
    [
        pytest.param(0.0, 0, 0, id="none"),
        pytest.param(1.0, 1000, 1000, id="all"),
        pytest.param(0.25, 200, 300, id="a-quarter"),
    ],
)
def test_share_of_connections_is_chosen(share: float, least: int, most: int) -> None:
    timings = Timings(share, lambda: 0.0)

    chosen = [number for number in range(1000) if timings.chooses(f"session-{number}")]

    assert least <= len(chosen) <= most
    assert all(timings.chooses(f"session-{number}") for number in chosen)


def test_pipeline_notes_the_runs_of_each_transaction_and_tells_as_before() -> None:
    told: list[str] = []
    timings = Timings(1.0, lambda: 0.0)
    checks = Sees(name="early", stage=Stage.CONNECT), Sees(name="late")
    plain = a_pipeline(*checks, observe=lambda check, *_: told.append(check))
    pipeline = plain.tracing(timings)
    connection = a_connection()

    async def run() -> None:
        scans = pipeline.connect(connection)
        for txn_id in ("T1", "T2"):
            scan = scans.begin(TxnId(txn_id))
            scan.mail(None, 0)
            await scan.judge(b"Subject: x\r\n\r\n", [(scan.policy_of_others(), False)])
            scan.close()
        scans.close()

    asyncio.run(run())

    kept = {name: timings.take(name) for name in (connection.session_id, "T1", "T2")}
    ran = {name: [run.check for run in one.runs] for name, one in kept.items() if one}
    assert ran == {connection.session_id: ["early"], "T1": ["late"], "T2": ["late"]}
    assert told == ["early", "late", "late"]
    assert pipeline.stage_of_checks() == {"early": Stage.CONNECT, "late": Stage.MESSAGE}
    assert plain.timed("T1") is plain


def test_pipeline_notes_nothing_of_connections_that_are_not_chosen() -> None:
    timings = Timings(0.0, lambda: 0.0)
    pipeline = a_pipeline(Sees()).tracing(timings)

    scans = pipeline.connect(a_connection())
    scans.begin(TxnId("T1")).close()
    scans.close()

    assert timings.take("T1") is None


def test_run_is_kept_as_it_was() -> None:
    timings = Timings(1.0, lambda: 0.0)
    timings.noting("T", observe)("spf", "error", 0.25, 7.0)

    kept = timings.take("T")

    assert kept is not None
    assert kept.runs == [CheckRun("spf", "error", 0.25, 7.0)]
