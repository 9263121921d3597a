"""Days of traffic by a clock of the test: greylisting, standing and trust grow as documented.

Everything is real but sockets and DNS servers: checks, policy, a store in a file, restarts.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from milter.core.connection import Direction
from policies.loader import load_policies
from reputation.sqlite import SqliteStore
from reputation.subjects import Kind, Subject
from tests.support.pipeline import Texts
from tests.support.site import Clock, Sent, Site, a_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from reputation.store import Store

DAY_H = 24

# Each sender has a name for its address; what else is known of them differs.
ZONE: dict[str, object] = {
    "198.51.100.7": {"PTR": ["mx.sender.example"]},
    "mx.sender.example": {"A": ["198.51.100.7"]},
    "sender.example": {
        "TXT": ["v=spf1 ip4:198.51.100.0/24 -all"],
        "MX": [[10, "mx.sender.example"]],
    },
    "_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]},
    # A large sender whose second try comes from anywhere.
    "pool.example": {"TXT": ["v=spf1 ip4:203.0.113.0/24 ip4:198.51.100.0/24 -all"]},
    # Nobody vouches for it.
    "plain.example": {"A": ["192.0.2.50"], "MX": [[10, "plain.example"]]},
}


def a_sender(name: str, client_ip: str) -> Sent:
    """Return mail of a sender with all papers in order, of whom the zone knows then."""
    ZONE[client_ip] = {"PTR": [f"mx.{name}"]}
    ZONE[f"mx.{name}"] = {"A": [client_ip]}
    ZONE[name] = {"TXT": [f"v=spf1 ip4:{client_ip} -all"], "MX": [[10, f"mx.{name}"]]}
    return Sent(client_ip=client_ip, helo_name=f"mx.{name}", domain=name)


BUSY = a_sender("busy.example", "203.0.113.5")
STRANGERS = [a_sender(f"stranger{n}.example", f"192.0.2.{100 + n}") for n in range(3)]
# The words by which spam is known, and the points of what surely is some and of what may be.
POLICY = """\
version: 1
name: test
extends: balanced
dns_lists: []
weights: {IPREV_MISSING: 2}
patterns:
  - {id: SURE_SPAM, in: subject, match: surely spam, describe: spam, weight: 9}
  - {id: MARKED_SPAM, in: subject, match: likely spam, describe: spam, weight: 6}
"""
# Just what is marked: the least that trust could make unmarked.
LIKELY = POLICY.replace("weight: 6", "weight: 5.6")
STRICT = POLICY.replace("balanced", "strict")

SENDER = Sent()
PLAIN = Sent(client_ip="192.0.2.50", helo_name="plain.example", domain="plain.example")


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Site]]:
    """A site over a file; called again, the same site after a restart."""

    def open_store() -> Store:
        return SqliteStore(tmp_path / "s.db", os.urandom, busy_timeout_s=5.0)

    def make(clock: Clock, policy: str = POLICY, **more: Any) -> AbstractAsyncContextManager[Site]:
        chosen = load_policies(Texts({"policy.yaml": policy}), "policy.yaml")
        return a_site(open_store, clock, chosen, ZONE, **more)

    return make


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(main())  # type: ignore[arg-type]


# Greylisting (RFC 6647).


@pytest.mark.parametrize(
    ("waited_s", "word"),
    [
        pytest.param(59, "defer", id="59-seconds"),
        pytest.param(61, "pass", id="61-seconds"),
        pytest.param(24 * 3600 - 1, "pass", id="within-a-day"),
        pytest.param(25 * 3600, "defer", id="25-hours"),
    ],
)
def test_greylist_second_try_counts_from_a_minute_to_a_day_and_over_a_restart(
    site: Any, waited_s: float, word: str
) -> None:
    async def main() -> None:
        clock = Clock()
        async with site(clock, STRICT) as before:
            first = await before.take(PLAIN)
            assert first.word == "defer"
            assert first.reply.startswith("451 4.7.1 ")
        clock.pass_by(seconds=waited_s)
        async with site(clock, STRICT) as after:
            assert (await after.take(PLAIN)).word == word

    run(main)


def test_greylist_tries_that_come_too_soon_do_not_begin_the_wait_again(site: Any) -> None:
    async def main() -> None:
        async with site(Clock(), STRICT) as ours:
            words = await ours.words(PLAIN, 4, every_s=25)
            assert words == ["defer", "defer", "defer", "pass"]

    run(main)


def test_greylist_who_passed_is_known_for_a_month_to_every_recipient(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        async with site(clock, STRICT) as ours:
            assert await ours.words(PLAIN, 2, every_s=120) == ["defer", "pass"]
            other = Sent(
                client_ip="192.0.2.51",
                helo_name="plain.example",
                domain="plain.example",
                recipients=("bob@ours.example",),
            )
            clock.pass_by(hours=20 * DAY_H)
            assert (await ours.take(other)).word == "pass"
            clock.pass_by(hours=37 * DAY_H)
            assert (await ours.take(other)).word == "defer"

    run(main)


def test_greylist_second_try_from_another_address_of_a_pool_is_the_same_sender(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        async with site(clock, STRICT) as ours:
            tries = [
                Sent(client_ip=ip, helo_name="out.pool.example", domain="pool.example")
                for ip in ("203.0.113.9", "198.51.100.200")
            ]
            assert (await ours.take(tries[0])).word == "defer"
            clock.pass_by(minutes=5)
            found = await ours.take(tries[1])
            assert found.word == "tag"
            assert "GREYLIST_RETURNED" in found.symbols

    run(main)


def test_greylist_waits_only_where_something_speaks_against_the_message(site: Any) -> None:
    async def main() -> None:
        async with site(Clock(), STRICT) as ours:
            found = await ours.take(SENDER)
            assert (found.word, "GREYLIST_NEW" in found.symbols) == ("pass", True)
            # It was taken: nothing waits for a second try.
            assert (await ours.take(SENDER)).symbols >= {"GREYLIST_NEW"}

    run(main)


def test_greylist_is_off_in_balanced(site: Any) -> None:
    async def main() -> None:
        async with site(Clock()) as ours:
            found = await ours.take(PLAIN)
            assert (found.word, found.symbols & {"GREYLIST_NEW"}) == ("pass", set())

    run(main)


def test_greylist_code_that_somebody_waits_for_does_not_wait_where_its_author_is_proven(
    site: Any,
) -> None:
    async def main() -> None:
        policy = STRICT + "  - {id: WEAK, in: subject, match: code, describe: x, weight: 2}\n"
        code = replace(SENDER, subject="Your login code is 482913")
        async with site(Clock(), policy) as ours:
            assert (await ours.take(replace(PLAIN, subject=code.subject))).word == "defer"
            assert (await ours.take(code)).word == "pass"

    run(main)


# Standing.


def test_standing_grows_with_wanted_mail_and_is_forgotten_after_a_season(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        async with site(clock) as ours:
            first = await ours.take(SENDER)
            assert "REPUTATION_UNKNOWN" in first.symbols
            await ours.words(SENDER, 20, every_s=3600)
        async with site(clock) as ours:
            assert "REPUTATION_GOOD" in (await ours.take(SENDER)).symbols
            clock.pass_by(hours=28 * DAY_H)
            assert not (await ours.take(SENDER)).symbols & {"REPUTATION_GOOD", "REPUTATION_UNKNOWN"}
            clock.pass_by(hours=91 * DAY_H)
            assert "REPUTATION_UNKNOWN" in (await ours.take(SENDER)).symbols

    run(main)


def test_standing_of_a_spammer_counts_against_its_next_message(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        spam = Sent(
            client_ip="192.0.2.50",
            helo_name="plain.example",
            domain="plain.example",
            subject="surely spam",
        )
        async with site(clock) as ours:
            await ours.words(spam, 10, every_s=600)
            found = await ours.take(PLAIN)
            assert found.symbols >= {"REPUTATION_BAD", "REPUTATION_BAD_NEARBY"}
            neighbour = Sent(
                client_ip="192.0.2.99", helo_name="other.example", domain="plain.example"
            )
            near = await ours.take(neighbour)
            assert "REPUTATION_BAD_NEARBY" in near.symbols

    run(main)


def test_standing_of_a_network_counts_for_its_other_addresses(site: Any) -> None:
    async def main() -> None:
        spam = replace(PLAIN, subject="surely spam")
        same = {"192.0.2.50", "203.0.113.99"}

        def places(client: Any) -> tuple[Subject, ...]:
            return (Subject(Kind.ASN, "64500"),) if str(client) in same else ()

        async with site(Clock(), places=places) as ours:
            await ours.words(spam, 10, every_s=600)
            for address, is_near in (("203.0.113.99", True), ("203.0.113.100", False)):
                far = Sent(client_ip=address, helo_name="x.example", domain="other.example")
                assert ("REPUTATION_BAD_NEARBY" in (await ours.take(far)).symbols) is is_near

    run(main)


def test_standing_is_shown_as_facts_and_kept_as_hashes_where_privacy_asks(
    site: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with site(Clock(), hashed=True) as ours:
            await ours.words(SENDER, 20)
            assert "REPUTATION_GOOD" in (await ours.take(SENDER)).symbols

    run(main)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"sender.example" not in kept
    assert b"198.51.100" not in kept


def test_trap_teaches_and_its_sender_is_not_told(site: Any) -> None:
    async def main() -> None:
        trap = "old-list@ours.example"
        async with site(Clock(), traps=[trap]) as ours:
            to_trap = Sent(
                client_ip="192.0.2.50",
                helo_name="plain.example",
                domain="plain.example",
                recipients=(trap,),
            )
            usual = await ours.take(PLAIN)
            trapped = await ours.take(to_trap)
            assert "SPAMTRAP" in trapped.symbols
            assert (trapped.word, trapped.score) == (usual.word, usual.score)
            await ours.take(to_trap)
            assert "REPUTATION_BAD" in (await ours.take(PLAIN)).symbols

    run(main)


# Correspondents.

OUT = Sent(
    client_ip="10.0.0.5",
    domain="ours.example",
    local="alice",
    recipients=("someone@sender.example",),
    direction=Direction.OUTBOUND,
    account="alice",
)


def test_correspondent_is_welcome_back_where_the_author_is_proven(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        async with site(clock) as ours:
            await ours.take(replace(OUT, local="bob", account="bob"))
            # Another of us wrote to them.
            assert "KNOWN_CORRESPONDENT" not in (await ours.take(SENDER)).symbols
            await ours.take(OUT)
        clock.pass_by(hours=100 * DAY_H)
        async with site(clock) as ours:
            assert "KNOWN_CORRESPONDENT" in (await ours.take(SENDER)).symbols
            spoofed = replace(SENDER, client_ip="192.0.2.50", helo_name="plain.example")
            assert "KNOWN_CORRESPONDENT" not in (await ours.take(spoofed)).symbols
            clock.pass_by(hours=100 * DAY_H)
            assert "KNOWN_CORRESPONDENT" not in (await ours.take(SENDER)).symbols

    run(main)


def test_correspondent_who_answers_our_message_is_known_without_any_proof(site: Any) -> None:
    async def main() -> None:
        async with site(Clock()) as ours:
            await ours.take(OUT)
            answer = replace(PLAIN, more="In-Reply-To: <m1@ours.example>\r\n")
            assert "ANSWER_TO_OURS" in (await ours.take(answer)).symbols
            # The id belongs to alice: it opens no other mailbox.
            elsewhere = replace(answer, recipients=("bob@ours.example",))
            assert "ANSWER_TO_OURS" not in (await ours.take(elsewhere)).symbols

    run(main)


def test_correspondent_of_mail_that_we_marked_is_none(site: Any) -> None:
    async def main() -> None:
        async with site(Clock()) as ours:
            assert (await ours.take(replace(OUT, subject="likely spam"))).word == "tag"
            assert "KNOWN_CORRESPONDENT" not in (await ours.take(SENDER)).symbols

    run(main)


# Poisoning: what each trick gains, next to a sender whom nobody knows.


def spam_of(sent: Sent) -> Sent:
    return replace(sent, subject="likely spam")


async def attack(name: str, ours: Site, bad: Sent, rows: list[str]) -> None:
    """Send spam for a day; what got through is what a stranger's would not have."""
    stranger = (await ours.take(spam_of(STRANGERS[len(rows)]))).word
    words = await ours.words(bad, 48, every_s=1800)
    through = [number for number, word in enumerate(words) if word == "pass"]
    hours = (through[-1] + 1) / 2 if through else 0
    rows.append(f"{name:28} {stranger:9} {len(through):12} {hours:7}")
    assert stranger == "tag"
    assert len(through) <= 10
    assert hours <= DAY_H


def test_poisoning_gains_little_and_not_for_long(
    site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[str] = []

    async def main() -> None:
        async with site(Clock(), LIKELY) as ours:
            await ours.words(SENDER, 7 * 48, every_s=1800)
            trusted = await ours.take(SENDER)
            assert "REPUTATION_GOOD" in trusted.symbols
            spoofing = replace(PLAIN, author="someone@sender.example")
            await attack("spoofs a trusted domain", ours, spam_of(spoofing), rows)
            # Whom it spoofed is worth what it was.
            after = await ours.take(SENDER)
            assert "REPUTATION_GOOD" in after.symbols
            assert after.score == trusted.score
            await attack("good for a week, then spam", ours, spam_of(SENDER), rows)
            await ours.words(BUSY, 7 * 24 * 6, every_s=600)
            await attack("busy for a week, then spam", ours, spam_of(BUSY), rows)

    run(main)
    with capsys.disabled():
        table = "\n".join(rows)
        print(f"\n{'trick':28} stranger  got through   hours\n{table}")  # noqa: T201 - for people


# Rates.

RATES = (
    POLICY
    + """\
rates:
  - {id: ACCOUNT_RATE, by: [account], of: recipients, limit: 20, per: 1h, describe: an account}
  - {id: PAIR_RATE, by: [sender_domain, recipient], limit: 5, per: 10m, describe: to one mailbox}
rules:
  - id: TOO_MUCH
    when: '"ACCOUNT_RATE" in symbols || "PAIR_RATE" in symbols'
    action: defer
    reply: '451 4.7.1 Too much mail at once, try again {wait} ({txn_id})'
    describe: more than the rates let through
"""
)


def test_rate_holds_a_stolen_account_back_and_no_other(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        stolen = [replace(OUT, recipients=(f"v{n}@victim.example",)) for n in range(30)]
        async with site(clock, RATES) as ours:
            words = [(await ours.take(one)).word for one in stolen[:25]]
            assert words == ["pass"] * 20 + ["defer"] * 5
            other = replace(OUT, local="bob", account="bob")
            assert (await ours.take(other)).word == "pass"
        # The bucket is shared by all workers and outlives them.
        async with site(clock, RATES) as ours:
            found = await ours.take(stolen[25])
            assert found.reply.startswith(
                "451 4.7.1 Too much mail at once, try again in 3 minutes ("
            )
            clock.pass_by(minutes=3)
            assert await ours.words(stolen[26], 2) == ["pass", "defer"]

    run(main)


def test_rate_of_recipients_counts_each_and_a_large_message_passes_an_idle_account(
    site: Any,
) -> None:
    async def main() -> None:
        clock = Clock()
        many = replace(OUT, recipients=tuple(f"r{n}@many.example" for n in range(50)))
        async with site(clock, RATES) as ours:
            assert (await ours.take(many)).word == "pass"
            assert (await ours.take(OUT)).word == "defer"
            clock.pass_by(hours=1)
            assert (await ours.take(many)).word == "pass"

    run(main)


def test_rate_by_recipient_holds_back_what_is_for_one_and_not_for_another(site: Any) -> None:
    async def main() -> None:
        async with site(Clock(), RATES) as ours:
            assert await ours.words(SENDER, 7) == ["pass"] * 5 + ["defer"] * 2
            assert (
                await ours.take(replace(SENDER, recipients=("bob@ours.example",)))
            ).word == "pass"
            both = replace(SENDER, recipients=("bob@ours.example", "alice@ours.example"))
            assert (await ours.take(both)).symbols >= {"PAIR_RATE"}
            # What was held back for the one did not use up the other's.
            last = replace(SENDER, recipients=("bob@ours.example",))
            assert await ours.words(last, 5) == ["pass"] * 4 + ["defer"]

    run(main)
