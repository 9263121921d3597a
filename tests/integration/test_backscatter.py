"""Bounces at a site that sends and receives: of its own mail, and of mail that others forged."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from milter.core.connection import Direction
from reputation.memory import MemoryStore
from tests.support.site import Clock, Sent, Site, a_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OUT = Sent(
    client_ip="10.0.0.5",
    domain="ours.example",
    local="alice",
    recipients=("someone@sender.example",),
    direction=Direction.OUTBOUND,
    account="alice",
)
POLICY = """\
version: 1
name: test
extends: balanced
dns_lists: []
patterns:
  - {id: MARKED_SPAM, in: subject, match: likely spam, describe: spam, weight: 6}
"""


def a_bounce(to: str, header: str) -> Sent:
    """Return a bounce to `to` that brings `header` along."""
    return Sent(
        domain="",
        author="mailer-daemon@mx.sender.example",
        recipients=(to,),
        more="MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
        text="--b\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n--b--",
    )


def run(main: Callable[[Site, Clock], Awaitable[None]]) -> None:
    async def whole() -> None:
        clock, store = Clock(), MemoryStore(os.urandom)
        async with a_site(lambda: store, clock, POLICY) as site:
            await site.take(OUT)
            clock.pass_by(hours=10 * 24)
            await site.take(OUT)
            await main(site, clock)

    asyncio.run(whole())


async def symbols(site: Site, sent: Sent) -> set[str]:
    found = (await site.take(sent)).symbols
    return {one for one in found if one.startswith(("BOUNCE", "BACKSCATTER"))}


def test_bounce_of_what_alice_sent_is_hers() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        by_id = a_bounce("alice@ours.example", "Message-ID: <m2@ours.example>")
        assert await symbols(site, by_id) == {"BOUNCE", "BOUNCE_OURS"}

    run(main)


def test_bounce_of_what_others_sent_in_alices_name_is_backscatter() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        forged = a_bounce("alice@ours.example", "Message-ID: <m2@elsewhere.example>")
        assert await symbols(site, forged) == {"BOUNCE", "BACKSCATTER_MESSAGE"}

    run(main)


def test_bounce_to_who_never_sent_is_backscatter() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        forged = a_bounce("sales@ours.example", "Message-ID: <x@y.example>")
        assert await symbols(site, forged) == {"BOUNCE", "BACKSCATTER"}

    run(main)


def test_bounce_to_a_domain_that_sends_elsewhere_tells_nothing() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        unknown = a_bounce("a@other.example", "Message-ID: <x@y.example>")
        assert await symbols(site, unknown) == {"BOUNCE"}

    run(main)


def test_bounce_of_mail_that_we_marked_on_its_way_out_is_ours_all_the_same() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        marked = await site.take(replace(OUT, subject="likely spam", local="bob"))
        assert marked.word == "tag"
        returned = a_bounce("bob@ours.example", "Message-ID: <m3@ours.example>")
        assert await symbols(site, returned) == {"BOUNCE", "BOUNCE_OURS"}

    run(main)


def test_mail_with_a_sender_is_no_bounce() -> None:
    async def main(site: Site, _clock: Clock) -> None:
        sent = replace(
            a_bounce("sales@ours.example", "Message-ID: <x@y.example>"), domain="b.example"
        )
        assert await symbols(site, sent) == set()

    run(main)
