from __future__ import annotations

import pytest

from milter.auth.results import Result
from milter.checks.iprev import IprevCheck
from tests.support.checks import a_transaction, asked, symbols_of

TXN = a_transaction()


@pytest.mark.parametrize(
    ("names", "symbols", "result"),
    [
        pytest.param(
            {"192.0.2.7": {"PTR": ["mx.example.org"]}, "mx.example.org": {"A": ["192.0.2.7"]}},
            [],
            Result.PASS,
            id="leads-back",
        ),
        pytest.param({}, ["IPREV_MISSING"], Result.PERMERROR, id="no-name"),
        pytest.param(
            {"192.0.2.7": {"PTR": ["mx.example.org"]}, "mx.example.org": {"A": ["192.0.2.8"]}},
            ["IPREV_FAIL"],
            Result.FAIL,
            id="leads-elsewhere",
        ),
        pytest.param(
            {"192.0.2.7": "timeout"}, ["IPREV_TEMPERROR"], Result.TEMPERROR, id="no-answer"
        ),
    ],
)
def test_iprev_symbol_fits_the_result(
    names: dict[str, object], symbols: list[str], result: Result
) -> None:
    evidence = asked(IprevCheck(), TXN, names)
    assert symbols_of(evidence) == symbols
    fact = evidence.facts["iprev"]
    assert isinstance(fact, dict)
    assert fact.pop("result") == result.value
    passed = result is Result.PASS
    assert fact == ({"name": "mx.example.org"} if passed else {"reason": evidence.auth[0].reason})
    assert evidence.auth[0].result is result
    assert evidence.auth[0].properties == (("policy.iprev", "192.0.2.7"),)


def test_iprev_fail_names_the_name_and_keeps_it_out_of_the_confirmed() -> None:
    names = {"192.0.2.7": {"PTR": ["mx.example.org"]}, "mx.example.org": {"A": ["192.0.2.8"]}}
    evidence = asked(IprevCheck(), TXN, names)
    assert evidence.findings[0].details == {"client_ip": "192.0.2.7", "name": "mx.example.org"}
    assert evidence.facts["connection"] == {"reverse_name": "mx.example.org"}


@pytest.mark.parametrize("client_ip", [None, "127.0.0.1", "10.1.2.3", "fe80::1", "::1"])
def test_iprev_of_local_and_absent_addresses_asks_nothing(client_ip: str | None) -> None:
    evidence = asked(IprevCheck(), a_transaction(client_ip=client_ip), {})
    assert (evidence.findings, evidence.auth, dict(evidence.facts)) == ((), (), {})
