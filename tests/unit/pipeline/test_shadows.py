"""A shadow policy sees what the live one saw, is counted where it differs, and changes nothing."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from milter.checks.base import Evidence, ListAnswer
from milter.checks.catalogue import Means, build_checks
from milter.checks.dnslists.answers import findings_anew
from milter.core.address import Mailbox
from milter.core.ids import SessionId, TxnId
from milter.core.reply import Reply
from milter.dns.fake import FakeResolver
from milter.pipeline.aftermath import Aftermath, Dealt, Seen, Share
from milter.pipeline.facts import merge
from milter.pipeline.offline import Envelope, Judged, judge
from milter.pipeline.runner import Pipeline
from milter.pipeline.selection import context_of
from milter.pipeline.shadows import Shadows
from policies.evaluate import evaluate
from policies.loader import load_policies
from policies.select import Context
from tests.support.pipeline import IDENTITY, Texts

if TYPE_CHECKING:
    from milter.pipeline.aftermath import Differing, Otherwise
    from policies.select import PolicySet

LIVE = """\
version: 1
name: live
thresholds: {tag: 5}
patterns:
  - {id: LOTTERY, in: subject, match: lottery, weight: 3, describe: d}
  - {id: OTHER, in: subject, match: other, weight: 9, describe: d}
shadow: [{policy: next.yaml, until: 2027-01-31}]
"""
NEXT = """\
version: 1
name: next
extends: live.yaml
thresholds: {tag: 2}
patterns:
  - {id: OTHER, in: subject, match: another, weight: 9, describe: d}
  - {id: NEWS, in: body, match: newsletter, weight: 2, describe: d}
rules: [{id: BIG, when: 'size_bytes > 1000', weight: 7, describe: d}]
"""
DAY = 86_400
LAST_DAY = 1_801_353_600  # 2027-01-31


@dataclass
class Counted:
    """Differences as they are counted."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def shadow_difference(self, policy: str, live: str, shadow: str) -> None:
        self.rows.append((policy, live, shadow))


def the_policies(live: str = LIVE, following: str = NEXT) -> PolicySet:
    return load_policies(Texts({"live.yaml": live, "next.yaml": following}), "live.yaml")


def judged(policies: PolicySet, subject: str, body: str = "hello") -> Judged:
    checks = build_checks(policies.plan, Means("mx.example.org", lambda: 0.0))
    pipeline = Pipeline(
        checks=[check for check in checks if check.name in {"patterns", "headers"}],
        policies=policies,
        resolver=FakeResolver({}),
        identity=IDENTITY,
        budget_s=5,
    )
    message = f"From: a@b.example\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()
    return asyncio.run(judge(pipeline, message, Envelope(), TxnId("T"), SessionId("S")))


def a_seen(one: Judged, at: float = LAST_DAY) -> Seen:
    judgement, verdict = one.judgement, one.outcome.verdict
    reply = Reply.of(250, "2.0.0 Ok")
    return Seen(at, judgement.txn, judgement.message, judgement.evidence, verdict, reply, 0.0)


def differences(
    subject: str, body: str = "hello", at: float = LAST_DAY
) -> tuple[str, list[tuple[str, str, str]]]:
    policies, counted = the_policies(), Counted()
    one = judged(policies, subject, body)
    seen = a_seen(one, at)
    Shadows(policies.plan.shadows, counted).differing(seen)
    return one.outcome.verdict.action.word, counted.rows


@pytest.mark.parametrize(
    ("subject", "body", "live", "counted"),
    [
        pytest.param("lottery", "x", "pass", [("next", "pass", "tag")], id="other-threshold"),
        pytest.param("hello", "x", "pass", [], id="no-difference"),
        pytest.param("an other", "x", "tag", [("next", "tag", "pass")], id="pattern-replaced"),
        pytest.param("another", "x", "tag", [], id="both-match-by-patterns-of-their-own"),
        pytest.param("x", "newsletter", "pass", [("next", "pass", "tag")], id="new-pattern"),
        pytest.param("x", "y" * 2000, "pass", [("next", "pass", "tag")], id="new-rule"),
    ],
)
def test_shadow_differences_are_counted_and_change_nothing(
    subject: str, body: str, live: str, counted: list[tuple[str, str, str]]
) -> None:
    assert differences(subject, body) == (live, counted)


def test_shadow_ends_with_its_last_day() -> None:
    assert differences("lottery", at=LAST_DAY + DAY - 1)[1] != []
    assert differences("lottery", at=LAST_DAY + DAY)[1] == []


def test_shadow_difference_is_told_with_the_id_of_the_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "gatepost.pipeline"):
        differences("lottery")

    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["txn_id"]) == ("shadow difference", "T")


LISTED = (
    "dns_lists: [{zone: bl.example, asks: client_ip, codes: {127.0.0.2: "
    "{symbol: ON_LIST, weight: 9, describe: d}}}]\n"
)


@pytest.mark.parametrize(("ask", "zones"), [("false", []), ("true", ["bl.example"])])
def test_shadow_asks_lists_of_its_own_only_where_it_may(ask: str, zones: list[str]) -> None:
    live = LIVE.replace("until: 2027-01-31", f"until: 2027-01-31, ask: {ask}")

    plan = the_policies(live, NEXT + LISTED).plan

    assert [each.zone for each in plan.dns_lists] == zones
    assert "BIG" in plan.symbols
    assert "size_bytes" in plan.facts


def differing_where(live: str, following: str, *evidence: Evidence) -> list[tuple[str, str, str]]:
    """Return what is counted of a message about a lottery in which `evidence` was found, too."""
    policies = the_policies(live, following)
    one = judged(policies, "lottery")
    counted = Counted()
    seen = a_seen(one)
    more = merge(seen.txn, [seen.evidence, *evidence])
    verdict = evaluate(
        policies.select(context_of(seen.txn.connection, seen.txn.mail_from), None),
        more.findings,
        more.facts,
    )
    Shadows(policies.plan.shadows, counted).differing(replace(seen, evidence=more, verdict=verdict))
    return counted.rows


def test_shadow_does_not_take_a_live_pattern_for_its_rule_of_that_name() -> None:
    rule = "  - {id: LOTTERY, when: size_bytes > 100000, weight: 3, describe: d}\n"
    following = f"version: 1\nname: next\nthresholds: {{tag: 2}}\nrules:\n{rule}"

    assert differing_where(LIVE, following) == []


ON_LIST = ListAnswer("bl.example", "client_ip", "192.0.2.1", ("127.0.0.2",))


@pytest.mark.parametrize(
    ("codes", "weight", "counted"),
    [
        pytest.param("127.0.0.2", 9, [], id="another-name"),
        pytest.param("127.0.0.2", 1, [("next", "tag", "pass")], id="another-weight"),
        pytest.param("127.0.0.3", 9, [("next", "tag", "pass")], id="another-answer"),
    ],
)
def test_shadow_reads_the_answers_of_lists_in_its_own_way(
    codes: str, weight: int, counted: list[tuple[str, str, str]]
) -> None:
    live = LIVE.replace("weight: 3", "weight: 1") + LISTED
    following = (
        "version: 1\nname: next\nthresholds: {tag: 5}\n"
        + LISTED.replace("127.0.0.2", codes).replace("ON_LIST", "CALLED_SO")
    ).replace("weight: 9", f"weight: {weight}")
    found = Evidence(
        tuple(findings_anew(the_policies(live).plan.dns_lists, [ON_LIST])), answers=(ON_LIST,)
    )

    assert differing_where(live, following, found) == counted


def test_list_of_a_shadow_is_nothing_to_a_live_rule_that_looks_through_the_symbols() -> None:
    live = LIVE.replace("until: 2027-01-31", "until: 2027-01-31, ask: true") + (
        "rules: [{id: ANY, when: 'symbols.exists(s, s.endsWith(\"_LIST\"))', action: reject}]\n"
    )
    policies = the_policies(live, NEXT.replace("extends: live.yaml\n", "") + LISTED)
    found = findings_anew(policies.plan.dns_lists, [ON_LIST])

    verdict = evaluate(policies.select(Context("l", "inbound"), None), found)

    assert [each.zone for each in policies.plan.dns_lists] == ["bl.example"]
    assert verdict.action.word == "pass"


POSTMASTER = Mailbox("postmaster", "ours.example")


def test_shadow_refuses_the_postmaster_as_little_as_the_live_policy_does() -> None:
    rejecting = NEXT.replace("tag: 2", "quarantine: 2, reject: 3")
    policies = the_policies(LIVE.replace("tag: 5", "quarantine: 3"), rejecting)
    one = judged(policies, "lottery")
    share = Share("live", True, one.outcome.verdict, (POSTMASTER,))
    seen = replace(a_seen(one), dealt=Dealt(shares=(share,)))

    assert Shadows(policies.plan.shadows).differing(seen) == ()
    (otherwise,) = Shadows(policies.plan.shadows).differing(a_seen(one))
    assert (otherwise.change.old.action, otherwise.change.new.action) == ("quarantine", "reject")


@dataclass
class Consumer:
    """What the aftermath told."""

    seen: list[Seen] = field(default_factory=list)

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)


def told_by(differing: Differing, one: Seen) -> Seen:
    """Return what a consumer is told of a message."""
    consumer = Consumer()

    async def main() -> None:
        aftermath = Aftermath((consumer,), lambda: one.at)
        aftermath.compare(differing)
        aftermath.take(one)
        aftermath.finish()

    asyncio.run(main())
    (seen,) = consumer.seen
    return seen


def test_consumers_are_told_by_what_a_shadow_differs() -> None:
    policies = the_policies()

    seen = told_by(Shadows(policies.plan.shadows).differing, a_seen(judged(policies, "lottery")))

    assert [(each.shadow, each.change.by) for each in seen.otherwise] == [("next", ())]


def test_message_is_told_where_a_shadow_fails() -> None:
    def failing(_seen: Seen) -> tuple[Otherwise, ...]:
        raise RuntimeError("a fault")

    assert told_by(failing, a_seen(judged(the_policies(), "lottery"))).otherwise == ()
