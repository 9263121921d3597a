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
    lists = [
        DnsList(zone, (Asks.CLIENT_IP,), "block", codes={IPv4Address("127.0.0.2"): symbol})
        for zone, symbol in CODES.items()
    ]
    names = {f"7.2.0.192.{zone}": {"A": ["127.0.0.2"]} for zone in zones}
    pipeline = Pipeline(
        checks=[ClientListsCheck(ListAsker(lists, lambda: 0.0))],
        policies=policies(policy + LISTS),
        resolver=FakeResolver(names),
        identity=IDENTITY,
        budget_s=20.0,
    )

    async def run() -> list[float]:
        scan = pipeline.connect(a_connection(CLIENT))
        found = []
        for number in range(transactions):
            scan.begin(TxnId(f"TXN{number}"))
            found.append(await scan.slowed_s())
        return found

    return asyncio.run(run())


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
