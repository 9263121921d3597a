"""What a bulk mail lacks: one test for each thing that is missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.checks.base import Evidence
from milter.checks.bulk_rules import BulkRulesCheck
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from tests.support.checks import a_transaction, symbols_of

if TYPE_CHECKING:
    from policies.facts import FactValue

BULK = (
    b"From: a@a.example\r\nList-Unsubscribe: <https://a.example/u>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nx\r\n"
)
GOOD: dict[str, FactValue] = {
    "spf": {"result": "pass", "domain": "a.example"},
    "dkim": [{"result": "pass", "domain": "a.example"}],
    "dmarc": {"result": "pass", "domain": "a.example", "aligned": True},
    "iprev": {"result": "pass", "name": "mx.a.example"},
}


def found(facts: dict[str, FactValue], raw: bytes = BULK) -> list[str]:
    check = BulkRulesCheck()
    known = (Evidence(facts=facts),)
    evidence = check.combine(a_transaction(), Message(raw), FakeResolver({}), known)
    return symbols_of(asyncio.run(evidence))


@pytest.mark.parametrize(
    ("changed", "symbols"),
    [
        pytest.param({}, [], id="all-there"),
        pytest.param({"spf": {"result": "softfail"}}, ["BULK_NO_SPF"], id="spf"),
        pytest.param({"spf": {"result": "temperror"}}, [], id="spf-not-answered"),
        pytest.param({"dkim": []}, ["BULK_NO_DKIM"], id="unsigned"),
        pytest.param({"dkim": [{"result": "fail"}]}, ["BULK_NO_DKIM"], id="signature-broken"),
        pytest.param({"dkim": [{"result": "temperror"}]}, [], id="key-not-answered"),
        pytest.param(
            {"dmarc": {"result": "none", "domain": "a.example"}}, ["BULK_NO_DMARC"], id="no-dmarc"
        ),
        pytest.param(
            {"dmarc": {"result": "fail", "domain": "a.example", "aligned": False}},
            ["BULK_NOT_ALIGNED"],
            id="not-aligned",
        ),
        pytest.param({"iprev": {"result": "fail"}}, ["BULK_NO_REVERSE_NAME"], id="iprev"),
    ],
)
def test_what_is_missing_is_told(changed: dict[str, FactValue], symbols: list[str]) -> None:
    assert found({**GOOD, **changed}) == symbols


def test_without_one_click_is_told() -> None:
    assert found(GOOD, BULK.replace(b"One-Click", b"Some-Clicks")) == ["BULK_NO_ONE_CLICK"]


def test_offline_nothing_is_claimed_that_nobody_asked_for() -> None:
    assert found({}) == []


def test_mail_to_one_and_mail_of_lists_is_not_held_to_it() -> None:
    facts: dict[str, FactValue] = {"spf": {"result": "none"}}
    listed = b"List-Id: <l.example>\r\nList-Post: <mailto:l@l.example>\r\n" + BULK
    assert found(facts, b"From: a@a.example\r\n\r\nx\r\n") == []
    assert found(facts, listed) == []
