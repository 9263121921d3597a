import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from milter.auth.iprev import IprevResult, check_iprev
from milter.auth.results import Result
from milter.dns.fake import FakeResolver

V4 = "192.0.2.1"
V6 = "2001:db8::1"
NAMES: dict[str, object] = {
    "mx.example": {"A": [V4], "AAAA": [V6]},
    "MX.Example2": {"A": [V4]},
    "other.example": {"A": ["192.0.2.9"]},
    "broken.example": "servfail",
}


def check(ptr: object, ip: str = V4) -> IprevResult:
    address = ip_address(ip)
    zone = NAMES if ptr is None else {**NAMES, V4: {"PTR": ptr}, V6: {"PTR": ptr}}
    return asyncio.run(check_iprev(address, FakeResolver(zone)))


@pytest.mark.parametrize("ip", [V4, V6, f"{V6}%eth0", f"::ffff:{V4}"])
def test_check_iprev_name_that_leads_back_is_pass(ip: str) -> None:
    assert check(["mx.example"], ip) == IprevResult(Result.PASS, "mx.example", "mx.example")


def test_check_iprev_second_name_that_leads_back_is_pass() -> None:
    outcome = check(["other.example", "broken.example", "MX.Example2"])
    assert outcome == IprevResult(Result.PASS, "mx.example2", "other.example")


def test_check_iprev_no_name_is_permerror() -> None:
    assert check(None) == IprevResult(Result.PERMERROR, reason="no reverse name")


@pytest.mark.parametrize("name", ["other.example", "nowhere.example", "mx6.example"])
def test_check_iprev_name_that_leads_elsewhere_is_fail(name: str) -> None:
    assert check([name]) == IprevResult(Result.FAIL, None, name, f"{name} does not lead back")


@pytest.mark.parametrize("word", ["servfail", "timeout", "refused"])
def test_check_iprev_failing_reverse_zone_is_temperror(word: str) -> None:
    assert check(word) == IprevResult(Result.TEMPERROR, reason=f"{word} for the reverse name")


def test_check_iprev_failing_forward_zone_is_temperror() -> None:
    outcome = check(["other.example", "broken.example"])
    assert outcome.result is Result.TEMPERROR
    assert outcome.reverse_name == "other.example"


def test_check_iprev_eleventh_name_is_not_asked() -> None:
    names = [f"n{i}.example" for i in range(10)] + ["mx.example"]
    resolver = FakeResolver({**NAMES, V4: {"PTR": names}})
    outcome = asyncio.run(check_iprev(IPv4Address(V4), resolver))
    assert outcome.result is Result.FAIL
    assert len(resolver.asked) == 11


@pytest.mark.parametrize("name", ["a b.example", "evil\r\nHeader: x", "-x.example", "é.example"])
def test_check_iprev_what_is_no_host_name_is_passed_over(name: str) -> None:
    assert check([name]) == IprevResult(Result.PERMERROR, reason="no reverse name")


def test_check_iprev_asks_for_the_family_of_the_address() -> None:
    resolver = FakeResolver({**NAMES, V6: {"PTR": ["mx.example"]}})
    asyncio.run(check_iprev(IPv6Address(V6), resolver))
    assert resolver.asked[1] == ("mx.example", "AAAA")
