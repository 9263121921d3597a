"""What is recorded of a message after its reply."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from milter import __version__
from milter.checks.base import Evidence
from milter.core.address import Mailbox
from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.core.transaction import Transaction
from milter.message.document import Message
from milter.pipeline.aftermath import Dealt, Seen, Share
from milter.pipeline.history import Keeping, record_of
from policies.verdict import Action, Verdict
from reputation.history.journal import Journal, Keep, retention
from reputation.history.known import known_to
from reputation.memory import MemoryStore
from tests.support.pipeline import a_connection, policies
from tests.support.site import Clock, Sent, a_site
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from reputation.history.known import Known
    from reputation.history.record import Record

KEEP = Keep(
    retention(days=30, entries=1000, total_bytes=2**22),
    retention(days=7, entries=100, total_bytes=2**22),
)
NONE = Keeping(KEEP, "none", 2**20)
ZONE: dict[str, object] = {
    "sender.example": {"TXT": ["v=spf1 -all"]},
    "7.100.51.198.bl.example": {"A": ["127.0.0.4"]},
}
POLICY = """\
version: 1
name: test
default_weights: true
thresholds: {tag: 5, quarantine: 8, reject: 12}
weights: {GTUBE: 100, SPF_FAIL: 5}
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes: {"127.0.0.2": {symbol: BL, weight: 4, class: source, kind: botnet, describe: Traps}}
  - zone: wl.example
    asks: client_ip
    effect: allow
    codes: {"127.0.0.2": {symbol: WL, weight: -1, class: source, describe: Good}}
"""
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def recorded(
    sent: Sent, keeping: Keeping = NONE, policy: str = POLICY
) -> tuple[Record, bytes | None]:
    """Return the record of a message, and the message where it is kept."""
    store = MemoryStore(random_bytes())

    async def main() -> tuple[Record, bytes | None]:
        async with a_site(lambda: store, Clock(), policy, ZONE, keeping=keeping) as site:
            await site.take(sent)
            journal = Journal(store)
            (record,) = journal.latest(10)
            return record, journal.message(record.txn_id)

    return asyncio.run(main())


def test_record_says_who_got_it_in_place_of_whom() -> None:
    alice, bob, carol = [Mailbox(name, "ours.example") for name in ("alice", "bob", "carol")]
    held = Verdict(Action.QUARANTINE, 9, 5, "test", redirect_to="held@ours.example")
    refused = replace(held, action=Action.REJECT)
    shares = (
        Share("test", False, held, (alice,)),
        Share("other", False, held, (bob,)),
        Share("strict", False, refused, (carol,)),
    )
    message = b"Subject: hello\r\n\r\n"
    txn = Transaction(TxnId("T1"), a_connection(), recipients=(alice, bob, carol), message=message)
    seen = Seen(
        *(0.0, txn, Message(message), Evidence(), held, Reply.of(250, "2.0.0 Ok"), 0.0),
        dealt=Dealt(shares=shares),
    )
    there = ["alice@ours.example", "bob@ours.example"]
    assert record_of(seen, "v").redirected == {"held@ours.example": there}


def test_record_says_who_sent_what_to_whom_and_what_became_of_it() -> None:
    record, _ = recorded(Sent(recipients=("alice@ours.example", "bob@ours.example")))

    assert (record.txn_id, record.at, record.listener) == ("T1", 1_800_000_000.0, "inbound")
    assert record.direction == "inbound"
    assert record.client["ip"] == "198.51.100.7"
    assert record.client["helo"] == "mx.sender.example"
    assert record.mail_from == record.author == "someone@sender.example"
    assert record.recipients == ["alice@ours.example", "bob@ours.example"]
    assert record.rcpt_count == 2
    assert (record.message_id, record.subject) == ("<m1@sender.example>", "Hello")
    assert (record.action, record.required) == ("quarantine", 5.0)
    assert record.score == round(sum(one.counted for one in record.symbols), 2)
    assert record.policy == "test"
    assert record.version == policies(POLICY).version
    assert record.rule == "SPF_FAIL"
    assert record.delivered
    assert isinstance(record.facts["spf"], dict)
    assert record.facts["spf"]["result"] == "fail"


def test_record_has_what_lists_answered_listed_or_not() -> None:
    record, _ = recorded(Sent())

    answered = [(each.zone, each.subject, each.records, each.trouble) for each in record.answers]
    assert answered == [
        ("bl.example", "198.51.100.7", ["127.0.0.4"], ""),
        ("wl.example", "198.51.100.7", [], ""),
    ]


def test_what_policies_look_at_is_written_again_where_the_store_was_lost() -> None:
    clock, stores = Clock(), [MemoryStore(random_bytes())]

    async def main() -> list[Known | None]:
        told = []
        async with a_site(lambda: stores[-1], clock, POLICY, ZONE, keeping=NONE) as site:
            for _ in range(2):
                await site.take(Sent())
                stores[-1].close()
                stores.append(MemoryStore(random_bytes()))
            for minutes in (1, 10):
                clock.pass_by(minutes=minutes)
                await site.take(Sent())
                told.append(known_to(stores[-1], policies(POLICY).version, __version__))
        return told

    before, after = asyncio.run(main())

    assert before is None
    assert after is not None
    assert "spf" in after.checks


@pytest.mark.parametrize(
    ("keep", "text", "kept"),
    [
        pytest.param("none", GTUBE, False, id="none-asked-for"),
        pytest.param("refused", GTUBE, True, id="refused"),
        pytest.param("refused", "hello", False, id="taken-and-only-refused-are-asked-for"),
        pytest.param("all", "hello", True, id="all-asked-for"),
        pytest.param("all", "x" * 5000, False, id="larger-than-asked-for"),
    ],
)
def test_message_is_kept_as_settings_say(
    keep: Literal["none", "refused", "all"], text: str, *, kept: bool
) -> None:
    keeping = replace(NONE, messages=keep, message_bytes=4096)
    sent = Sent(client_ip="192.0.2.1", text=text, domain="else.example")

    record, message = recorded(sent, keeping)

    assert record.message_kept is kept
    assert message == (sent.message(1, Clock().now) if kept else None)


def test_record_of_hashed_history_has_no_address() -> None:
    record, _ = recorded(Sent(), replace(NONE, keep=replace(KEEP, hashed=True)))

    assert record.private
    assert "someone" not in repr(record)
    assert "alice" not in repr(record)
