"""A message of the history judged again: the same, or what judging it anew would have been."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import pytest

from milter.checks.catalogue import Means, build_checks
from milter.core.address import Mailbox
from milter.core.connection import Tls
from milter.core.ids import SessionId, TxnId
from milter.core.reply import Reply
from milter.dns.fake import FakeResolver
from milter.doors.replay import Past, Replay, Replayed, transaction_of
from milter.pipeline.aftermath import Seen
from milter.pipeline.history import client_of, known_of, record_of
from milter.pipeline.offline import Envelope, Judged, judge
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from reputation.history.record import packed, unpacked
from tests.support.checks import a_transaction
from tests.support.corpora import corpus
from tests.support.pipeline import policies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.select import PolicySet
    from policies.verdict import Verdict
    from reputation.history.record import Record

NOW = 1_800_000_000.0
LISTS = """\
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes:
      "127.0.0.2": {symbol: BL_A, weight: 4, class: source, kind: botnet, describe: Traps}
      "127.0.0.4": {symbol: BL_B, weight: %s, class: source, kind: botnet, describe: Others}
"""
BASE = """\
version: 1
name: base
extends: balanced
"""
OLD = BASE + LISTS % "1.5"
OTHER_CODES = BASE + LISTS % "7" + "weights: {SPF_FAIL: 1, DATE_MISSING: 0}\nthresholds: {tag: 4}\n"
PATTERNS = """\
patterns:
  - {id: MONEY, in: text, match: 'money|dollars', class: content, kind: fraud,
     describe: Money, weight: 3}
  - {id: RE_SUBJECT, in: subject, match: '(?i)^re:', class: content, kind: other,
     describe: An answer, weight: -1}
  - {id: NEWS_SENDER, in: mail_from, match: 'news', class: source, kind: other,
     describe: News, weight: 2}
rules:
  - {id: MANY_LINKS, when: 'urls.size() > 5', weight: 1.25, describe: Many links}
"""
NEW = OTHER_CODES + PATTERNS
ZONE: dict[str, object] = {
    "sender.example": {"TXT": ["v=spf1 -all"]},
    "7.100.51.198.bl.example": {"A": ["127.0.0.4"]},
}


class Made(NamedTuple):
    """Policies with what judges by them."""

    policies: PolicySet
    pipeline: Pipeline
    replay: Replay


def made(text: str, zone: dict[str, object] | None = None) -> Made:
    chosen = policies(text)
    checks = build_checks(chosen.plan, Means("mx.ours.example", lambda: NOW))
    pipeline = Pipeline(
        checks=checks,
        policies=chosen,
        resolver=FakeResolver(ZONE if zone is None else zone),
        identity=Identity("mx.ours.example", "mx.ours.example"),
        budget_s=20.0,
    )
    return Made(chosen, pipeline, Replay(chosen, checks))


ENVELOPE = Envelope(
    client_ip=ip_address("198.51.100.7"),
    helo_name="mx.sender.example",
    mail_from=Mailbox("someone", "sender.example"),
    mail_from_known=True,
    recipients=(Mailbox("alice", "ours.example"),),
    listener="inbound",
)
PLAIN = b"From: <a@sender.example>\r\nSubject: Re: hello\r\n\r\nSome money for you\r\n"


async def recorded(by: Made, message: bytes, envelope: Envelope = ENVELOPE) -> tuple[Judged, Past]:
    """Return a message judged, and what the history has of it, as it comes out of the store."""
    judged = await judge(by.pipeline, message, envelope, TxnId("T1"), SessionId("S1"))
    judgement = judged.judgement
    seen = Seen(
        *(NOW, judgement.txn, judgement.message, judgement.evidence, judged.outcome.verdict),
        *(judged.outcome.reply or Reply.of(250, "2.0.0 Ok"), 0.1),
    )
    record = unpacked(packed(record_of(seen, by.policies.version)))
    return judged, Past(record, known_of(by.pipeline))


def both(
    old: str, new: str, message: bytes = PLAIN, *, kept: bool = True, zone: object = None
) -> tuple[Verdict, Replayed]:
    """Return what `new` says of a message anew, and of its record under `old`."""

    async def main() -> tuple[Verdict, Replayed]:
        first, second = made(old), made(new)
        _, past = await recorded(first, message)
        anew, _ = await recorded(second, message)
        past = replace(past, message=message if kept else None)
        return anew.outcome.verdict, await second.replay.judge(past)

    return asyncio.run(main())


def test_record_keeps_all_that_was_told_of_the_client() -> None:
    told = a_transaction(told_name="mx.sender.example").connection
    client = told._replace(
        client_port=4711, relays=(ip_address("10.0.0.1"),), told_reverse_name="dsl-7.example",
        destination_ip=ip_address("192.0.2.1"), destination_port=25, early_talker=True,
        tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"), account="ann", ident="4ABC",
        local_source=True,
    )  # fmt: skip
    made_by = made(OLD)

    async def main() -> Record:
        _, past = await recorded(made_by, PLAIN)
        return past.record

    record = replace(asyncio.run(main()), client=client_of(client), session_id=client.session_id)

    assert transaction_of(record).connection == client


@pytest.mark.parametrize("kept", [True, False], ids=["message-kept", "record-alone"])
def test_replay_under_the_same_policy_is_the_same_verdict(*, kept: bool) -> None:
    anew, again = both(OLD, OLD, kept=kept)

    assert again.verdict == anew
    assert again.unknown == ()


@pytest.mark.parametrize("kept", [True, False], ids=["message-kept", "record-alone"])
def test_replay_with_other_codes_and_weights_is_as_judged_anew(*, kept: bool) -> None:
    anew, again = both(OLD, OTHER_CODES, kept=kept)

    assert again.verdict == anew
    assert "BL_B" in {one.symbol for one in again.verdict.contributions}
    assert again.unknown == ()


def test_replay_with_new_patterns_matches_them_on_the_kept_message() -> None:
    anew, again = both(OLD, NEW)

    assert again.verdict == anew
    assert {"MONEY", "RE_SUBJECT"} <= {one.symbol for one in again.verdict.contributions}
    assert again.unknown == ()


def test_replay_without_the_message_says_which_patterns_it_cannot_know() -> None:
    anew, again = both(OLD, NEW)
    _, blind = both(OLD, NEW, kept=False)

    assert blind.unknown == ("MONEY", "RE_SUBJECT")
    counted = {one.symbol for one in blind.verdict.contributions}
    assert counted == {one.symbol for one in anew.contributions} - {"MONEY", "RE_SUBJECT"}
    assert again.unknown == ()


def test_replay_under_a_list_that_was_not_asked_says_so() -> None:
    more = OLD + (
        "  - zone: else.example\n    asks: client_ip\n    effect: block\n    codes: "
        '{"127.0.0.2": {symbol: ELSE, weight: 4, class: source, kind: other, describe: x}}\n'
    )
    _, again = both(OLD, more)

    assert again.unknown == ("ELSE",)


def test_replay_runs_checks_that_did_not_run_then() -> None:
    bare = "version: 1\nname: bare\nthresholds: {tag: 5}\nweights: {SPF_FAIL: 3}\n"
    counts = bare.replace("SPF_FAIL: 3", "SPF_FAIL: 3, DATE_MISSING: 1, HELO_IS_OURS: 2")

    anew, again = both(bare, counts)
    _, blind = both(bare, counts, kept=False)

    assert again.verdict == anew
    assert "DATE_MISSING" in {one.symbol for one in again.verdict.contributions}
    assert blind.unknown == ("DATE_MISSING",)


def test_replay_under_overrides_judges_each_recipient() -> None:
    milder = BASE + (
        "overrides:\n  - match: {recipient: 'bob@ours.example'}\n    thresholds: {reject: 50}\n"
        "    weights: {SPF_FAIL: 0}\n"
    )

    async def main() -> Replayed:
        first, second = made(OLD), made(milder)
        recipients = (Mailbox("bob", "ours.example"),)
        _, past = await recorded(first, PLAIN, replace(ENVELOPE, recipients=recipients))
        return await second.replay.judge(past)

    again = asyncio.run(main())
    assert again.verdict.policy == "base+1"
    assert "SPF_FAIL" not in {one.symbol for one in again.verdict.contributions}


def test_replay_of_a_record_that_lost_facts_says_which_rules_read() -> None:
    async def main() -> Replayed:
        first, second = made(OLD), made(NEW)
        _, past = await recorded(first, PLAIN)
        facts = {k: v for k, v in past.record.facts.items() if k != "urls"}
        lost = replace(past.record, facts=facts, cut=["urls"])
        return await second.replay.judge(replace(past, record=lost))

    assert asyncio.run(main()).unknown == ("MONEY", "RE_SUBJECT", "urls")


def mail() -> Iterable[bytes]:
    yield from corpus("spamassassin", 20)
    yield from corpus("csdmc2010", 60)
    yield from corpus("phishing_pot", 50)


@pytest.mark.conformance
@pytest.mark.slow
def test_replay_is_true_over_real_mail() -> None:
    """Of hundreds of messages: the same again, and what another policy says anew."""

    async def main() -> tuple[int, int]:
        first, second = made(OLD), made(NEW)
        messages = changed = 0
        for message in mail():
            messages += 1
            judged, past = await recorded(first, message)
            same = await first.replay.judge(past)
            assert same.verdict == judged.outcome.verdict
            assert same.unknown == ()
            anew, _ = await recorded(second, message)
            again = await second.replay.judge(replace(past, message=message))
            assert again.verdict == anew.outcome.verdict
            assert again.unknown == ()
            changed += again.verdict.action is not judged.outcome.verdict.action
        return messages, changed

    messages, changed = asyncio.run(main())
    assert messages > 300
    assert changed > 20
