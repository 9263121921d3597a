"""What is not asked about a message that is refused anyway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from milter.core.address import Mailbox
from milter.core.ids import TxnId
from milter.core.transaction import Stage
from policies.verdict import Action
from tests.support.pipeline import Asks, Combines, Sees, a_connection, a_pipeline, found

if TYPE_CHECKING:
    from milter.checks.base import Check
    from milter.pipeline.runner import Pipeline
    from milter.pipeline.scan import Judgement

MESSAGE = b"From: a@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
SENDER, RECIPIENT = Mailbox("a", "example.net"), Mailbox("b", "example.org")
TXN = TxnId("TXN000000001")
REFUSED = found("GTUBE")


@dataclass
class Spared(Asks):
    """A check that asks until the message is decided."""

    stage: Stage = Stage.MESSAGE
    name: str = "spared"
    until_decided: bool = True


@dataclass
class SparedCombine(Combines):
    """A check that combines until the message is decided."""

    until_decided: bool = True


async def judged(
    pipeline: Pipeline, message: bytes = MESSAGE, *, postmaster: bool = False
) -> Judgement:
    connection = pipeline.connect(a_connection())
    scan = connection.begin(TXN)
    scan.mail(SENDER, len(message))
    # What the client sends next takes its time.
    await asyncio.sleep(0)
    scan.rcpt(RECIPIENT)
    judgement = await scan.judge(message, [(scan.policy_for(RECIPIENT), postmaster)])
    scan.close()
    connection.close()
    return judgement


@pytest.mark.parametrize(
    "decisive",
    [
        pytest.param(Sees(REFUSED), id="by-what-the-message-shows"),
        pytest.param(Sees(REFUSED, Stage.CONNECT), id="by-the-client"),
        pytest.param(Asks(REFUSED, Stage.MAIL), id="by-what-was-answered-before-the-message"),
    ],
)
def test_decided_message_asks_no_more(decisive: Check) -> None:
    spared, plain = Spared(), Asks(stage=Stage.MESSAGE)

    judgement = asyncio.run(judged(a_pipeline(decisive, spared, plain)))

    assert judgement.outcomes[0].verdict.action is Action.REJECT
    assert (spared.asked, plain.asked) == (0, 1)


def test_large_decided_message_asks_no_more() -> None:
    spared = Spared()

    asyncio.run(judged(a_pipeline(Sees(REFUSED), spared), MESSAGE + b"x\r\n" * 100_000))

    assert spared.asked == 0


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(Sees(found("SPF_FAIL")), id="little-speaks-against-it"),
        pytest.param(Asks(REFUSED, Stage.MESSAGE), id="asked-at-the-same-time"),
    ],
)
def test_open_message_asks(seen: Check) -> None:
    spared = Spared()

    asyncio.run(judged(a_pipeline(seen, spared)))

    assert spared.asked == 1


def test_message_to_postmaster_asks_for_it_is_not_refused() -> None:
    spared = Spared()

    asyncio.run(judged(a_pipeline(Sees(REFUSED), spared), postmaster=True))

    assert spared.asked == 1


def test_what_combines_is_spared_by_what_was_answered() -> None:
    spared, plain = SparedCombine(name="spared"), Combines()

    asyncio.run(judged(a_pipeline(Asks(REFUSED, Stage.MESSAGE), spared, plain)))

    assert (len(spared.known), len(plain.known)) == (0, 1)


def test_reader_is_told_why_nothing_was_asked() -> None:
    pipeline = a_pipeline(Sees(REFUSED), Spared(), SparedCombine(name="signers")).explaining()

    judgement = asyncio.run(judged(pipeline))

    told = [(story.teller, *story.lines()) for story in judgement.evidence.stories]
    words = "= not asked, for the message is refused in any case"
    assert told == [("spared", words), ("signers", words)]
