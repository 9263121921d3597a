"""The tree walk, alignment and the wish of the domain, from a zone (RFC 9989 §4.10, §5.3)."""

from __future__ import annotations

import asyncio

import pytest

from milter.auth.dmarc import DmarcResult, Identifier, Walker, check_dmarc
from milter.auth.dmarc.walk import walk_targets
from milter.auth.results import Result
from milter.dns.fake import FakeResolver

PASS, FAIL, TEMPERROR = Result.PASS, Result.FAIL, Result.TEMPERROR

Zone = dict[str, object]


def zone(**records: str) -> Zone:
    """Return a zone with a record at `_dmarc.` and each name, `__` standing for a dot."""
    return {
        f"_dmarc.{name.replace('__', '.')}": {"TXT": [f"v=DMARC1; {tags}"]}
        for name, tags in records.items()
    }


def spf(domain: str, result: Result = PASS) -> Identifier:
    return Identifier("spf", domain, result)


def dkim(domain: str, result: Result = PASS) -> Identifier:
    return Identifier("dkim", domain, result)


def judged(
    author: str, names: Zone, *identifiers: Identifier
) -> tuple[DmarcResult, list[tuple[str, str]]]:
    resolver = FakeResolver(names)
    result = asyncio.run(check_dmarc(author, identifiers, Walker(resolver)))
    return result, resolver.asked


def result_of(author: str, names: Zone, *identifiers: Identifier) -> str:
    return judged(author, names, *identifiers)[0].result.value


# --- §4.10: which names are asked for -------------------------------------------------------------


def test_walk_of_thirteen_labels_is_that_of_the_standard() -> None:
    assert walk_targets("a.b.c.d.e.f.g.h.i.j.mail.example.com") == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]


def test_twelve_labels_cause_exactly_eight_queries() -> None:
    author = "a.b.c.d.e.f.g.h.i.j.example.com"

    result, asked = judged(author, {}, spf("example.com"), dkim("x.example.com"))

    assert author.count(".") == 11
    assert [name for name, _ in asked] == [f"_dmarc.{name}" for name in walk_targets(author)]
    assert len(asked) == 8
    assert result.result is Result.NONE
    assert [each.name for each in result.asked] == [name for name, _ in asked]


@pytest.mark.parametrize(("labels", "queries"), [(1, 1), (2, 2), (7, 7), (8, 8), (9, 8), (40, 8)])
def test_walk_takes_eight_queries_at_most(labels: int, queries: int) -> None:
    author = ".".join(["a"] * labels)

    assert len(judged(author, {})[1]) == queries


def test_walk_stops_at_psd_n() -> None:
    names = zone(mail__example__com="psd=n; p=reject")

    result, asked = judged("a.mail.example.com", names, spf("example.com"))

    assert [name for name, _ in asked] == ["_dmarc.a.mail.example.com", "_dmarc.mail.example.com"]
    assert result.org_domain == "mail.example.com"


def test_walk_stops_at_psd_y() -> None:
    names = zone(example__com="psd=y; p=reject")

    result, asked = judged("a.mail.example.com", names)

    assert len(asked) == 3
    assert result.org_domain == "mail.example.com"


def test_no_name_is_asked_for_twice() -> None:
    names = zone(example__com="p=reject")
    identifiers = (spf("b.example.com"), dkim("c.example.com"), dkim("c.example.com"))

    asked = judged("a.example.com", names, *identifiers)[1]

    assert len(asked) == len(set(asked)) == 5


def test_identical_identifier_needs_one_query() -> None:
    result, asked = judged("example.com", zone(example__com="p=reject"), dkim("example.com"))

    assert result.result is PASS
    assert asked == [("_dmarc.example.com", "TXT")]


def test_strict_alignment_needs_one_query() -> None:
    names = zone(example__com="p=reject; adkim=s; aspf=s")

    asked = judged("example.com", names, dkim("a.example.com"), spf("b.example.com"))[1]

    assert asked == [("_dmarc.example.com", "TXT")]


def test_identifiers_elsewhere_need_no_walk() -> None:
    names = zone(example__com="p=reject")

    asked = judged("example.com", names, dkim("list.example"), spf("mail.example.net"))[1]

    assert asked == [("_dmarc.example.com", "TXT")]


# --- §4.10: which records count -------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["v=DMARC1; p=reject", "v=DMARC1; p=none"], id="two"),
        pytest.param(["v=DMARC1; p=reject", "v=DMARC1; p=bad"], id="one-of-two-broken"),
        pytest.param(["v=spf1 -all", "p=reject"], id="others"),
        pytest.param([], id="none"),
    ],
)
def test_records_that_are_not_one_are_none(texts: list[str]) -> None:
    assert result_of("example.com", {"_dmarc.example.com": {"TXT": texts}}) == "none"


def test_several_records_let_the_parent_decide() -> None:
    names: Zone = {
        "_dmarc.a.example.com": {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=none"]},
        **zone(example__com="p=none; sp=reject"),
    }

    assert judged("a.example.com", names)[0].wish == "reject"


def test_other_texts_beside_the_record_are_ignored() -> None:
    names: Zone = {"_dmarc.example.com": {"TXT": ["other", "v=DMARC1; p=reject"]}}

    assert judged("example.com", names)[0].wish == "reject"


def test_record_in_several_strings_is_joined() -> None:
    names: Zone = {"_dmarc.example.com": {"TXT": [["v=DMARC1; p=", "reject"]]}}

    assert judged("example.com", names)[0].wish == "reject"


def test_broken_record_is_permerror_even_with_an_aligned_identifier() -> None:
    result, _ = judged("example.com", zone(example__com="p=bad"), dkim("example.com"))

    assert (result.result, result.reason) == (Result.PERMERROR, "the tag p is invalid")


# --- §4.10.1: what is asked for -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "tags", "wish", "tag"),
    [
        pytest.param("example.com", "p=reject; sp=none; np=none", "reject", "p", id="itself"),
        pytest.param("here.example.com", "p=reject", "reject", "p", id="inherited-p"),
        pytest.param("here.example.com", "p=none; sp=reject", "reject", "sp", id="sp"),
        pytest.param("here.example.com", "p=none; np=reject", "none", "p", id="np-not-if-it-is"),
        pytest.param("gone.example.com", "p=none; np=reject", "reject", "np", id="np"),
        pytest.param("gone.example.com", "p=none; sp=reject", "reject", "sp", id="np-falls-to-sp"),
        pytest.param("gone.example.com", "p=reject", "reject", "p", id="np-falls-to-p"),
        pytest.param("gone.example.com", "p=none; sp=none; np=quarantine", "quarantine", "np"),
        pytest.param("example.com", "p=reject; t=y", "quarantine", "p", id="test-of-reject"),
        pytest.param("example.com", "p=quarantine; t=y", "none", "p", id="test-of-quarantine"),
        pytest.param("example.com", "p=none; t=y", "none", "p", id="test-of-none"),
        pytest.param("here.example.com", "p=none; sp=reject; t=y", "quarantine", "sp", id="t-sp"),
        pytest.param("gone.example.com", "p=none; np=reject; t=y", "quarantine", "np", id="t-np"),
    ],
)
def test_wish(author: str, tags: str, wish: str, tag: str) -> None:
    names = {**zone(example__com=tags), "here.example.com": {"A": ["192.0.2.1"]}}

    result, _ = judged(author, names)

    assert result.result is FAIL
    assert (result.wish, result.tag) == (wish, tag)


def test_whether_the_name_exists_is_asked_for_only_where_it_matters() -> None:
    names = zone(example__com="p=reject; np=reject", example__net="p=none; np=reject")

    same = judged("a.example.com", names)[1]
    passing = judged("a.example.net", names, dkim("a.example.net"))[1]
    failing = judged("a.example.net", names)[1]

    assert ("a.example.com", "MX") not in same
    assert ("a.example.net", "MX") not in passing
    assert ("a.example.net", "MX") in failing


def test_name_above_an_existing_one_exists() -> None:
    names = {**zone(example__com="p=none; np=reject"), "x.a.example.com": {"A": ["192.0.2.1"]}}

    assert judged("a.example.com", names)[0].wish == "none"


def test_policy_of_the_public_suffix_holds_where_the_organization_has_none() -> None:
    names = zone(bank="psd=y; p=reject; sp=quarantine")

    result, _ = judged("mail.example.bank", names)

    assert (result.wish, result.record_domain) == ("quarantine", "bank")
    assert result.org_domain == "example.bank"


def test_policy_of_the_organization_goes_before_the_public_suffix() -> None:
    names = zone(bank="psd=y; p=reject", example__bank="p=none; sp=quarantine")

    result, _ = judged("mail.example.bank", names)

    assert (result.wish, result.record_domain) == ("quarantine", "example.bank")


def test_record_between_author_and_organization_is_passed_over() -> None:
    names = zone(b__example__com="p=none", example__com="p=none; sp=reject")

    result, _ = judged("a.b.example.com", names)

    assert (result.wish, result.record_domain) == ("reject", "example.com")


# --- §4.10.2: alignment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "identifier", "tags", "result"),
    [
        pytest.param("news.example.com", dkim("foo.example.com"), "", "pass", id="siblings"),
        pytest.param("news.example.com", dkim("news.example.com"), "", "pass", id="identical"),
        pytest.param("news.example.com", dkim("foo.example.net"), "", "fail", id="no-relation"),
        pytest.param("example.com", spf("a.example.com"), "", "pass", id="below-the-author"),
        pytest.param("a.example.com", spf("example.com"), "", "pass", id="above-the-author"),
        pytest.param("example.com", spf("notexample.com"), "", "fail", id="ends-alike"),
        pytest.param("example.com", spf("com"), "", "fail", id="the-suffix"),
        pytest.param("a.example.com", dkim("example.com"), "adkim=s", "fail", id="strict-dkim"),
        pytest.param("a.example.com", dkim("example.com"), "aspf=s", "pass", id="strict-other"),
        pytest.param("a.example.com", spf("example.com"), "aspf=s", "fail", id="strict-spf"),
        pytest.param("example.com", spf("example.com", FAIL), "", "fail", id="spf-fails"),
        pytest.param("example.com", dkim("example.com", FAIL), "", "fail", id="dkim-fails"),
        pytest.param(
            "example.com", dkim("example.com", Result.POLICY), "", "fail", id="weak-is-no-pass"
        ),
    ],
)
def test_alignment(author: str, identifier: Identifier, tags: str, result: str) -> None:
    assert result_of(author, zone(example__com=f"p=reject; {tags}"), identifier) == result


def test_one_aligned_identifier_of_several_is_enough() -> None:
    names = zone(example__com="p=reject")
    identifiers = (spf("list.example"), dkim("list.example"), dkim("m.example.com"))

    result, _ = judged("example.com", names, *identifiers)

    assert result.result is PASS
    assert [each.domain for each in result.aligned] == ["m.example.com"]


def test_psd_n_parts_a_subdomain_from_its_parent() -> None:
    names = zone(example__com="p=reject", uni__example__com="psd=n; p=reject")

    assert result_of("example.com", names, dkim("uni.example.com")) == "fail"
    assert result_of("uni.example.com", names, dkim("example.com")) == "fail"
    assert result_of("a.uni.example.com", names, dkim("b.uni.example.com")) == "pass"


def test_psd_y_parts_its_children() -> None:
    names = zone(example__com="psd=y; p=reject", a__example__com="p=reject")

    assert result_of("a.example.com", names, dkim("b.example.com")) == "fail"
    assert result_of("a.example.com", names, dkim("x.a.example.com")) == "pass"


def test_psd_y_where_the_walk_starts_is_its_own_organization() -> None:
    names = zone(example__com="psd=y; p=reject")

    assert result_of("example.com", names, dkim("example.com")) == "pass"
    # The child is an organization of its own.
    assert result_of("example.com", names, dkim("a.example.com")) == "fail"


def test_organization_is_the_highest_record() -> None:
    names = zone(b__example__com="p=reject", example__com="p=none")

    assert result_of("a.b.example.com", names, dkim("other.example.com")) == "pass"


def test_record_deep_below_a_long_name_names_its_organization() -> None:
    author = "a.b.c.d.e.f.g.h.i.example.com"
    names = zone(h__i__example__com="psd=y; p=reject")

    assert judged(author, names)[0].org_domain == "g.h.i.example.com"


def test_failure_says_what_was_found() -> None:
    identifiers = (spf("list.example"), dkim("example.com", FAIL), dkim("list.example"))

    result, _ = judged("example.com", zone(example__com="p=reject"), *identifiers)

    assert result.reason == (
        "spf=pass for list.example, not aligned; dkim=fail for example.com; "
        "dkim=pass for list.example, not aligned"
    )


def test_failure_without_identifiers_says_so() -> None:
    result, _ = judged("example.com", zone(example__com="p=reject"))

    assert result.reason == "neither SPF nor DKIM authenticates a domain"


# --- §5.3.6: trouble in the DNS -------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["servfail", "refused", "timeout"])
@pytest.mark.parametrize("name", ["_dmarc.a.example.com", "_dmarc.example.com", "_dmarc.com"])
def test_policy_that_cannot_be_asked_for_is_temperror(name: str, trouble: str) -> None:
    result, _ = judged("a.example.com", {name: trouble})

    assert (result.result, result.reason) == (TEMPERROR, f"{trouble} for {name}")


@pytest.mark.parametrize(
    ("record", "wish"),
    [
        pytest.param("p=reject", "reject", id="its-own"),
        pytest.param("p=reject; sp=quarantine", "quarantine", id="for-subdomains"),
        pytest.param("p=none", "none", id="nothing"),
    ],
)
def test_policy_that_cannot_be_asked_for_leaves_the_wish_of_the_domain_above(
    record: str, wish: str
) -> None:
    names = {**zone(example__com=record), "_dmarc.dead.example.com": "servfail"}

    result, _ = judged("dead.example.com", names)

    assert (result.result, result.wish.value) == (TEMPERROR, wish)
    assert result.record_domain == "example.com"


def test_policy_of_nobody_is_no_wish() -> None:
    result, _ = judged("a.example.com", {"_dmarc.a.example.com": "timeout"})

    assert (result.wish.value, result.record_domain) == ("none", "")


def test_walk_that_is_not_needed_cannot_fail() -> None:
    names = {**zone(example__com="p=reject"), "_dmarc.com": "servfail"}

    assert result_of("example.com", names, dkim("example.com")) == "pass"
    assert result_of("example.com", names, dkim("a.example.com")) == "temperror"
    assert result_of("example.com", names, dkim("list.example")) == "fail"


def test_trouble_with_one_identifier_does_not_undo_another() -> None:
    names = {**zone(example__com="p=reject"), "_dmarc.b.example.com": "servfail"}
    identifiers = (dkim("b.example.com"), dkim("c.example.com"))

    assert result_of("example.com", names, *identifiers) == "pass"
    assert result_of("example.com", names, identifiers[0]) == "temperror"


@pytest.mark.parametrize(
    ("identifier", "result"),
    [
        pytest.param(dkim("example.com", TEMPERROR), "temperror", id="identical"),
        pytest.param(spf("a.example.com", TEMPERROR), "temperror", id="within-the-organization"),
        pytest.param(spf("list.example", TEMPERROR), "fail", id="elsewhere"),
    ],
)
def test_identifier_in_temperror_counts_where_it_could_be_aligned(
    identifier: Identifier, result: str
) -> None:
    assert result_of("example.com", zone(example__com="p=reject"), identifier) == result


def test_existence_that_cannot_be_asked_for_is_temperror() -> None:
    names = {**zone(example__com="p=none; np=reject"), "a.example.com": {"MX": "servfail"}}

    assert result_of("a.example.com", names) == "temperror"


def test_psd_y_at_a_single_label_walk_ends() -> None:
    assert result_of("localhost", {}) == "none"
