"""Messages are judged without a daemon by what is known of them, and reported as plain values."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from milter.auth.results import AuthResult, Result
from milter.checks.base import Evidence
from milter.core.address import Mailbox
from milter.core.connection import Direction
from milter.core.ids import SessionId, TxnId
from milter.core.transaction import Stage
from milter.pipeline.offline import (
    Envelope,
    Judged,
    judge,
    unknown_stages,
    without_network,
)
from milter.pipeline.report import scan_report, unanswered
from policies.verdict import Action
from tests.support.pipeline import POLICY, Asks, Sees, a_connection, a_pipeline, found

if TYPE_CHECKING:
    from milter.pipeline.runner import Pipeline

MESSAGE = b"X-Spam-Flag: NO\r\nFrom: a@example.net\r\nSubject: hello\r\n\r\nhello\r\n"


def judged(pipeline: Pipeline, envelope: Envelope, message: bytes = MESSAGE) -> Judged:
    return asyncio.run(
        judge(pipeline, message, envelope, TxnId("TXN000000001"), SessionId("SESSION00001"))
    )


def test_unknown_stages_are_those_that_nobody_spoke_of() -> None:
    connection = a_connection()
    whole = Envelope(client_ip=connection.client_ip, helo_name="x", mail_from_known=True)
    assert unknown_stages(Envelope()) == {Stage.CONNECT, Stage.HELO, Stage.MAIL}
    assert unknown_stages(whole) == frozenset()


def test_without_network_leaves_the_checks_that_only_look() -> None:
    look = Sees()
    assert without_network((Asks(), look)) == (look,)


def test_judge_narrows_a_pipeline_once_and_leaves_it_whole() -> None:
    check = Asks(found("SPF_FAIL"))
    pipeline = a_pipeline(check)
    assert pipeline.skipping(frozenset()) is pipeline
    assert pipeline.skipping(frozenset({Stage.MAIL})) is pipeline.skipping(frozenset({Stage.MAIL}))
    judged(pipeline, Envelope())
    assert check.asked == 0
    judged(pipeline, Envelope(mail_from_known=True))
    assert check.asked == 1


def test_judge_message_to_postmaster_is_refused_for_nobody() -> None:
    pipeline = a_pipeline(Sees(found("GTUBE")))
    postmaster = Envelope(recipients=(Mailbox("postmaster", "example.org"),))
    both = Envelope(recipients=(*postmaster.recipients, Mailbox("b", "example.org")))
    assert judged(pipeline, postmaster).outcome.verdict.action is Action.QUARANTINE
    result = judged(pipeline, both)
    actions = [outcome.verdict.action for outcome in result.judgement.outcomes]
    assert actions == [Action.QUARANTINE, Action.REJECT]
    assert result.outcome.verdict.action is Action.QUARANTINE


def test_judge_postmaster_of_others_is_judged_like_anybody() -> None:
    postmaster = Envelope(
        recipients=(Mailbox("postmaster", "example.com"),), direction=Direction.OUTBOUND
    )
    result = judged(a_pipeline(Sees(found("GTUBE"))), postmaster)
    assert result.outcome.verdict.action is Action.REJECT


def test_report_is_json_with_every_key_whatever_is_not_known() -> None:
    result = judged(a_pipeline(), Envelope())
    report = scan_report(result.judgement, result.outcome, result.txn_id, MESSAGE)
    assert json.loads(json.dumps(report)) == report
    assert report["auth"] == {"spf": {}, "dkim": [], "dmarc": {}, "arc": {}, "iprev": {}}
    assert (report["reply"], report["symbols"], report["redirect_to"]) == ("", {}, "")
    headers = report["headers"]
    assert isinstance(headers, dict)
    assert headers["remove"] == [{"name": "X-Spam-Flag", "offset": 0}]
    assert headers["change"] == []
    added = headers["add"]
    assert isinstance(added, list)
    assert added[1] == {"name": "X-Spam-Flag", "value": "NO"}


def test_report_tells_results_by_method() -> None:
    results = (
        AuthResult("spf", Result.PASS, (("smtp.helo", "c.example"),)),
        AuthResult("spf", Result.FAIL, (("smtp.mailfrom", "a@example.net"),), "not allowed"),
        AuthResult("dkim", Result.PASS, (("header.d", "example.net"), ("header.s", "s1"))),
        AuthResult("dkim", Result.FAIL, (("header.d", "example.org"),)),
    )
    result = judged(a_pipeline(Sees(Evidence(auth=results))), Envelope())
    auth = scan_report(result.judgement, result.outcome, result.txn_id, MESSAGE)["auth"]
    assert isinstance(auth, dict)
    spf, dkim = auth["spf"], auth["dkim"]
    assert isinstance(spf, dict)
    assert isinstance(dkim, list)
    assert (spf["result"], spf["reason"]) == ("fail", "not allowed")
    assert [one["domain"] for one in dkim if isinstance(one, dict)] == [
        "example.net",
        "example.org",
    ]


def test_report_tells_the_new_subject() -> None:
    policy = POLICY + "actions: {tag: {subject_prefix: '[SPAM]'}}\n"
    result = judged(a_pipeline(Sees(found("SPF_FAIL")), policy=policy), Envelope())
    headers = scan_report(result.judgement, result.outcome, result.txn_id, MESSAGE)["headers"]
    assert isinstance(headers, dict)
    change = {"name": "Subject", "value": "[SPAM] hello", "offset": MESSAGE.index(b"Subject")}
    assert headers["change"] == [change]


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(Evidence(), False, id="nothing"),
        pytest.param(found("SPF_FAIL"), False, id="an-answer"),
        pytest.param(found("SPF_TEMPERROR"), True, id="a-temporary-symbol"),
        pytest.param(found("CHECK_ERROR"), True, id="a-failed-check"),
        pytest.param(Evidence(auth=(AuthResult("dkim", Result.TEMPERROR),)), True, id="a-result"),
    ],
)
def test_unanswered_is_what_asking_again_may_tell(evidence: Evidence, *, expected: bool) -> None:
    assert unanswered(evidence) is expected
