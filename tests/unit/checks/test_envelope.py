from __future__ import annotations

import pytest

from milter.checks.envelope import EnvelopeCheck
from tests.support.checks import a_transaction, asked, symbols_of


@pytest.mark.parametrize(
    ("records", "symbols"),
    [
        pytest.param({"MX": [[10, "mx.example.org"]]}, [], id="mx"),
        pytest.param({"A": ["192.0.2.1"]}, [], id="address-alone"),
        pytest.param({"AAAA": ["2001:db8::1"]}, [], id="ipv6-address-alone"),
        pytest.param({"MX": [[0, "."]]}, ["SENDER_NULL_MX"], id="null-mx"),
        pytest.param({"MX": [[0, "."], [10, "mx.example.org"]]}, [], id="root-beside-another-mx"),
        pytest.param({"TXT": ["words"]}, ["SENDER_DOMAIN_MISSING"], id="exists-without-mail"),
        pytest.param("nxdomain", ["SENDER_DOMAIN_MISSING"], id="does-not-exist"),
        pytest.param("servfail", [], id="dns-fails"),
        pytest.param({"A": "timeout", "TXT": ["words"]}, [], id="address-times-out"),
    ],
)
def test_envelope_domain_is_judged_by_mx_and_addresses(records: object, symbols: list[str]) -> None:
    evidence = asked(EnvelopeCheck(), a_transaction("a@Example.org"), {"example.org": records})
    assert symbols_of(evidence) == symbols
    assert all(finding.details == {"domain": "example.org"} for finding in evidence.findings)


@pytest.mark.parametrize("mail_from", [None, "a@[192.0.2.1]"])
def test_envelope_without_a_domain_yields_nothing(mail_from: str | None) -> None:
    assert symbols_of(asked(EnvelopeCheck(), a_transaction(mail_from), {})) == []
