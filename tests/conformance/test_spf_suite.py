"""The openspf test suite for RFC 7208, through the fake resolver."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, get_args

import pytest
import yaml

from milter.auth.spf import SpfResult, check_helo, check_spf
from milter.core.address import Mailbox
from milter.dns.fake import FakeResolver
from milter.dns.names import canonical_name
from milter.dns.resolver import Rrtype
from tests.support.third_party import SHARED

SUITE = SHARED / "conformance/spf/openspf-rfc7208/rfc7208-tests.yml"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not SUITE.exists(), reason=f"no SPF test suite at {SUITE}"),
]


def zone_of(zonedata: dict[str, list[Any]]) -> dict[str, object]:
    """Return the suite's zone in the form of the fake resolver."""
    names = {str(name): records_of(entries) for name, entries in zonedata.items()}
    return {name: value for name, value in names.items() if canonical_name(name) is not None}


def records_of(entries: list[Any]) -> dict[str, object]:
    """Return the records of one name.

    SPF stands for TXT unless TXT is there; TIMEOUT is what any type that is not there ends with.
    """
    records: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, dict):
            for rrtype, value in entry.items():
                records.setdefault(rrtype, []).append(value)
    if texts := records.pop("SPF", []):
        records.setdefault("TXT", texts)
    for rrtype, values in list(records.items()):
        kept = [value for value in values if value not in ("NONE", [])]
        records[rrtype] = "timeout" if "TIMEOUT" in kept else kept
        if rrtype == "TXT" and records[rrtype] != "timeout":
            records[rrtype] = [octets(value) for value in kept]
    if "TIMEOUT" in entries:
        for rrtype in get_args(Rrtype):
            # An empty answer is one that the suite wrote; everything else does not come.
            if not records.get(rrtype):
                records[rrtype] = "timeout"
    return records


def octets(value: Any) -> object:
    # The suite writes octets as the characters of the same number.
    if isinstance(value, list):
        return [item.encode("latin-1") for item in value]
    return str(value).encode("latin-1")


def cases() -> Iterator[Any]:
    if not SUITE.exists():
        return
    for scenario in yaml.safe_load_all(SUITE.read_bytes()):
        for name, case in scenario["tests"].items():
            yield pytest.param(scenario["zonedata"], case, id=name)


def checked(zonedata: dict[str, list[Any]], case: dict[str, Any]) -> SpfResult:
    resolver = FakeResolver(zone_of(zonedata))
    client, helo = ip_address(case["host"]), str(case["helo"])
    local_part, _, domain = str(case["mailfrom"] or "").rpartition("@")
    if not domain:
        return asyncio.run(check_helo(client, helo, resolver))
    mail_from = Mailbox(local_part or "postmaster", domain)
    return asyncio.run(check_spf(client, mail_from, helo, resolver))


@pytest.mark.parametrize(("zonedata", "case"), list(cases()))
def test_check_spf_of_the_suite(zonedata: dict[str, list[Any]], case: dict[str, Any]) -> None:
    outcome = checked(zonedata, case)
    expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert outcome.result.value in expected
    explanation = case.get("explanation")
    if explanation is not None and outcome.result.value == "fail":
        assert outcome.explanation == ("" if explanation == "DEFAULT" else explanation)


def test_suite_is_whole() -> None:
    assert len(list(cases())) == 203
