"""What the history keeps of refusals before the data, and how a flood of them is bounded."""

from __future__ import annotations

import asyncio

import pytest

from milter.core.address import Mailbox
from milter.core.reply import Reply
from milter.pipeline.aftermath import GREETING, Aftermath, TurnedAway
from milter.pipeline.refusals import Quota, RefusalKeeper
from policies.verdict import Action, Contribution, Verdict
from reputation.history.journal import Journal, Wanted
from reputation.history.told import sentence
from reputation.memory import MemoryStore
from tests.support.pipeline import a_connection
from tests.support.stores import client_of, random_bytes
from tests.unit.pipeline.test_history import KEEP

NOW = 1_800_000_000.0
VERDICT = Verdict(
    Action.REJECT,
    15.0,
    5.0,
    "strict",
    reason="the address 192.0.2.7 is listed by bl.example",
    contributions=(Contribution("LISTED", 15, 15),),
    rule="LISTED",
    trace=("15 points reach reject (12)",),
)


def refusal(number: int, ip: str = "192.0.2.7", stage: str = "rcpt") -> TurnedAway:
    connection = a_connection(client_ip=ip)
    reply = Reply.of(550, f"5.7.1 Message refused (T{number})")
    sender, to = Mailbox("ann", "client.example"), Mailbox("bob", "example.org")
    return TurnedAway(
        NOW + number, f"T{number}", connection, stage, VERDICT, reply, sender, (to,), 500
    )


def remembered(*refusals: TurnedAway) -> tuple[Journal, list[int]]:
    store, left_out = MemoryStore(random_bytes()), list[int]()

    async def main() -> None:
        client = client_of(store)
        aftermath = Aftermath((), lambda: NOW)
        aftermath.watch(RefusalKeeper(client, KEEP, "v1", lambda: left_out.append(1)))
        for each in refusals:
            aftermath.turn_away(each)
        aftermath.finish()
        await client.flush(5.0)

    asyncio.run(main())
    return Journal(store), left_out


def test_refusal_is_found_by_whoever_asks() -> None:
    journal, _ = remembered(refusal(1))

    for wanted in (
        Wanted(txn_id="T1"),
        Wanted(sender="ann@client.example"),
        Wanted(recipient="bob@example.org"),
        Wanted(client_ip="192.0.2.7"),
        Wanted(action="reject"),
    ):
        ((_, record),) = journal.search(wanted, 10)
        assert (record.txn_id, record.stage, record.rule) == ("T1", "rcpt", "LISTED")
    assert sentence(record) == (
        "Refused before its message at 2027-01-15 08:00:01 UTC: mail from ann@client.example to"
        " bob@example.org by 192.0.2.7 (client.example): the address 192.0.2.7 is listed by"
        " bl.example. The client was told 550 5.7.1 Message refused (T1). Try: gatepost policy"
        " explain T1"
    )


def test_client_refused_in_place_of_the_greeting_is_found_by_its_address() -> None:
    turned = refusal(1, stage=GREETING)._replace(mail_from=None, recipients=())
    journal, _ = remembered(turned)

    ((_, record),) = journal.search(Wanted(client_ip="192.0.2.7"), 10)

    assert sentence(record).startswith(
        "Refused in place of a greeting at 2027-01-15 08:00:01 UTC: a connection by 192.0.2.7"
    )


def test_flood_of_one_network_leaves_a_few_records_and_is_counted() -> None:
    flood = [refusal(n, f"192.0.2.{n % 250}") for n in range(300)]
    journal, left_out = remembered(*flood, refusal(301, "198.51.100.1"))

    assert len(journal.latest(1000)) == 6
    assert len(left_out) == 295
    assert journal.find("T301") is not None


def test_network_has_room_again_after_a_while() -> None:
    quota = Quota()

    kept = [quota.taken("192.0.2.0/24", NOW) for _ in range(7)]
    later = [quota.taken("192.0.2.0/24", NOW + 1200) for _ in range(3)]

    assert kept == [True] * 5 + [False] * 2
    assert later == [True, True, False]


def test_flood_of_many_networks_is_bounded_by_the_messages_that_come() -> None:
    quota = Quota()

    kept = sum(quota.taken(f"net {n}", NOW) for n in range(5000))
    for _ in range(10):
        quota.message()
    more = sum(quota.taken(f"more {n}", NOW) for n in range(100))
    tomorrow = sum(quota.taken(f"other {n}", NOW + 43_200) for n in range(5000))

    assert (kept, more, tomorrow) == (1000, 10, 500)


def test_networks_that_are_counted_are_bounded() -> None:
    quota = Quota()

    for n in range(30_000):
        quota.taken(f"net {n}", NOW)

    assert len(quota._networks) == 10_000


def unjudged(why: str, reply: Reply, stage: str, size: int = 0) -> TurnedAway:
    turned = refusal(1, stage=stage)
    return turned._replace(verdict=None, why=why, reply=reply, size=size)


@pytest.mark.parametrize(
    ("turned", "action", "told"),
    [
        pytest.param(
            unjudged(
                "the next mail server refused it", Reply.of(550, "5.1.1 <bob> unknown"), "rcpt"
            ),
            "reject",
            "Refused before its message at 2027-01-15 08:00:01 UTC: mail from ann@client.example to"
            " bob@example.org by 192.0.2.7 (client.example): the next mail server refused it. The"
            " client was told 550 5.1.1 <bob> unknown.",
            id="next-hop-does-not-know-the-recipient",
        ),
        pytest.param(
            unjudged("the message has a bare CR or LF", Reply.of(550, "5.5.2 No"), "data", 90),
            "reject",
            "Refused unjudged at 2027-01-15 08:00:01 UTC: mail from ann@client.example to"
            " bob@example.org by 192.0.2.7 (client.example): the message has a bare CR or LF. The"
            " client was told 550 5.5.2 No.",
            id="message-that-cannot-be-taken",
        ),
        pytest.param(
            unjudged(
                "the next mail server h:25: connect: refused", Reply.of(451, "4.4.1 x"), "mail"
            ),
            "defer",
            "Deferred before recipient and message at 2027-01-15 08:00:01 UTC: mail from"
            " ann@client.example to bob@example.org by 192.0.2.7 (client.example): the next mail"
            " server h:25: connect: refused. The client was told 451 4.4.1 x.",
            id="next-hop-is-down",
        ),
    ],
)
def test_mail_that_no_policy_judged_has_a_record_that_says_why(
    turned: TurnedAway, action: str, told: str
) -> None:
    journal, _ = remembered(turned)

    ((_, record),) = journal.search(Wanted(action=action), 10)
    assert (record.stage, record.policy, record.size_bytes) == (turned.stage, "", turned.size)
    assert sentence(record) == told
