"""Checks run once each, in their stage and budget; whatever they do there is a judgement."""

from __future__ import annotations

import asyncio
import logging
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING

from milter.auth.story import story_of
from milter.checks.base import Evidence
from milter.core.address import Mailbox
from milter.core.connection import Direction
from milter.core.ids import TxnId
from milter.core.transaction import Stage
from milter.dns.turns import asker
from policies.findings import Finding
from policies.verdict import Action
from tests.support.pipeline import Asks, Sees, a_connection, a_pipeline, found, symbols

if TYPE_CHECKING:
    import pytest

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from milter.pipeline.runner import Pipeline
    from milter.pipeline.scan import Judgement

MESSAGE = b"From: a@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
SENDER = Mailbox("a", "example.net")
RECIPIENT = Mailbox("b", "example.org")
TXN = TxnId("TXN000000001")

EARLY = """\
version: 1
name: early
default_weights: true
thresholds: {reject: 12}
early: {rcpt: 10}
weights: {SPF_FAIL: 10}
"""


async def judged(pipeline: Pipeline, message: bytes = MESSAGE) -> Judgement:
    connection = pipeline.connect(a_connection())
    scan = connection.begin(TXN)
    scan.mail(SENDER, len(message))
    scan.rcpt(RECIPIENT)
    judgement = await scan.judge(message, [(scan.policy_for(RECIPIENT), False)])
    scan.close()
    connection.close()
    return judgement


class _Asked(Asks):
    """Notes on whose behalf it asks."""

    def __init__(self, stage: Stage, askers: list[int]) -> None:
        super().__init__(found("SPF_FAIL"), stage, f"asked-{stage.name}")
        self._askers = askers

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        self._askers.append(asker())
        return await super().ask(txn, message, resolver)


def test_judge_asks_on_behalf_of_the_client() -> None:
    askers: list[int] = []
    pipeline = a_pipeline(_Asked(Stage.CONNECT, askers), _Asked(Stage.MESSAGE, askers))

    asyncio.run(judged(pipeline))

    assert askers == [int(ip_address("192.0.2.7"))] * 2


def test_judge_gathers_what_every_stage_saw_in_order() -> None:
    ran: set[str] = set()
    pipeline = a_pipeline(
        Sees(found("GTUBE"), Stage.MESSAGE, "late"),
        Asks(found("IPREV_MISSING"), Stage.CONNECT, "first"),
        Asks(found("SPF_FAIL"), Stage.MAIL, "middle"),
        Sees(found("HELO_SYNTAX"), Stage.HELO, "second"),
        Asks(found("DKIM_NONE"), Stage.MESSAGE, "later"),
        observe=lambda check, *_: ran.add(check),
    )
    judgement = asyncio.run(judged(pipeline))
    expected = ["IPREV_MISSING", "HELO_SYNTAX", "SPF_FAIL", "GTUBE", "DKIM_NONE"]
    assert symbols(judgement.evidence) == expected
    assert judgement.outcomes[0].verdict.action is Action.REJECT
    assert ran == {"first", "second", "middle", "late", "later"}


def test_judge_with_nothing_to_check_passes() -> None:
    judgement = asyncio.run(judged(a_pipeline()))
    assert judgement.outcomes[0].verdict.action is Action.PASS
    assert judgement.evidence.findings == ()


def test_judge_a_check_of_another_direction_does_not_run() -> None:
    check = Sees(found("GTUBE"), directions=frozenset({Direction.OUTBOUND}))
    judgement = asyncio.run(judged(a_pipeline(check)))
    assert symbols(judgement.evidence) == []


def test_judge_a_check_that_raises_is_a_finding_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = a_pipeline(
        Sees(ZeroDivisionError("inside"), name="broken"),
        Asks(RecursionError("inside"), name="broken_too"),
        Sees(found("FROM_MISSING"), name="whole"),
    )
    with caplog.at_level(logging.ERROR, "gatepost.pipeline"):
        judgement = asyncio.run(judged(pipeline))
    assert symbols(judgement.evidence) == ["CHECK_ERROR", "CHECK_ERROR", "FROM_MISSING"]
    assert judgement.evidence.findings[0] == Finding(
        "CHECK_ERROR", "broken_too: RecursionError", {"check": "broken_too"}
    )
    assert [record.getMessage() for record in caplog.records] == ["check failed"] * 2
    assert all(record.exc_info for record in caplog.records)


def test_judge_a_check_that_does_not_answer_is_cut_off_at_the_budget() -> None:
    slow = Asks(found("SPF_FAIL"), name="slow", answered=False)
    judgement = asyncio.run(judged(a_pipeline(slow, Asks(found("DKIM_NONE")), budget_s=0.02)))
    assert symbols(judgement.evidence) == ["CHECK_ERROR", "DKIM_NONE"]
    assert judgement.evidence.findings[0].evidence == "slow: timeout"
    assert slow.cancelled == 1


def test_judge_tells_each_result_to_the_observer() -> None:
    told: list[tuple[str, str]] = []
    pipeline = a_pipeline(
        Sees(found("GTUBE"), name="good"),
        Sees(ValueError("inside"), name="bad"),
        Asks(name="slow", answered=False),
        budget_s=0.02,
        observe=lambda check, result, *_: told.append((check, result)),
    )
    asyncio.run(judged(pipeline))
    assert sorted(told) == [("bad", "error"), ("good", "ok"), ("slow", "timeout")]


def test_judge_connection_evidence_is_computed_once_for_two_transactions() -> None:
    check = Asks(found("IPREV_MISSING"), Stage.CONNECT)

    async def two() -> list[Judgement]:
        pipeline = a_pipeline(check)
        connection = pipeline.connect(a_connection())
        judgements = []
        for _ in range(2):
            scan = connection.begin(TXN)
            scan.mail(SENDER, 0)
            judgements.append(await scan.judge(MESSAGE, [(scan.policy_for(RECIPIENT), False)]))
            scan.close()
        connection.close()
        return judgements

    first, second = asyncio.run(two())
    assert check.asked == 1
    assert first.evidence.findings == second.evidence.findings


def test_connect_starts_nothing_before_the_first_transaction() -> None:
    check = Asks(stage=Stage.CONNECT)

    async def idle() -> None:
        connection = a_pipeline(check).connect(a_connection())
        await asyncio.sleep(0)
        connection.close()

    asyncio.run(idle())
    assert check.asked == 0


def test_close_cancels_what_still_runs_and_may_be_called_again() -> None:
    at_mail = Asks(answered=False, name="mail")
    at_connect = Asks(answered=False, name="connect", stage=Stage.CONNECT)

    async def abandoned() -> int:
        connection = a_pipeline(at_mail, at_connect).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(SENDER, 0)
        await asyncio.sleep(0)
        for _ in range(2):
            scan.close()
            connection.close()
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(abandoned()) == 1
    assert (at_mail.cancelled, at_connect.cancelled) == (1, 1)


def test_judge_cancelled_leaves_no_task_after_close() -> None:
    check = Asks(answered=False, stage=Stage.MESSAGE)

    async def cancelled() -> int:
        connection = a_pipeline(check).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(SENDER, 0)
        judging = asyncio.create_task(scan.judge(MESSAGE, [(scan.policy_for(RECIPIENT), False)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        judging.cancel()
        await asyncio.gather(judging, return_exceptions=True)
        scan.close()
        connection.close()
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(cancelled()) == 1
    assert check.cancelled == 1


def test_judge_a_large_message_is_looked_at_outside_the_event_loop() -> None:
    seen = Sees(found("GTUBE"))
    message = MESSAGE + b"x" * 70 + b"\r\n"
    large = MESSAGE + (b"x" * 70 + b"\r\n") * 6000
    small_judgement = asyncio.run(judged(a_pipeline(seen), message))
    large_judgement = asyncio.run(judged(a_pipeline(seen), large))
    assert symbols(small_judgement.evidence) == symbols(large_judgement.evidence) == ["GTUBE"]
    assert len(seen.seen[1].message) == len(large)


def test_judge_a_large_message_is_counted_in_the_loop_that_also_shows_the_counts() -> None:
    threads: list[tuple[str, str, int]] = []

    def observe(check: str, result: str, *_: float) -> None:
        threads.append((check, result, threading.get_ident()))

    large = MESSAGE + (b"x" * 70 + b"\r\n") * 6000
    good, bad = Sees(name="good"), Sees(ValueError("inside"), name="bad")
    asyncio.run(judged(a_pipeline(good, bad, observe=observe), large))
    here = threading.get_ident()
    assert threads == [("good", "ok", here), ("bad", "error", here)]


def test_judge_a_large_message_is_decided_outside_the_event_loop() -> None:
    turns = {"small": 0, "large": 0}

    async def judged_beside_others(name: str, message: bytes) -> None:
        async def others() -> None:
            while True:
                turns[name] += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        await judged(a_pipeline(), message)
        beside.cancel()

    large = b"X-Filler: with many friends\r\n" * 20_000 + MESSAGE
    asyncio.run(judged_beside_others("small", MESSAGE))
    asyncio.run(judged_beside_others("large", large))
    # Without checks there is nothing else to wait for.
    assert turns["small"] == 0
    assert turns["large"] > 0


def test_judge_facts_hold_envelope_and_what_checks_found() -> None:
    check = Sees(Evidence(facts={"subject": "hello", "connection": {"name": "client.example"}}))
    facts = asyncio.run(judged(a_pipeline(check))).evidence.facts
    assert facts["subject"] == "hello"
    assert facts["mail_from"] == "a@example.net"
    assert facts["recipients"] == ["b@example.org"]
    assert facts["size_bytes"] == len(MESSAGE)
    assert facts["connection"] == {
        "ip": "192.0.2.7",
        "port": 40000,
        "protocol": "ESMTP",
        "local": False,
        "name": "client.example",
    }


def test_judge_postmaster_is_marked_where_others_are_refused() -> None:
    async def both() -> Judgement:
        connection = a_pipeline(Sees(found("GTUBE"))).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(None, 0)
        postmaster = Mailbox("Postmaster", "example.org")
        groups = [(scan.policy_for(RECIPIENT), False), (scan.policy_for(postmaster), True)]
        judgement = await scan.judge(MESSAGE, groups)
        softened = scan.soften(judgement.outcomes[0])
        assert softened.verdict.action is Action.QUARANTINE
        assert softened.reply is None
        assert b"X-Gatepost-Action: quarantine\r\n" in softened.edits.add
        scan.close()
        connection.close()
        return judgement

    refused, marked = asyncio.run(both()).outcomes
    assert str(refused.reply).startswith("550 5.7.1 Message refused: ")
    assert str(refused.reply).endswith(f"({TXN})")
    assert refused.edits.add == b""
    assert marked.verdict.action is Action.QUARANTINE
    assert marked.reply is None


def test_refuse_early_without_threshold_waits_for_nothing() -> None:
    check = Asks(found("SPF_FAIL"), answered=False)

    async def early() -> object:
        connection = a_pipeline(check).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(SENDER, 0)
        refused = [
            await connection.refuse_connect(TXN),
            await scan.refuse_early((), None),
            await scan.refuse_early([scan.policy_for(RECIPIENT)], RECIPIENT),
        ]
        scan.close()
        connection.close()
        return refused

    assert asyncio.run(early()) == [None, None, None]


def test_refuse_early_at_rcpt_refuses_all_but_postmaster() -> None:
    async def early() -> tuple[object, ...]:
        connection = a_pipeline(Asks(found("SPF_FAIL")), policy=EARLY).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(SENDER, 0)
        policy = scan.policy_for(RECIPIENT)
        at_mail = await scan.refuse_early((), None)
        at_rcpt = await scan.refuse_early([policy], RECIPIENT)
        postmaster = await scan.refuse_early([policy], Mailbox("postmaster", ""))
        scan.close()
        connection.close()
        assert at_rcpt is not None
        return at_mail, str(at_rcpt.reply)[:9], postmaster

    assert asyncio.run(early()) == (None, "550 5.7.2", None)


def test_refuse_early_at_mail_waits_for_rcpt_where_an_override_is_milder() -> None:
    strict = EARLY.replace("rcpt: 10", "connect: 10")
    milder = strict + "overrides: [{match: {recipient: 'a@*'}, weights: {SPF_FAIL: 1}}]\n"

    async def early(policy: str) -> object:
        connection = a_pipeline(Asks(found("SPF_FAIL")), policy=policy).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(SENDER, 0)
        refused = await scan.refuse_early((), None)
        scan.close()
        connection.close()
        return refused and refused.verdict.action

    assert asyncio.run(early(strict)) is Action.REJECT
    assert asyncio.run(early(milder)) is None


def test_refuse_connect_waits_for_the_sender_where_an_override_may_be_milder() -> None:
    strict = EARLY.replace("rcpt: 10", "connect: 10")
    milder = strict + "overrides: [{match: {sender: 'a@*'}, weights: {SPF_FAIL: 1}}]\n"

    async def early(policy: str, sender: Mailbox) -> list[bool]:
        check = Asks(found("SPF_FAIL"), Stage.CONNECT)
        connection = a_pipeline(check, policy=policy).connect(a_connection())
        scan = connection.begin(TXN)
        scan.mail(sender, 0)
        refused = [await connection.refuse_connect(TXN), await scan.refuse_early((), None)]
        scan.close()
        connection.close()
        return [outcome is not None for outcome in refused]

    other = Mailbox("x", "example.net")
    assert asyncio.run(early(strict, SENDER)) == [True, True]
    assert asyncio.run(early(milder, SENDER)) == [False, False]
    assert asyncio.run(early(milder, other)) == [False, True]


def test_version_is_that_of_the_policies() -> None:
    assert a_pipeline().version == a_pipeline().version
    assert a_pipeline().version != a_pipeline(policy=EARLY).version


class TellsAndWaits:
    """A check that asks two names; the second never answers."""

    name = "waits"
    stage = Stage.MAIL
    directions = frozenset(Direction)
    symbols = frozenset[str]()

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Ask both."""
        await resolver.resolve("there.example", "A")
        if story := story_of(resolver):
            story.decide("one is there")
        await resolver.resolve("silent.example", "A")
        return found("SPF_PASS")


def test_judge_explaining_keeps_the_story_of_a_check_that_was_cut_off() -> None:
    names: dict[str, object] = {
        "there.example": {"A": ["192.0.2.1"]},
        "silent.example": "silence",
    }
    pipeline = a_pipeline(TellsAndWaits(), budget_s=0, names=names)

    told = asyncio.run(judged(pipeline.explaining())).evidence
    untold = asyncio.run(judged(pipeline)).evidence

    assert symbols(told) == symbols(untold) == ["CHECK_ERROR"]
    assert untold.stories == ()
    assert [story.teller for story in told.stories] == ["waits"]
    assert list(told.stories[0].lines())[:3] == [
        "? there.example A: 1 record, TTL 300 s",
        "    192.0.2.1",
        "= one is there",
    ]
