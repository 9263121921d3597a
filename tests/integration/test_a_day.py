"""One day of a site by the clock of the test: what each hour is to bring, as documented.

Everything is real but sockets and DNS servers; the site is started anew in between.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milter.core.connection import Direction
from policies.loader import load_policies
from reputation.sqlite import SqliteStore
from reputation.standing import standings
from reputation.subjects import Kind, Subject
from tests.support.pipeline import Texts
from tests.support.site import Clock, Sent, a_site

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pytest

    from reputation.store import Store
    from tests.support.site import Site

MIDNIGHT: Final = 1_800_057_600.0
POLICY: Final = """\
version: 1
name: day
extends: strict
dns_lists: []
weights: {IPREV_MISSING: 2}
patterns:
  - {id: LIKELY, in: subject, match: likely spam, describe: spam, weight: 5}
  - {id: SURELY, in: subject, match: surely spam, describe: spam, weight: 11}
rates:
  - {id: ACCOUNT_RATE, by: [account], limit: 20, per: 1h, describe: an account}
rules:
  - id: TOO_MUCH
    when: '"ACCOUNT_RATE" in symbols'
    action: defer
    reply: '451 4.7.1 Too much mail at once, try again {wait}'
    describe: more than the rate lets through
"""
ZONE: Final[dict[str, object]] = {
    "198.51.100.7": {"PTR": ["mx.sender.example"]},
    "mx.sender.example": {"A": ["198.51.100.7"]},
    "sender.example": {
        "TXT": ["v=spf1 ip4:198.51.100.7 -all"],
        "MX": [[10, "mx.sender.example"]],
    },
    "plain.example": {"A": ["192.0.2.50"], "MX": [[10, "plain.example"]]},
    "spam.example": {"A": ["203.0.113.66"], "MX": [[10, "spam.example"]]},
}
SENDER: Final = Sent()
PLAIN: Final = Sent(client_ip="192.0.2.50", helo_name="plain.example", domain="plain.example")
SPAMMER: Final = Sent(
    client_ip="203.0.113.66", helo_name="spam.example", domain="spam.example", subject="surely spam"
)
STOLEN: Final = Sent(
    client_ip="10.0.0.5",
    domain="ours.example",
    local="carol",
    recipients=("victim@else.example",),
    direction=Direction.OUTBOUND,
    account="carol",
)
BOB: Final = replace(STOLEN, local="bob", account="bob")
OF_SENDER: Final = Subject(Kind.AUTHOR_DOMAIN, "sender.example")
OF_SPAMMER: Final = Subject(Kind.ADDRESS, "203.0.113.66")


class Day:
    """The site, its clock and what is noted of the day.

    Args:
        folder: Where the site's store lies.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "s.db"
        self.clock = Clock(MIDNIGHT)
        self.notes: list[str] = []

    def site(self) -> AbstractAsyncContextManager[Site]:
        """Return the site; at each call it is started anew over the same store."""
        policy = load_policies(Texts({"policy.yaml": POLICY}), "policy.yaml")
        return a_site(self._open, self.clock, policy, ZONE)

    def at(self, hours: float) -> None:
        """Let time pass until so many hours after midnight."""
        assert MIDNIGHT + hours * 3600 >= self.clock.now
        self.clock.now = MIDNIGHT + hours * 3600

    def note(self, what: str) -> None:
        """Write down what is known of both senders now, and what happened."""
        store = self._open()
        known = standings(store, [OF_SENDER, OF_SPAMMER], None, self.clock.now)
        store.close()
        sender, spammer = known[OF_SENDER], known[OF_SPAMMER]
        hours = (self.clock.now - MIDNIGHT) / 3600
        self.notes.append(
            f"{int(hours):3}:{int(hours * 60) % 60:02} {sender.count:6.2f} {sender.score:+6.2f}"
            f" {sender.recent_bad:6.2f} {'yes' if sender.trusted else 'no':>8}"
            f" {spammer.score * spammer.confidence:+6.2f}  {what}"
        )

    def _open(self) -> Store:
        return SqliteStore(self._path, os.urandom, busy_timeout_s=5.0)


async def night(day: Day) -> None:
    """Greylisting: who is new waits, comes back and is known; a good sender never waits."""
    async with day.site() as site:
        assert (await site.take(PLAIN)).word == "defer"
        day.at(0.01)
        assert "GREYLIST_EARLY" in (await site.take(PLAIN)).symbols
        day.note("a stranger is deferred, and again after half a minute")
        for half_hour in range(1, 13):
            day.at(half_hour / 2)
            found = await site.take(SENDER)
            assert found.word == "pass"
            # Eight messages make the confidence that trust needs; by then they have faded a little.
            assert ("REPUTATION_GOOD" in found.symbols) == (half_hour > 9)
        day.note("twelve good messages, one each half hour: trusted after the ninth")


async def morning(day: Day) -> None:
    """After a restart all of it is still known; a stolen account is stopped, and no other."""
    async with day.site() as site:
        returned = await site.take(PLAIN)
        assert "GREYLIST_RETURNED" in returned.symbols
        assert "REPUTATION_GOOD" in (await site.take(SENDER)).symbols
        day.note("restart: the stranger is back within its day and passes")
        day.at(8)
        assert await site.words(STOLEN, 25) == ["pass"] * 20 + ["defer"] * 5
        assert (await site.take(BOB)).word == "pass"
        assert "in 3 minutes" in (await site.take(STOLEN)).reply
        day.note("a stolen account: 20 messages pass, the others wait")
        day.at(8.5)
        assert await site.words(STOLEN, 12) == ["pass"] * 10 + ["defer"] * 2
        day.note("half an hour later there is room for 10")


async def noon(day: Day) -> None:
    """Trust ends with a few marked messages; a spammer is bad after a few."""
    async with day.site() as site:
        day.at(12)
        words = []
        for _ in range(5):
            found = await site.take(replace(SENDER, subject="likely spam"))
            words.append("REPUTATION_GOOD" in found.symbols)
        # What thirteen messages earned; four end it, however many there were.
        assert words == [True, True, False, False, False]
        day.note("restart: five marked messages of the trusted one, trust ends with the second")
        for number in range(8):
            found = await site.take(SPAMMER)
            assert found.word == "reject"
            assert ("REPUTATION_BAD" in found.symbols) == (number >= 6)
        day.note("eight spams of one address: bad after the sixth")
        assert "GREYLIST_PASSED" in (await site.take(PLAIN)).symbols


async def evening(day: Day) -> None:
    """What was bad fades: by half in twelve hours for trust, in two weeks for standing."""
    async with day.site() as site:
        day.at(24)
        assert "REPUTATION_GOOD" not in (await site.take(SENDER)).symbols
        day.note("twelve hours later: less recent, not yet trusted")
        day.at(24 * 16)
        await site.words(SENDER, 20)
        assert "REPUTATION_GOOD" in (await site.take(SENDER)).symbols
        day.note("two weeks and 21 good messages later: trusted again")
        day.at(24 * 60)
        mended = await site.take(replace(SPAMMER, subject="Hello"))
        assert "REPUTATION_BAD" not in mended.symbols
        day.at(24 * 120)
        assert "REPUTATION_UNKNOWN" in (await site.take(SENDER)).symbols
        day.note("a season without mail: forgotten")


def test_a_day_of_a_site_goes_as_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = Day(tmp_path)

    async def main() -> None:
        for part in (night, morning, noon, evening):
            await part(day)

    asyncio.run(main())
    with capsys.disabled():
        head = f"{'time':>6} {'count':>6} {'score':>6} {'recent':>6} {'trusted':>8} {'spammer':>7}"
        print("\n" + "\n".join((head, *day.notes)))  # noqa: T201 - for people
