"""What of a message is counted, and that nobody can write himself in as somebody else."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

from milter.atlas import Atlas, open_atlas
from milter.core.connection import Connection, Direction
from milter.core.reply import Reply
from milter.pipeline.aftermath import GREETING, TurnedAway
from milter.pipeline.statistics import Statistics
from milter.settings.networks import Networks
from policies.verdict import Action, Contribution, Verdict
from reputation.errors import StoreError
from reputation.memory import MemoryStore
from reputation.statistics.figures import read_window
from reputation.statistics.windows import WINDOWS
from tests.support.mmdb import write_table
from tests.support.pipeline import a_connection
from tests.support.site import Clock, Sent, a_site
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from milter.core.connection import Connection
    from reputation.statistics.figures import Figures
    from reputation.store import Store

POLICY = """\
version: 1
name: test
thresholds: {tag: 5, reject: 12}
weights: {SPF_NONE: 0.1}
patterns:
  - {id: LOTTERY, in: subject, match: lottery, weight: 6, class: content, kind: fraud, describe: d}
  - {id: TEXT, in: body, match: nothing at all, weight: 1, describe: d}
"""
TEXT = (
    "The quarterly report is attached, please have a look at the numbers before the meeting on"
    " Thursday and tell me what you think about them."
)


def figures(
    *sent: Sent, atlas: Atlas | None = None, turned_away: Sequence[Connection] = ()
) -> Figures:
    """Return what is counted when these messages were taken."""
    clock, store = Clock(), MemoryStore(random_bytes())

    async def run() -> None:
        async with a_site(lambda: store, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, atlas or Atlas(), lambda: 0.0)
            site.aftermath.add(statistics)
            site.aftermath.watch(statistics)
            for one in sent:
                await site.take(one)
            for connection in turned_away:
                site.aftermath.turn_away(refusal(connection))
                site.aftermath.turn_away(refusal(connection)._replace(came=True))
                site.aftermath.turn_away(refusal(connection)._replace(decisive=False))
                site.aftermath.turn_away(refusal(connection)._replace(stage=GREETING))
            site.aftermath.finish()
            await statistics.finish()
            await site.memory.store.flush(5.0)
            read.append(read_window(store, WINDOWS["1h"], clock()))

    read: list[Figures] = []
    asyncio.run(run())
    return read[0]


REFUSED = Verdict(
    Action.REJECT, 15.0, 5.0, "test", contributions=(Contribution("LISTED", 15, 15),), kind="botnet"
)


def refusal(connection: Connection) -> TurnedAway:
    reply = Reply.of(550, "5.7.1 No")
    return TurnedAway(1_800_000_000.0, "T1", connection, "rcpt", REFUSED, reply, announced=5000)


def values(found: Figures, dimension: str) -> dict[str, int]:
    return {value: count.messages for value, count in found.counts.get(dimension, {}).items()}


def tops(found: Figures, dimension: str) -> dict[str, int]:
    return {entry.value: entry.messages for entry in found.tops[dimension].entries}


def test_message_is_counted_by_everything_that_is_known_of_it() -> None:
    found = figures(Sent(subject="lottery", text=TEXT), Sent(text=TEXT))

    assert values(found, "all") == {"": 2}
    assert values(found, "action") == {"pass": 1, "tag": 1}
    assert values(found, "kind") == {"fraud": 1}
    assert values(found, "direction") == {"inbound": 2}
    assert values(found, "stage") == {"message": 2}
    assert values(found, "size") == {"4096": 2}
    assert values(found, "language") == {"en": 2}
    assert values(found, "script") == {"Latin": 2}
    assert values(found, "symbol")["LOTTERY"] == 1
    assert values(found, "auth")["spf=none"] == 2
    assert found.total.unwanted == 1


def test_sources_are_counted_by_block_network_country_and_route(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "asn.mmdb",
        {"8.8.8.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "N"}},
    )
    atlas = open_atlas(Networks(asn_file=str(table)))

    found = figures(Sent(client_ip="8.8.8.8"), Sent(client_ip="198.51.100.9"), atlas=atlas)

    assert tops(found, "block") == {"8.8.8.0/24": 1, "198.51.100.0/24": 1}
    assert tops(found, "network") == {"AS64500 N": 1}
    assert tops(found, "network_route") == {"AS64500 > inbound": 1}
    assert values(found, "country") == {"US": 1, "ZZ": 1}
    assert values(found, "route") == {"US > inbound": 1, "ZZ > inbound": 1}
    assert values(found, "hops") == {"0": 2}


def test_forged_header_is_no_source() -> None:
    forged = (
        "Received: from bank.example (bank.example [8.8.8.8]) by mx.ours.example; "
        "Mon, 18 Jan 2027 08:00:00 +0000\r\nX-Originating-IP: [9.9.9.9]\r\n"
    )

    found = figures(Sent(client_ip="198.51.100.9", helo_name="[1.1.1.1]", more=forged))

    assert tops(found, "block") == {"198.51.100.0/24": 1}
    assert values(found, "country") == {"ZZ": 1}
    assert values(found, "hops") == {"0": 1}


def test_mail_that_goes_out_has_recipients_and_no_source() -> None:
    found = figures(Sent(direction=Direction.OUTBOUND, recipients=("a@There.example",)))

    assert tops(found, "recipient_domain") == {"there.example": 1}
    assert tops(found, "block") == {}
    assert values(found, "country") == {}


def test_recipients_of_one_domain_count_once() -> None:
    found = figures(Sent(recipients=("a@ours.example", "b@ours.example", "c@other.example")))

    assert tops(found, "recipient_domain") == {"ours.example": 1, "other.example": 1}


def test_near_duplicates_are_one_campaign() -> None:
    found = figures(*(Sent(subject=f"Hello {n}", text=f"{TEXT} {n}") for n in range(5)))

    assert list(tops(found, "campaign").values()) == [5]


def test_client_turned_away_before_its_data_is_counted_with_what_that_saved() -> None:
    client = a_connection("8.8.8.8")._replace(relays=(ip_address("192.0.2.25"),))

    found = figures(turned_away=[client, client])

    assert found.total == found.of("stage", "rcpt")
    assert (found.total.messages, found.total.bytes, found.total.saved) == (2, 0, 10_000)
    assert values(found, "action") == {"reject": 2}
    assert values(found, "symbol") == {"LISTED": 2}
    assert values(found, "kind") == {"botnet": 2}
    assert values(found, "hops") == {"1": 2}
    assert tops(found, "block") == {"8.8.8.0/24": 2}


def test_languages_beyond_the_allowance_are_not_told() -> None:
    found = figures(*(Sent(text=TEXT) for _ in range(30)))

    assert values(found, "language") == {"en": 20}
    assert found.total.messages == 30


def test_languages_are_told_again_when_a_clock_that_was_ahead_was_put_right() -> None:
    clock, store = Clock(), MemoryStore(random_bytes())

    async def run() -> None:
        async with a_site(lambda: store, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, Atlas(), lambda: 0.0)
            site.aftermath.add(statistics)
            clock.pass_by(hours=24)
            for _ in range(30):
                await site.take(Sent(text=TEXT))
            site.aftermath.finish()
            clock.pass_by(hours=-24)
            for _ in range(3):
                await site.take(Sent(text=TEXT))
                site.aftermath.finish()
                clock.pass_by(seconds=10)
            await statistics.finish()
            await site.memory.store.flush(5.0)
            read.append(read_window(store, WINDOWS["1h"], clock()))

    read: list[Figures] = []
    asyncio.run(run())

    assert read[0].total.messages == 3
    assert values(read[0], "language") == {"en": 2}


def test_hours_and_days_are_written_after_minutes_and_once() -> None:
    clock, store = Clock(), MemoryStore(random_bytes())
    told: list[list[int]] = []

    async def run() -> None:
        async with a_site(lambda: store, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, Atlas(), lambda: 0.0)
            site.aftermath.add(statistics)

            async def tell() -> None:
                await site.memory.store.flush(5.0)
                now = clock()
                read = [read_window(store, WINDOWS[word], now) for word in ("1h", "24h", "30d")]
                told.append([one.total.messages for one in read])

            for _ in range(2):
                await site.take(Sent())
                site.aftermath.finish()
                statistics.flush()
                await tell()
            for _ in range(2):
                await statistics.settle()
                await tell()

    asyncio.run(run())

    assert told == [[1, 0, 0], [2, 0, 0], [2, 2, 2], [2, 2, 2]]


def test_shadow_differences_are_counted_beside_the_messages() -> None:
    clock, store = Clock(), MemoryStore(random_bytes())

    async def run() -> None:
        async with a_site(lambda: store, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, Atlas(), lambda: 0.0)
            statistics.shadow_difference("next", "pass", "tag")
            await statistics.finish()
            await site.memory.store.flush(5.0)
            read.append(read_window(store, WINDOWS["1h"], clock()))

    read: list[Figures] = []
    asyncio.run(run())
    (found,) = read

    assert values(found, "shadow") == {"next: pass > tag": 1}
    assert found.total.messages == 0


def test_store_that_is_gone_harms_no_message_and_is_told() -> None:
    clock, store = Clock(), MemoryStore(random_bytes())
    reasons: list[str] = []

    async def run() -> None:
        async with a_site(lambda: store, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, Atlas(), lambda: 0.0)
            site.aftermath.add(statistics)
            await site.take(Sent())
            store.close()
            await statistics.finish()
            reasons.extend(site.counts.reasons)

    asyncio.run(run())

    assert set(reasons) == {"gone"}


def test_what_waits_for_a_store_that_cannot_be_opened_is_bounded_and_counted_later() -> None:
    clock, store, away = Clock(), MemoryStore(random_bytes()), [True]

    def opened() -> Store:
        if away:
            raise StoreError("no such folder", reason="gone")
        return store

    async def run() -> None:
        async with a_site(opened, clock, POLICY) as site:
            statistics = Statistics(site.memory.store, Atlas(), lambda: 0.0)
            site.aftermath.add(statistics)
            for _ in range(3):
                await site.take(Sent())
                site.aftermath.finish()
                await statistics.settle()
                assert not statistics._gathered
            away.clear()
            await statistics.finish()
            await site.memory.store.flush(5.0)
            read.append(read_window(store, WINDOWS["1h"], clock()))

    read: list[Figures] = []
    asyncio.run(run())

    assert sum(tops(read[0], "block").values()) == 3
