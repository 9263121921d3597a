"""Those who are turned away in one transaction: told of together where they are alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.core.address import Mailbox
from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.doors.refusals import Refusals
from milter.pipeline.aftermath import Aftermath, TurnedAway
from policies.verdict import Action, Verdict
from tests.support.pipeline import a_connection

if TYPE_CHECKING:
    from collections.abc import Callable

NO = Reply.of(550, "5.1.1 Unknown")
LATER = Reply.of(450, "4.2.0 Greylisted")
VERDICT = Verdict(Action.REJECT, 12.0, 5.0, "site", rule="LISTED")


def mailbox(name: object) -> Mailbox:
    return Mailbox(str(name), "example.org")


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.turned: list[TurnedAway] = []

    def see_turned_away(self, turned: TurnedAway) -> None:
        """Take one."""
        self.turned.append(turned)


def told(fill: Callable[[Refusals], None]) -> list[TurnedAway]:
    async def main() -> list[TurnedAway]:
        aftermath, watcher = Aftermath((), lambda: 0.0), Told()
        aftermath.watch(watcher)
        refusals = Refusals(aftermath, a_connection(), TxnId("T1"), mailbox("ann"), 0)
        fill(refusals)
        refusals.tell(came=False)
        aftermath.finish()
        return watcher.turned

    return asyncio.run(main())


def names(turned: TurnedAway) -> list[str]:
    return [each.local_part for each in turned.recipients]


def test_recipients_refused_alike_are_told_of_together_and_others_apart() -> None:
    def fill(refusals: Refusals) -> None:
        refusals.unjudged("rcpt", "refused", NO, (mailbox("one"),))
        refusals.by_policy("rcpt", VERDICT, NO, (mailbox("two"),))
        refusals.unjudged("rcpt", "refused", LATER, (mailbox("three"),))
        refusals.unjudged("rcpt", "refused", NO, (mailbox("four"),))

    assert [(names(one), one.verdict, one.reply, one.why) for one in told(fill)] == [
        (["one", "four"], None, NO, "refused"),
        (["two"], VERDICT, NO, ""),
        (["three"], None, LATER, "refused"),
    ]


def test_last_verdict_stands_for_the_transaction_and_faults_do_not() -> None:
    def fill(refusals: Refusals) -> None:
        refusals.by_policy("rcpt", VERDICT, NO, (mailbox("one"),))
        refusals.by_policy("rcpt", VERDICT, LATER, (mailbox("two"),))
        refusals.unjudged("rcpt", "refused", NO, (mailbox("three"),))

    assert [(names(one), one.decisive) for one in told(fill)] == [
        (["one"], False),
        (["two"], True),
        (["three"], False),
    ]


def test_fault_that_is_asked_about_twice_is_one() -> None:
    def fill(refusals: Refusals) -> None:
        for _ in range(2):
            refusals.unjudged("data", "too big", NO, (mailbox("one"), mailbox("two")), 100)

    (turned,) = told(fill)

    assert (names(turned), turned.size) == (["one", "two"], 100)


def test_thousands_of_recipients_and_reasons_are_bounded() -> None:
    def fill(refusals: Refusals) -> None:
        for number in range(5000):
            refusals.unjudged("rcpt", "refused", NO, (mailbox(number),))
            refusals.unjudged("rcpt", f"reason {number}", NO, (mailbox(number),))

    turned = told(fill)

    assert len(turned) == 20
    assert names(turned[0]) == [str(number) for number in range(200)]
