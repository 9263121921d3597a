"""DNS lists that are real, and DNS lists that lie: what they do to a thousand wanted messages.

A name server gives one answer to every question, whatever it is; every list of the catalogue is
asked through it. What must not happen is that a message which is wanted gets another verdict. With
the health rules off it does, or the test would prove nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from itertools import islice
from typing import TYPE_CHECKING, Final

import dns.message
import dns.rcode
import dns.rrset
import pytest

from milter.app.lists import ListKeeper
from milter.checks.catalogue import Means, build_checks
from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import (
    ClientListsCheck,
    HeloListsCheck,
    MessageListsCheck,
    SenderListsCheck,
)
from milter.checks.dnslists.health import SUSPECT, State
from milter.checks.dnslists.relays import relay_addresses
from milter.core.connection import Direction
from milter.core.transaction import Stage, Transaction
from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.dns.resolver import Answer, Outcome
from milter.message.document import Message
from milter.pipeline.offline import without_network
from milter.pipeline.stages import plan_stages
from milter.settings.model import Dns
from milter.telemetry.metrics import Metrics
from policies.evaluate import evaluate
from policies.loader import load_list_catalogue, load_policies
from policies.verdict import Action
from tests.support.checks import a_transaction
from tests.support.corpora import corpus
from tests.support.dns_server import ConstantServer, running, running_constant
from tests.support.rbldnsd import running_rbldnsd
from tests.support.third_party import SHARED
from tests.support.unbound import running_unbound
from tests.unit.policies.policy_files import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from milter.checks.base import Ask, Evidence
    from milter.dns.resolver import Resolver, Rrtype
    from policies.compile import Plan, Policy
    from policies.dnslists import DnsList
    from policies.findings import Finding

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HAM: Final = 1000
SPAM: Final = 300
# Beside those of the facts: what the design says that lists answer when they refuse.
REFUSALS: Final = (
    *("127.255.255.250", "127.255.255.252", "127.255.255.254", "127.255.255.255"),
    *("127.0.0.1", "127.0.0.255", "127.0.1.255", "127.0.2.255", "192.0.2.5", "203.0.113.9"),
)
ENDS: Final = ("nxdomain", "nodata", "servfail", "refused", "silence")
_NO_NAME: Final = Answer(Outcome.NXDOMAIN)
_EACH_BIT: Final = tuple(f"127.0.0.{bit}" for bit in (2, 4, 8, 16, 32, 64, 128, 254))


@dataclass(slots=True)
class Mail:
    """A message, and all that was found of it without asking anybody."""

    txn: Transaction
    message: Message
    known: tuple[Finding, ...]
    action: Action = Action.PASS


@dataclass(slots=True)
class Site:
    """A policy that counts every list of the catalogue, and mail to judge by it."""

    policy: Policy
    plan: Plan
    mail: list[Mail] = field(default_factory=list)

    def add(self, messages: Iterator[bytes]) -> None:
        checks = without_network(build_checks(self.plan, Means("mx.example.org", lambda: 1.79e9)))
        stages = plan_stages(checks)[Direction.INBOUND]
        for raw in messages:
            number = len(self.mail)
            message = Message(raw)
            authors = message.author_domains or ("example.org",)
            domain = authors[0] if re.fullmatch(r"[a-z0-9.-]+", authors[0]) else "example.org"
            # Addresses that are nobody's in mail, each in a network of its own.
            client = str(IPv4Address(0x0B000001 + 256 * number))
            txn = a_transaction(f"a@{domain}", client, f"mx.{domain}")
            seen = [
                check.look(txn, message if stage is Stage.MESSAGE else None)
                for stage, planned in stages.items()
                for _, check in planned.looks
            ]
            found = tuple(finding for piece in seen for finding in piece.findings)
            mail = Mail(txn, message, found)
            mail.action = evaluate(self.policy, found).action
            self.mail.append(mail)

    async def changed(self, asker: ListAsker, resolver: Resolver) -> list[tuple[Action, Action]]:
        """Return the verdicts that the lists change, as they are without and with them."""
        checks = list_checks(asker)
        changed = []
        for mail in self.mail:
            pieces: list[Evidence] = []
            for check in checks:
                pieces.append(await check.ask(mail.txn, mail.message, resolver))
            found = [f for piece in pieces for f in piece.findings]
            action = evaluate(self.policy, [*mail.known, *found]).action if found else mail.action
            if action is not mail.action:
                changed.append((mail.action, action))
        return changed


def list_checks(asker: ListAsker) -> list[Ask]:
    """Return the checks that ask the lists of `asker`, in the order of the stages."""
    asks: list[Ask] = [ClientListsCheck(asker), HeloListsCheck(asker), SenderListsCheck(asker)]
    asks.append(MessageListsCheck(asker, relay_addresses))
    return [check for check in asks if check.symbols]


def _site(names: Sequence[str]) -> Site:
    catalogue = load_list_catalogue()
    lines = []
    for name in names:
        about = catalogue.about(name)
        key = ", key_file: key" if about and about.register_for == "key" else ""
        lines.append(f"  - {{use: {name}{key}}}\n")
    text = "version: 1\nname: site\nextends: balanced\ndns_lists:\n" + "".join(lines)
    policies = load_policies(Files({"p.yaml": text, "key": "k3y"}), "p.yaml")
    assert policies.only is not None
    return Site(policies.only, policies.plan)


@pytest.fixture(scope="module", name="ham")
def _ham() -> Site:
    site = _site(sorted(load_list_catalogue().entries))
    site.add(islice(corpus("lists_modern", label="ham"), HAM))
    return site


@pytest.fixture(scope="module", name="spam")
def _spam() -> Site:
    site = _site(["dnswl", "mailspike-good"])
    site.add(islice(corpus("phishing_pot"), SPAM))
    return site


def answers_of_the_facts() -> list[str]:
    """Return every answer in the collection of facts, and every way in which none comes."""
    path = SHARED / "conformance" / "dnsbl" / "dnsbl-facts.json"
    if not path.exists():
        pytest.skip(f"the facts are not there: {path}")
    facts = json.dumps(json.loads(path.read_text()))
    found = dict.fromkeys(re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", facts))
    codes = [answer for answer in found if answer.startswith("127.")]
    return list(dict.fromkeys([*codes, *_EACH_BIT, "127.0.5.3", *REFUSALS, *ENDS]))


class ListsAlone:
    """Asks lists, and says of everything else that there is no such name.

    What lists answer is under test. The reverse name of each client would be asked for anew in each
    run, and while nobody answers be waited for: most of the time of all runs together.
    """

    def __init__(self, lists: Resolver) -> None:
        self._lists = lists

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer of a list; lists are asked for addresses alone."""
        return await self._lists.resolve(name, rrtype) if rrtype == "A" else _NO_NAME


async def _with_health(site: Site, lists: Sequence[DnsList], server: ConstantServer) -> object:
    """Return what a worker's lists change, asked through the client and cache of a daemon."""
    # Of a list that lists nothing two questions a message show as much as twenty.
    lists = [replace(one, most=2) for one in lists]
    with closing(DnsClient([("127.0.0.1", server.port)], 0.05, 1)) as client:
        keeper = ListKeeper(lists, client, Metrics(), None, probing=True)
        await keeper.turn()
        cache = CachingResolver(client, asyncio.get_running_loop().time, Dns())
        try:
            return await site.changed(keeper.asker, ListsAlone(cache))
        finally:
            cache.close()


def test_no_answer_of_all_lists_changes_what_happens_to_wanted_mail(ham: Site) -> None:
    async def run() -> dict[str, object]:
        changed = {}
        async with running_constant("nxdomain") as server:
            for answer in answers_of_the_facts():
                server.answer = answer
                if found := await _with_health(ham, ham.plan.dns_lists, server):
                    changed[answer] = found
        return changed

    assert len(ham.mail) == HAM
    assert asyncio.run(run()) == {}


def test_no_answer_of_one_list_changes_what_happens_to_wanted_mail(ham: Site) -> None:
    async def run() -> dict[tuple[str, str], object]:
        changed = {}
        async with running_constant("nxdomain") as server:
            for answer in answers_of_the_facts():
                server.answer = answer
                for one in ham.plan.dns_lists:
                    if found := await _with_health(ham, [one], server):
                        changed[one.zone, answer] = found
        return changed

    assert asyncio.run(run()) == {}


def test_list_that_begins_to_list_the_world_is_left_within_a_few_messages(ham: Site) -> None:
    begun, now, world = 100, 0.0, False

    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        name = query.question[0].name
        if world or name.to_text().startswith("2.0.0.127."):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "127.0.0.2"))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    async def run() -> list[tuple[Action, Action]]:
        nonlocal now, world
        lists = [one for one in ham.plan.dns_lists if one.zone == "bl.spamcop.net"]
        changed = []
        async with running(respond) as (_, port):
            with closing(DnsClient([("127.0.0.1", port)], 5, 1)) as client:
                clocks = (lambda: now, lambda: 1.79e9 + now)
                keeper = ListKeeper(lists, client, Metrics(), None, probing=True, clocks=clocks)
                # A message a second, and a turn of the keeper behind each, as in a daemon.
                for number, mail in enumerate(ham.mail[:300]):
                    await keeper.turn()
                    now, world = now + 1, number >= begun
                    one = Site(ham.policy, ham.plan, [mail])
                    changed += await one.changed(keeper.asker, ListsAlone(client))
        return changed

    changed = asyncio.run(run())
    assert 0 < len(changed) <= SUSPECT
    assert all(after < Action.REJECT for _, after in changed)


def test_without_the_health_rules_lists_that_list_the_world_reject_wanted_mail(ham: Site) -> None:
    async def run() -> list[tuple[Action, Action]]:
        async with running_constant("127.0.0.2") as server:
            with closing(DnsClient([("127.0.0.1", server.port)], 5, 1)) as client:
                asker = ListAsker(ham.plan.dns_lists, lambda: 0.0)
                return await ham.changed(asker, client)

    changed = asyncio.run(run())
    rejected = sum(after is Action.REJECT for _, after in changed)
    assert rejected > HAM / 2


def test_lists_that_allow_everybody_change_no_verdict_about_spam(spam: Site) -> None:
    async def run(answer: str) -> tuple[object, list[tuple[Action, Action]]]:
        async with running_constant(answer) as server:
            healthy = await _with_health(spam, spam.plan.dns_lists, server)
            with closing(DnsClient([("127.0.0.1", server.port)], 5, 1)) as client:
                asker = ListAsker(spam.plan.dns_lists, lambda: 0.0)
                return healthy, await spam.changed(asker, client)

    with_health, without = asyncio.run(run("127.0.5.3"))
    assert with_health == []
    # Else the lists would have had no say, and the line above would show nothing.
    assert without != []


ADDRESSES = """\
:127.0.0.2:Test
127.0.0.2
11.0.0.0/24
"""
DOMAINS = """\
:127.0.1.2:Test
test
.bad.example
"""
LISTED_BY_RBLDNSD = """\
version: 1
name: site
dns_lists:
  - zone: bl.example.test
    asks: [client_ip]
    codes: {"127.0.0.2": {symbol: RBL_IP, weight: 1, describe: Listed}}
  - zone: dbl.example.test
    asks: [url_domain]
    codes: {"127.0.1.2": {symbol: RBL_DOMAIN, weight: 1, describe: Listed}}
  - zone: world.example.test
    asks: [client_ip]
    codes: {"127.0.0.2": {symbol: RBL_WORLD, weight: 1, describe: Listed}}
  - zone: missing.example.test
    asks: [client_ip]
    codes: {"127.0.0.2": {symbol: RBL_MISSING, weight: 1, describe: Listed}}
"""


@contextmanager
def asked_directly(port: int) -> Iterator[int]:
    """Yield the port of rbldnsd itself."""
    yield port


@contextmanager
def asked_through_unbound(port: int) -> Iterator[int]:
    """Yield the port of a resolver as sites run it, which asks rbldnsd."""
    with running_unbound(
        "@ 900 IN SOA ns root 1 7200 900 86400 120\n", {"example.test": port}
    ) as it:
        yield it


@pytest.mark.debian
@pytest.mark.parametrize("asked", [asked_directly, asked_through_unbound])
def test_lists_of_a_real_rbldnsd_are_asked_and_those_that_fail_are_left_out(
    asked: Callable[[int], AbstractContextManager[int]],
) -> None:
    plan = load_policies(Files({"p.yaml": LISTED_BY_RBLDNSD}), "p.yaml").plan
    message = Message(b"Subject: x\r\n\r\nhttp://www.bad.example/ and http://good.example/\r\n")
    zones = {
        "bl.example.test": ("ip4trie", ADDRESSES),
        "dbl.example.test": ("dnset", DOMAINS),
        "world.example.test": ("ip4trie", ":127.0.0.2:Test\n0.0.0.0/0\n"),
    }

    async def run(port: int) -> tuple[set[str], dict[str, State]]:
        with closing(DnsClient([("127.0.0.1", port)], 5, 2)) as client:
            keeper = ListKeeper(plan.dns_lists, client, Metrics(), None, probing=True)
            await keeper.turn()
            symbols = set()
            for check in list_checks(keeper.asker):
                txn = a_transaction(client_ip="11.0.0.7")
                seen = message if check.stage is Stage.MESSAGE else None
                evidence = await check.ask(txn, seen, client)
                symbols |= {finding.symbol for finding in evidence.findings}
            return symbols, {report.zone: report.state for report in keeper.health.reports()}

    with running_rbldnsd(zones) as rbldnsd, asked(rbldnsd) as port:
        symbols, states = asyncio.run(run(port))
    assert symbols & {"RBL_IP", "RBL_DOMAIN", "RBL_WORLD", "RBL_MISSING"} == {
        "RBL_IP",
        "RBL_DOMAIN",
    }
    assert states == {
        "bl.example.test": State.UP,
        "dbl.example.test": State.UP,
        "world.example.test": State.ASIDE,
        "missing.example.test": State.ASIDE,
    }
