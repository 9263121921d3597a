"""Clients that look bad are slowed down, where the policy says so."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import ClientListsCheck
from milter.core.ids import TxnId
from milter.dns.fake import FakeResolver
from milter.pipeline.runner import Pipeline
from policies.dnslists import Asks, DnsList
from policies.evaluate import decide_early
from policies.findings import Finding
from policies.verdict import Action
from tests.support.pipeline import IDENTITY, a_connection
from tests.unit.policies.policy_files import policies

LISTS = """
dns_lists:
  - zone: one.example
    asks: client_ip
    codes: {"127.0.0.2": {symbol: ONE, weight: 3, describe: Listed}}
  - zone: two.example
    asks: client_ip
    codes: {"127.0.0.2": {symbol: TWO, weight: 2, describe: Listed}}
"""
CODES = {"one.example": "ONE", "two.example": "TWO"}
CLIENT = "192.0.2.7"


def slowed(policy: str, *zones: str, transactions: int = 1) -> list[float]:
    """Return the seconds by which each transaction of a client listed in `zones` is slowed."""
    pipeline = a_pipeline_of(policy, *zones)

    async def run() -> list[float]:
        scan = pipeline.connect(a_connection(CLIENT))
        found = []
        for number in range(transactions):
            scan.begin(TxnId(f"TXN{number}"))
            found.append(await scan.slowed_s())
        return found

    return asyncio.run(run())


def a_pipeline_of(policy: str, *zones: str) -> Pipeline:
    """Return a pipeline with two lists, of which `zones` list the client."""
    lists = [
        DnsList(zone, (Asks.CLIENT_IP,), "block", codes={IPv4Address("127.0.0.2"): symbol})
        for zone, symbol in CODES.items()
    ]
    names = {f"7.2.0.192.{zone}": {"A": ["127.0.0.2"]} for zone in zones}
    return Pipeline(
        checks=[ClientListsCheck(ListAsker(lists, lambda: 0.0))],
        policies=policies(policy + LISTS),
        resolver=FakeResolver(names),
        identity=IDENTITY,
        budget_s=20.0,
    )


SLOW = "slow: {connect: 5, seconds: 7}\n"


@pytest.mark.parametrize(
    ("policy", "zones", "seconds"),
    [
        pytest.param(SLOW, ("one.example", "two.example"), 7, id="weighted-sum-of-lists"),
        pytest.param(SLOW, ("one.example",), 0, id="one-list-is-too-little"),
        pytest.param(SLOW, (), 0, id="not-listed"),
        pytest.param("", ("one.example", "two.example"), 0, id="off-by-default"),
        pytest.param(
            SLOW + "overrides: [{match: {recipient: x@example.org}, slow: {connect: null}}]\n",
            ("one.example", "two.example"),
            0,
            id="not-where-a-recipient-may-want-it-otherwise",
        ),
    ],
)
def test_client_is_slowed_by_the_sum_of_what_is_known_at_connect(
    policy: str, zones: tuple[str, ...], seconds: float
) -> None:
    assert slowed(policy, *zones) == [seconds]


def test_client_is_slowed_once_a_connection() -> None:
    assert slowed(SLOW, "one.example", "two.example", transactions=3) == [7, 0, 0]


def before_greeting(policy: str, *zones: str) -> tuple[float, list[float], list[str], Action]:
    """Return what happens before the greeting of a client listed in `zones`.

    The seconds before it, those of two transactions, the names that were asked for, the action.
    """
    pipeline = a_pipeline_of(policy, *zones)
    connection = a_connection(CLIENT)._replace(helo_name="")

    async def run() -> tuple[float, list[float], Action]:
        arrival = pipeline.arrive(connection)
        assert arrival is not None
        arrival.start()
        refused = await arrival.refused(connection)
        wait_s = await arrival.slowed_s(connection)
        arrival.close()
        scan = pipeline.connect(connection._replace(helo_name="mx.example"), arrival)
        later = [await scan.slowed_s() for _ in range(2)]
        return wait_s, later, refused.verdict.action if refused else Action.PASS

    found = asyncio.run(run())
    resolver = pipeline.means.resolver
    assert isinstance(resolver, FakeResolver)
    return found[0], found[1], [name for name, _ in resolver.asked], found[2]


def test_listed_client_is_slowed_before_the_greeting_and_not_again() -> None:
    wait_s, later, asked, _ = before_greeting(SLOW, "one.example", "two.example")

    assert (wait_s, later) == (7, [0, 0])
    # The lists are asked once, not again when the client has said who it is.
    assert sorted(asked) == ["7.2.0.192.one.example", "7.2.0.192.two.example"]


def test_client_that_is_not_listed_is_greeted_at_once() -> None:
    wait_s, later, _, action = before_greeting(SLOW, "one.example")

    assert (wait_s, later, action) == (0, [0, 0], Action.PASS)


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        pytest.param("early: {greeting: 5}\n", Action.REJECT, id="by-score"),
        pytest.param("early: {greeting: 6}\n", Action.PASS, id="not-enough"),
        pytest.param("early: {connect: 5}\n" + SLOW, Action.PASS, id="a-threshold-of-MAIL"),
        pytest.param(
            "early: {greeting: 5}\n"
            "overrides: [{match: {sender: x@example.org}, early: {greeting: null}}]\n",
            Action.PASS,
            id="not-where-a-sender-may-be-welcome",
        ),
    ],
)
def test_client_is_refused_in_place_of_the_greeting(policy: str, action: Action) -> None:
    assert before_greeting(policy, "one.example", "two.example")[3] is action


def test_threshold_of_the_greeting_holds_at_mail_too() -> None:
    policy = policies("early: {greeting: 5}\n" + LISTS).only
    assert policy is not None
    listed = [Finding("ONE"), Finding("TWO")]

    assert decide_early(policy, listed, "connect") is not None
    assert decide_early(policy, listed[:1], "connect") is None


@pytest.mark.parametrize("policy", ["", "early: {connect: 5}\n"])
def test_nothing_is_asked_before_the_greeting_where_nothing_depends_on_it(policy: str) -> None:
    assert a_pipeline_of(policy).arrive(a_connection(CLIENT)) is None


def test_nothing_is_asked_of_a_relay_of_ours() -> None:
    relays = frozenset({IPv4Address(CLIENT)})

    assert a_pipeline_of(SLOW).behind(relays).arrive(a_connection(CLIENT)) is None
