"""Days of traffic by a clock of the test: greylisting, standing and trust grow as documented.

Everything is real but sockets and DNS servers: checks, policy, a store in a file, restarts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reputation.subjects import Kind, Subject
from tests.support.senders import DAY_H, OUT, PLAIN, SENDER, STRICT
from tests.support.site import Clock, Sent, run

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize("spelled", ["old-list@ours.example", '"old-list"@OURS.example.'])
def test_trap_teaches_and_its_sender_is_not_told(site: Any, spelled: str) -> None:
    async def main() -> None:
        trap = "old-list@ours.example"
        async with site(Clock(), traps=[trap]) as ours:
            to_trap = Sent(
                client_ip="192.0.2.50",
                helo_name="plain.example",
                domain="plain.example",
                recipients=(spelled,),
            )
            usual = await ours.take(PLAIN)
            trapped = await ours.take(to_trap)
            assert "SPAMTRAP" in trapped.symbols
            assert (trapped.word, trapped.score) == (usual.word, usual.score)
            await ours.take(to_trap)
            assert "REPUTATION_BAD" in (await ours.take(PLAIN)).symbols

    run(main)


# Correspondents.


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


def test_correspondent_who_is_imitated_is_told_to_all_of_the_domain(site: Any) -> None:
    async def main() -> None:
        clock = Clock()
        imitation = replace(
            PLAIN, author="someone@semder.example", recipients=("bob@ours.example",)
        )
        async with site(clock) as ours:
            assert "LOOKALIKE_KNOWN_MEDIUM" not in (await ours.take(imitation)).symbols
            await ours.take(OUT)
        async with site(clock) as ours:
            assert "LOOKALIKE_KNOWN_MEDIUM" in (await ours.take(imitation)).symbols
            assert not [one for one in (await ours.take(SENDER)).symbols if "LOOKALIKE" in one]
            clock.pass_by(hours=181 * DAY_H)
            assert "LOOKALIKE_KNOWN_MEDIUM" not in (await ours.take(imitation)).symbols

    run(main)


def test_correspondent_of_mail_that_we_marked_is_none(site: Any) -> None:
    async def main() -> None:
        async with site(Clock()) as ours:
            assert (await ours.take(replace(OUT, subject="likely spam"))).word == "tag"
            assert "KNOWN_CORRESPONDENT" not in (await ours.take(SENDER)).symbols

    run(main)
