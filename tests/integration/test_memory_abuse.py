"""What somebody gains who tries to be trusted: days of traffic by a clock of the test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.support.senders import BUSY, DAY_H, LIKELY, OUT, PLAIN, POLICY, SENDER, STRANGERS
from tests.support.site import Clock, Sent, Site, run

if TYPE_CHECKING:
    import pytest

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


def test_rate_by_recipient_is_one_for_every_spelling_of_the_recipient(site: Any) -> None:
    async def main() -> None:
        spellings = (
            '"bob"@ours.example',
            "bob@ours.example.",
            "BOB@Ours.example",
            r'"b\ob"@ours.example',
        )
        async with site(Clock(), RATES) as ours:
            for spelling in (*spellings, "bob@ours.example"):
                one = replace(SENDER, recipients=(spelling,))
                assert (await ours.take(one)).word == "pass"
            for spelling in spellings:
                one = replace(SENDER, recipients=(spelling,))
                assert (await ours.take(one)).word == "defer"

    run(main)
