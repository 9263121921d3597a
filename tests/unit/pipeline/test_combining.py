"""Checks that combine see all that was seen, in their order, in a budget of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.checks.base import Evidence, fact
from milter.core.address import Mailbox
from milter.core.ids import TxnId
from milter.core.transaction import Stage
from milter.pipeline.offline import without_network
from tests.support.pipeline import (
    Asks,
    Combines,
    Sees,
    a_connection,
    a_pipeline,
    found,
    symbols,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.pipeline.runner import Pipeline
    from milter.pipeline.scan import Judgement

MESSAGE = b"From: a@example.net\r\n\r\nhello\r\n"
SENDER = Mailbox("a", "example.net")


async def judged(pipeline: Pipeline) -> Judgement:
    connection = pipeline.connect(a_connection())
    scan = connection.begin(TxnId("TXN000000001"))
    scan.mail(SENDER, len(MESSAGE))
    judgement = await scan.judge(MESSAGE, [(scan.policy_for(SENDER), False)])
    scan.close()
    connection.close()
    return judgement


def seen(known: Sequence[Evidence]) -> list[str]:
    return [finding.symbol for piece in known for finding in piece.findings]


def test_combine_is_given_what_all_stages_saw_and_stands_behind_it() -> None:
    first = Combines(found("FIRST"), name="first")
    second = Combines(found("SECOND"), name="second")
    pipeline = a_pipeline(
        first,
        Asks(found("SPF_FAIL"), Stage.MAIL),
        second,
        Asks(found("DKIM_NONE"), Stage.MESSAGE),
        Sees(found("GTUBE"), Stage.MESSAGE),
    )

    judgement = asyncio.run(judged(pipeline))

    assert seen(first.known[0]) == ["SPF_FAIL", "DKIM_NONE", "GTUBE"]
    assert seen(second.known[0]) == ["SPF_FAIL", "DKIM_NONE", "GTUBE", "FIRST"]
    expected = ["SPF_FAIL", "DKIM_NONE", "GTUBE", "FIRST", "SECOND"]
    assert symbols(judgement.evidence) == expected


def test_combine_runs_where_no_other_check_does() -> None:
    judgement = asyncio.run(judged(a_pipeline(Combines(found("ALONE")))))

    assert symbols(judgement.evidence) == ["ALONE"]


def test_combine_that_raises_is_a_finding_and_the_next_one_runs() -> None:
    broken = Combines(ZeroDivisionError("inside"), name="broken")
    told: list[tuple[str, str]] = []
    pipeline = a_pipeline(
        broken,
        Combines(found("NEXT"), name="next"),
        observe=lambda check, result, *_: told.append((check, result)),
    )

    judgement = asyncio.run(judged(pipeline))

    assert symbols(judgement.evidence) == ["CHECK_ERROR", "NEXT"]
    assert judgement.evidence.findings[0].evidence == "broken: ZeroDivisionError"
    assert told == [("broken", "error"), ("next", "ok")]


def test_combine_has_its_own_budget_behind_checks_that_used_theirs_up() -> None:
    slow = Asks(name="slow", stage=Stage.MESSAGE, answered=False)
    pipeline = a_pipeline(slow, Combines(found("JUDGED")), budget_s=0.05)

    judgement = asyncio.run(judged(pipeline))

    assert symbols(judgement.evidence) == ["CHECK_ERROR", "JUDGED"]
    assert judgement.evidence.findings[0].evidence == "slow: timeout"


def test_combine_that_does_not_answer_is_cut_off() -> None:
    pipeline = a_pipeline(Combines(name="silent", answered=False), budget_s=0.02)

    judgement = asyncio.run(judged(pipeline))

    assert judgement.evidence.findings[0].evidence == "silent: timeout"


def test_combine_that_asks_nobody_has_time_behind_one_that_used_up_its_own() -> None:
    silent = Combines(name="silent", asks=True, answered=False)
    late = Combines(found("LATE"), name="late", asks=True)
    pipeline = a_pipeline(silent, late, Combines(found("JUDGED")), budget_s=0.02)

    judgement = asyncio.run(judged(pipeline))

    assert symbols(judgement.evidence) == ["CHECK_ERROR", "CHECK_ERROR", "JUDGED"]


def test_combine_before_the_message_is_refused() -> None:
    with pytest.raises(TypeError, match="combines before the message"):
        a_pipeline(Combines(stage=Stage.MAIL))


def test_without_network_keeps_what_combines_and_asks_nobody() -> None:
    quiet, asking = Combines(), Combines(asks=True)

    assert without_network((quiet, asking)) == (quiet,)


def test_fact_is_what_the_last_check_said() -> None:
    known = (Evidence(facts={"subject": "a"}), Evidence(facts={"subject": "b"}), Evidence())

    assert fact(known, "subject") == "b"
    assert fact(known, "spf") is None
