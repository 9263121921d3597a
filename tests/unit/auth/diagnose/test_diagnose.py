"""A diagnosis grades what a domain publishes and says what to do."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from milter.auth.diagnose import Diagnosis, Grade, Item, diagnose
from milter.dns.fake import FakeResolver
from tests.support.dkim_signer import rsa_pair

GOOD: dict[str, Any] = {
    "example.org": {"TXT": ["v=spf1 mx -all"], "MX": [[10, "mx.example.org"]]},
    "mx.example.org": {"A": ["192.0.2.1"]},
    "192.0.2.1": {"PTR": ["mx.example.org"]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
    "_mta-sts.example.org": {"TXT": ["v=STSv1; id=20261124;"]},
    "_smtp._tls.example.org": {"TXT": ["v=TLSRPTv1; rua=mailto:tls@example.org"]},
}


def said(zone: dict[str, Any], selectors: tuple[str, ...] = ()) -> Diagnosis:
    resolver = FakeResolver(zone)
    return asyncio.run(diagnose("Example.org", resolver, ip_address("192.0.2.1"), selectors))


def item(zone: dict[str, Any], topic: str, selectors: tuple[str, ...] = ()) -> Item:
    return next(item for item in said(zone, selectors).items if item.topic == topic)


def with_spf(*terms: str, **names: Any) -> Item:
    more = {name.replace("_", "."): value for name, value in names.items()}
    record = {"TXT": [" ".join(["v=spf1", *terms])], "MX": [[10, "mx.example.org"]]}
    return item({**GOOD, **more, "example.org": record}, "SPF")


def test_diagnosis_of_a_good_domain_has_nothing_to_mend() -> None:
    diagnosis = said(GOOD)
    assert diagnosis.domain == "example.org"
    assert [item.topic for item in diagnosis.items] == [
        *("SPF", "SPF for 192.0.2.1", "DMARC", "MX", "reverse DNS of 192.0.2.1"),
        *("MTA-STS", "TLS-RPT"),
    ]
    assert {item.grade for item in diagnosis.items} == {Grade.GOOD}


@pytest.mark.parametrize(
    ("terms", "grade", "advice"),
    [
        pytest.param("+all", Grade.PROBLEM, "lets everybody send", id="everybody"),
        pytest.param("?all", Grade.NOTE, "neutral", id="neutral"),
        pytest.param("mx:example.org", Grade.NOTE, "neutral", id="no-end"),
        pytest.param("include:open.example -all", Grade.GOOD, "Nothing", id="end-of-an-include"),
        pytest.param("redirect=open.example", Grade.PROBLEM, "lets everybody", id="twice"),
        pytest.param("redirect=%{d}.example", Grade.GOOD, "Nothing", id="not-known"),
    ],
)
def test_diagnosis_of_spf_judges_the_end_to_which_a_redirect_leads(
    terms: str, grade: Grade, advice: str
) -> None:
    there = {"TXT": [f"v=spf1 {terms}"]}
    spf = with_spf("redirect=r.example", r_example=there, open_example={"TXT": ["v=spf1 +all"]})
    assert (spf.grade, advice in spf.advice) == (grade, True)


def test_diagnosis_of_a_domain_that_does_not_exist_says_that_alone() -> None:
    diagnosis = said({"example.net": {"A": ["192.0.2.1"]}})
    assert [(one.topic, one.grade) for one in diagnosis.items] == [("domain", Grade.PROBLEM)]
    assert diagnosis.items[0].advice.startswith("This domain does not exist.")
    assert diagnosis.questions == 1


def test_diagnosis_asks_each_question_once_and_counts_them() -> None:
    resolver = FakeResolver(GOOD)
    diagnosis = asyncio.run(diagnose("example.org", resolver))
    assert len(set(resolver.asked)) == len(resolver.asked) == diagnosis.questions


@pytest.mark.parametrize(
    ("terms", "grade", "advice"),
    [
        pytest.param(["+all"], Grade.PROBLEM, "lets everybody send", id="everybody"),
        pytest.param(["?all"], Grade.NOTE, "neutral", id="neutral"),
        pytest.param(["mx"], Grade.NOTE, "neutral", id="no-end"),
        pytest.param(["ptr", "-all"], Grade.NOTE, "Replace `ptr`", id="ptr"),
        pytest.param(["nonsense", "-all"], Grade.PROBLEM, "no policy at all", id="mistake"),
        pytest.param(
            [*(f"exists:e{i}.example" for i in range(11)), "-all"],
            *(Grade.PROBLEM, "Receivers stop at ten"),
            id="eleven-terms",
        ),
        pytest.param(
            [*(f"exists:e{i}.example" for i in range(8)), "-all"],
            *(Grade.NOTE, "little room"),
            id="eight-terms",
        ),
        pytest.param(
            ["a:a.example", "a:b.example", "a:c.example", "-all"],
            *(Grade.PROBLEM, "stale terms"),
            id="void",
        ),
        pytest.param(["a:a.example", "-all"], Grade.NOTE, "found at a.example", id="one-void"),
        pytest.param(["include:none.example", "-all"], Grade.PROBLEM, "permerror", id="include"),
        pytest.param(["include:example.org", "-all"], Grade.PROBLEM, "Receivers stop", id="loop"),
    ],
)
def test_spf_is_graded(terms: list[str], grade: Grade, advice: str) -> None:
    spf = with_spf(*terms)
    assert spf.grade is grade
    assert advice in spf.advice


def test_spf_counts_the_terms_of_every_branch() -> None:
    inner = {"TXT": ["v=spf1 a:mx.example.org mx:example.org redirect=more.example"]}
    spf = with_spf("include:i.example", "-all", i_example=inner, more_example={"TXT": ["v=spf1"]})
    assert "4 of 10 terms that ask, 0 without answer" in spf.found


def test_spf_without_a_record_and_with_two() -> None:
    none = item({**GOOD, "example.org": {"MX": [[10, "mx.example.org"]]}}, "SPF")
    two = item({**GOOD, "example.org": {"TXT": ["v=spf1 -all", "v=spf1 +all"]}}, "SPF")
    assert (none.grade, none.found) == (Grade.PROBLEM, ("no record",))
    assert (two.grade, two.found[-1]) == (Grade.PROBLEM, "example.org has 2 SPF records")


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("example.org", "SPF"),
        ("example.org", "MX"),
        ("_dmarc.example.org", "DMARC"),
        ("192.0.2.1", "reverse DNS of 192.0.2.1"),
        ("_mta-sts.example.org", "MTA-STS"),
        ("_smtp._tls.example.org", "TLS-RPT"),
        ("s._domainkey.example.org", "DKIM of s"),
    ],
)
def test_what_the_dns_does_not_tell_is_no_problem_of_the_domain(name: str, topic: str) -> None:
    assert item({**GOOD, name: "timeout"}, topic, ("s",)).grade is Grade.UNANSWERED


@pytest.mark.parametrize(
    ("zone", "topic", "grade"),
    [
        ({"_dmarc.example.org": {"TXT": ["x"]}}, "DMARC", Grade.PROBLEM),
        ({"_dmarc.example.org": {"TXT": ["v=DMARC1; p=none"]}}, "DMARC", Grade.NOTE),
        ({"example.org": {"MX": [[0, "."]]}}, "MX", Grade.NOTE),
        ({"example.org": {"A": ["192.0.2.1"]}}, "MX", Grade.NOTE),
        ({"example.org": {"TXT": ["x"]}}, "MX", Grade.PROBLEM),
        ({"example.org": {"MX": [[1, "gone.example.org"]]}}, "MX", Grade.PROBLEM),
        ({"192.0.2.1": "nxdomain"}, "reverse DNS of 192.0.2.1", Grade.PROBLEM),
        ({"_mta-sts.example.org": {"TXT": ["v=STSv1"]}}, "MTA-STS", Grade.PROBLEM),
        ({"_mta-sts.example.org": {"TXT": ["v=STSv1; id=a b;"]}}, "MTA-STS", Grade.PROBLEM),
        (
            {"_mta-sts.example.org": {"TXT": ["v=STSv1; id=1", "v=STSv1; id=2"]}},
            "MTA-STS",
            "problem",
        ),
        ({"_mta-sts.example.org": "nxdomain"}, "MTA-STS", Grade.NOTE),
        ({"_smtp._tls.example.org": {"TXT": ["v=TLSRPTv1; rua=x"]}}, "TLS-RPT", Grade.PROBLEM),
    ],
)
def test_records_are_graded(zone: dict[str, Any], topic: str, grade: str) -> None:
    assert item({**GOOD, **zone}, topic).grade == grade


def test_dkim_keys_are_graded() -> None:
    key = rsa_pair().record.decode("ascii")
    keys = {
        "good._domainkey.example.org": {"TXT": [key]},
        "try._domainkey.example.org": {"TXT": [f"{key}; t=y"]},
        "revoked._domainkey.example.org": {"TXT": ["v=DKIM1; p="]},
    }
    selectors = ("good", "try", "revoked", "missing")
    grades = [item({**GOOD, **keys}, f"DKIM of {s}", selectors).grade for s in selectors]
    assert grades == [Grade.GOOD, Grade.NOTE, Grade.PROBLEM, Grade.PROBLEM]
