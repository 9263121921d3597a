from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from milter.checks.base import Evidence
from milter.checks.catalogue import DIRECTIONS, Means, SenderChecks, build_checks
from milter.checks.dmarc import DmarcCheck
from milter.checks.dnslists.checks import ClientListsCheck
from milter.checks.spf import SpfCheck
from milter.core.connection import Direction
from milter.dns.fake import FakeResolver
from milter.memory.recollection import Recollection
from milter.message.document import Message
from policies.compile import Plan
from policies.dnslists import Asks, DnsList
from policies.engine import PatternSpec
from policies.facts import FACTS, FactSpec
from policies.findings import Finding
from policies.loader import load_symbols
from policies.patterns import PatternSet
from policies.rates import Rate
from reputation.classifier.model import State, new_state
from reputation.memory import MemoryStore
from tests.support.checks import a_transaction, asked, symbols_of
from tests.support.stores import client_of

if TYPE_CHECKING:
    from milter.checks.base import Check
    from milter.core.transaction import Stage

INBOUND, OUTBOUND, INTERNAL = Direction.INBOUND, Direction.OUTBOUND, Direction.INTERNAL
CODES = {IPv4Address("127.0.0.2"): "BL_SPAM"}
LIST = DnsList("bl.example", (Asks.CLIENT_IP,), "block", codes=CODES)
NO_PATTERNS = PatternSet.compile([])


class NothingLearned:
    """Weights of a classifier that knows nothing."""

    def state(self) -> State:
        return new_state()


def all_checks(plan: Plan, *, authentication: bool = True) -> tuple[Check, ...]:
    memory = Recollection(client_of(MemoryStore(bytes)))
    means = Means(
        "mx.example.org",
        lambda: 0.0,
        authentication=authentication,
        memory=memory,
        weights=NothingLearned(),
    )
    return build_checks(plan, means)


def names(plan: Plan, *, authentication: bool = False) -> list[str]:
    checks = all_checks(plan, authentication=authentication)
    return [check.name for check in checks]


PROMISED = {
    "connection": {INBOUND},
    "iprev": {INBOUND, INTERNAL},
    "dnslists": {INBOUND},
    "dnslists_helo": {INBOUND},
    "dnslists_sender": {INBOUND},
    "dnslists_message": {INBOUND},
    "dnslists_signer": {INBOUND},
    "helo": {INBOUND},
    "spf": {INBOUND, INTERNAL},
    "envelope": {INBOUND},
    "dkim": {INBOUND, OUTBOUND, INTERNAL},
    "arc": {INBOUND, INTERNAL},
    "headers": {INBOUND, OUTBOUND, INTERNAL},
    "size": {INBOUND, OUTBOUND, INTERNAL},
    "forwarding": {INBOUND, INTERNAL},
    "gtube": {INBOUND, OUTBOUND, INTERNAL},
    "links": {INBOUND, OUTBOUND, INTERNAL},
    "destinations": {INBOUND, INTERNAL},
    "html": {INBOUND, OUTBOUND, INTERNAL},
    "upstream": {INBOUND, INTERNAL},
    "text": {INBOUND, OUTBOUND, INTERNAL},
    "languages": {INBOUND, OUTBOUND, INTERNAL},
    "attachments": {INBOUND, OUTBOUND, INTERNAL},
    "enclosed": {INBOUND, OUTBOUND, INTERNAL},
    "lookalike": {INBOUND, INTERNAL},
    "identities": {INBOUND, INTERNAL},
    "bulk": {INBOUND, INTERNAL},
    "oddities": {INBOUND, INTERNAL},
    "mime_form": {INBOUND, INTERNAL},
    "mailers": {INBOUND, INTERNAL},
    "bulk_rules": {INBOUND},
    "backscatter": {INBOUND},
    "defects": {INBOUND, OUTBOUND, INTERNAL},
    "patterns": {INBOUND, OUTBOUND, INTERNAL},
    "classifier": {INBOUND, INTERNAL},
    "dmarc": {INBOUND, INTERNAL},
    "reputation": {INBOUND, INTERNAL},
    "greylist": {INBOUND},
    "rate": {INBOUND, OUTBOUND, INTERNAL},
}


def test_directions_are_as_promised() -> None:
    assert DIRECTIONS == PROMISED


def test_build_checks_for_a_policy_that_counts_nothing_builds_none() -> None:
    assert names(Plan(frozenset(), (), NO_PATTERNS)) == []


def test_build_checks_without_memory_leaves_out_who_would_ask_it() -> None:
    plan = Plan(frozenset({"REPUTATION_BAD", "GREYLIST_NEW"}), (), NO_PATTERNS)
    assert {"reputation", "greylist"} <= set(names(plan))
    assert build_checks(plan, Means("mx.example.org", lambda: 0.0, authentication=False)) == ()


def test_build_checks_authentication_stays_for_the_header() -> None:
    plan = Plan(frozenset(), (), NO_PATTERNS)
    assert names(plan, authentication=True) == ["spf", "dkim", "arc", "iprev", "dmarc"]


def test_build_checks_gives_spf_less_time_than_its_stage_has() -> None:
    plan = Plan(frozenset({"SPF_FAIL"}), (), NO_PATTERNS)
    means = Means("mx.example.org", lambda: 0.0, authentication=False, budget_s=0.02)
    (spf,) = build_checks(plan, means)
    assert isinstance(spf, SpfCheck)
    names: dict[str, object] = {"example.org": {"TXT": ["v=spf1 -all"]}, "slow.example": "silence"}
    evidence = asked(spf, a_transaction(helo_name="slow.example"), names)
    assert evidence.auth[1].reason == "no answer from the DNS in 0.016 seconds"


def test_build_checks_gives_a_reverse_name_less_time_than_its_stage_has() -> None:
    lists = (LIST, replace(LIST, zone="names.example", asks=(Asks.REVERSE_NAME,)))
    plan = Plan(frozenset({"BL_SPAM"}), lists, NO_PATTERNS)
    means = Means("mx.example.org", lambda: 0.0, authentication=False, budget_s=0.04)
    (check,) = build_checks(plan, means)
    assert isinstance(check, ClientListsCheck)
    listed = {"A": ["127.0.0.2"]}
    names: dict[str, object] = {"192.0.2.7": "silence", "7.2.0.192.bl.example": listed}
    assert symbols_of(asked(check, a_transaction(), names)) == ["BL_SPAM"]


@pytest.mark.parametrize(
    ("sealers", "symbol"), [((), "DMARC_REJECT"), (("list.example",), "DMARC_TEMPERROR")]
)
def test_build_checks_dmarc_knows_whether_a_seal_could_count(
    sealers: tuple[str, ...], symbol: str
) -> None:
    senders = SenderChecks(trusted_sealers=sealers)
    plan = Plan(frozenset({"DMARC_REJECT"}), (), NO_PATTERNS)
    check = build_checks(plan, Means("mx.example.org", lambda: 0.0, senders=senders))[-1]
    assert isinstance(check, DmarcCheck)
    known = (
        Evidence(facts={"spf": {"result": "none", "domain": "x.example"}}),
        Evidence((Finding("CHECK_ERROR", "arc: timeout", {"check": "arc"}),)),
    )
    message = Message(b"From: a@example.org\r\nARC-Seal: i=1\r\n\r\nx\r\n")
    resolver = FakeResolver({"_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]}})
    evidence = asyncio.run(check.combine(a_transaction(), message, resolver, known))
    assert symbols_of(evidence) == [symbol]


# What those that combine judge by.
AUTHENTICATION = {"spf", "dkim", "arc", "dmarc"}
JUDGED_BY = {
    "dmarc": {"spf", "dkim", "arc"},
    "reputation": AUTHENTICATION | {"links"},
    "greylist": AUTHENTICATION,
}


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("EARLY_TALKER", "connection"),
        ("IPREV_FAIL", "iprev"),
        ("BL_SPAM", "dnslists"),
        ("HELO_IS_OURS", "helo"),
        ("SPF_HELO_FAIL", "spf"),
        ("SENDER_NULL_MX", "envelope"),
        ("DKIM_WEAK", "dkim"),
        ("ARC_FAIL", "arc"),
        ("DMARC_REJECT", "dmarc"),
        ("MESSAGE_LIMIT", "defects"),
        ("EMPTY_MESSAGE", "size"),
        ("FORWARDED", "forwarding"),
        ("GTUBE", "gtube"),
        ("UPSTREAM_DMARC_FAIL", "upstream"),
        ("LOTTERY", "patterns"),
        ("REPUTATION_BAD", "reputation"),
        ("GREYLIST_NEW", "greylist"),
        ("RATE_TEMPERROR", "rate"),
    ],
)
def test_build_checks_builds_what_yields_a_counted_symbol(symbol: str, name: str) -> None:
    patterns = PatternSet.compile([PatternSpec("LOTTERY", "subject", "lottery")])
    built = names(Plan(frozenset({symbol}), (LIST,), patterns))
    assert set(built) == {name} | JUDGED_BY.get(name, set())
    assert len(built) == len(set(built))


def test_build_checks_every_symbol_of_the_file_but_our_own_errors_has_a_check() -> None:
    table = load_symbols()
    plan = Plan(frozenset(table), (LIST,), NO_PATTERNS)
    checks = all_checks(plan)
    yielded = frozenset[str]().union(*(check.symbols for check in checks))
    assert yielded == (table.keys() - {"CHECK_ERROR", "RULE_ERROR"}) | {"BL_SPAM"}


@pytest.mark.parametrize("spec", FACTS, ids=lambda spec: spec.name)
def test_build_checks_builds_what_yields_a_fact_that_is_read(spec: FactSpec) -> None:
    plan = Plan(frozenset(), (), NO_PATTERNS, frozenset({spec.name}))
    known = DIRECTIONS.keys()
    # Of what later versions find out the fact is empty, and nothing need run.
    wanted = {spec.check} & known
    assert set(names(plan)) == wanted.union(*(JUDGED_BY.get(name, ()) for name in wanted))


def test_build_checks_a_rate_by_author_needs_who_proves_the_author() -> None:
    by_client = Rate("RATE", ("client",), "messages", 1, 60)
    by_author = replace(by_client, by=("author_domain",))
    plans = [
        Plan(frozenset({"RATE"}), (), NO_PATTERNS, rates=(rate,)) for rate in (by_client, by_author)
    ]
    assert names(plans[0]) == ["rate"]
    assert names(plans[1]) == ["spf", "dkim", "arc", "dmarc", "rate"]


def test_build_checks_signers_are_looked_up_where_their_lists_are_asked() -> None:
    signers = DnsList("bl.example", (Asks.DKIM_DOMAIN,), "block", codes=CODES)
    assert names(Plan(frozenset({"BL_SPAM"}), (signers,), NO_PATTERNS)) == [
        "dkim",
        "dnslists_signer",
    ]


def test_build_checks_stage_of_each_symbol_is_that_of_its_last_check() -> None:
    table = load_symbols()
    everything = DnsList("bl.example", tuple(Asks), "block")
    plan = Plan(frozenset(table), (everything,), NO_PATTERNS)
    last: dict[str, Stage] = {}
    for check in all_checks(plan):
        for symbol in check.symbols & table.keys():
            last[symbol] = max(last.get(symbol, check.stage), check.stage)
    assert {symbol: table[symbol].stage for symbol in last} == {
        symbol: stage.name.lower() for symbol, stage in last.items()
    }
