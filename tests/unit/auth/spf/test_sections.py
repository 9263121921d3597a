"""SPF by the sections of RFC 7208: what each asks for, with the questions that may be asked."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from milter.auth.results import Result
from milter.auth.spf import SpfLimits, SpfMeans, SpfResult, check_helo, check_spf
from milter.auth.story import Story, TellingResolver
from milter.core.address import Mailbox
from milter.dns.fake import FakeResolver

V4, V6 = "192.0.2.1", "2001:db8::1"
SENDER = Mailbox("strong-bad", "email.example.com")


def check(
    *terms: str, ip: str = V4, limits: SpfLimits | None = None, **names: Any
) -> tuple[SpfResult, list[tuple[str, str]]]:
    """Return the result for a record of `terms`, and what was asked after it."""
    others = {name.replace("__", "-").replace("_", "."): value for name, value in names.items()}
    record = {"TXT": [" ".join(["v=spf1", *terms])], "A": ["203.0.113.9"]}
    resolver = FakeResolver({"email.example.com": record, **others})
    means = SpfMeans("rx.example", limits or SpfLimits(), wall_clock=lambda: 1_000_000_000.5)
    checking = check_spf(ip_address(ip), SENDER, "mx.example.org", resolver, means)
    return asyncio.run(checking), resolver.asked[1:]


def verdict(*terms: str, **more: Any) -> Result:
    return check(*terms, **more)[0].result


# §4.5 and §4.6: selecting and reading records


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        pytest.param(["v=spf10 -all"], Result.NONE, id="4.5-another-version"),
        pytest.param(["v=spf1\t-all"], Result.NONE, id="4.5-only-a-space-ends-the-version"),
        pytest.param(["V=SPF1 -all"], Result.FAIL, id="4.5-version-has-no-case"),
        pytest.param([" v=spf1 -all"], Result.NONE, id="4.5-space-before-the-version"),
        pytest.param(["v=spf1 -all", "v=spf1"], Result.PERMERROR, id="4.5-several-records"),
        pytest.param(["v=spf1 -all", "google=x"], Result.FAIL, id="4.5-others-are-left-out"),
        pytest.param(["v=spf1 -ALL"], Result.FAIL, id="4.6.1-mechanisms-have-no-case"),
        pytest.param(["v=spf1   -all  "], Result.FAIL, id="4.6.1-several-spaces"),
        pytest.param(["v=spf1 -all nonsense"], Result.PERMERROR, id="4.6-mistake-after-all"),
        pytest.param(["v=spf1 -all:x.example"], Result.PERMERROR, id="5.1-all-has-no-name"),
        pytest.param(["v=spf1 all/8"], Result.PERMERROR, id="5.1-all-has-no-length"),
        pytest.param(["v=spf1 include"], Result.PERMERROR, id="5.2-include-needs-a-name"),
        pytest.param(["v=spf1 include:x.example/8"], Result.PERMERROR, id="5.2-no-length"),
        pytest.param(["v=spf1 exists"], Result.PERMERROR, id="5.7-exists-needs-a-name"),
        pytest.param(["v=spf1 ip4:192.0.2.1/33"], Result.PERMERROR, id="5.6-length"),
        pytest.param(["v=spf1 ip4:192.0.2.1/032"], Result.PERMERROR, id="5.6-leading-zero"),
        pytest.param(["v=spf1 ip4:192.0.2.01"], Result.PERMERROR, id="5.6-octal"),
        pytest.param(["v=spf1 ip4:192.0.2"], Result.PERMERROR, id="5.6-three-octets"),
        pytest.param(["v=spf1 ip4:2001:db8::1"], Result.PERMERROR, id="5.6-family"),
        pytest.param(["v=spf1 ip6:2001:db8::1/129"], Result.PERMERROR, id="5.6-length-v6"),
        pytest.param(["v=spf1 ip6:fe80::1%eth0"], Result.PERMERROR, id="5.6-scope-id"),
        pytest.param(["v=spf1 a:localhost"], Result.PERMERROR, id="7.1-single-label"),
        pytest.param(["v=spf1 a:x.example.123"], Result.PERMERROR, id="7.1-number-as-top-label"),
        pytest.param(["v=spf1 a:x.example-"], Result.PERMERROR, id="7.1-hyphen-at-the-end"),
        pytest.param(["v=spf1 a:x.-example"], Result.PERMERROR, id="7.1-hyphen-at-the-start"),
        pytest.param(["v=spf1 -a:x.1-1"], Result.NEUTRAL, id="7.1-number-with-a-hyphen"),
        pytest.param(["v=spf1 redirect=a.example redirect=b.example"], Result.PERMERROR, id="6"),
        pytest.param(["v=spf1 Exp=a.example exp=b.example"], Result.PERMERROR, id="6-exp-twice"),
        pytest.param(["v=spf1 redirect="], Result.PERMERROR, id="6.1-empty"),
        pytest.param(["v=spf1 moo=%{z}"], Result.PERMERROR, id="6-unknown-modifier-with-mistake"),
        pytest.param(["v=spf1 moo=%{c}"], Result.PERMERROR, id="7.2-letter-of-explanations"),
        pytest.param(["v=spf1 -exists:%{d0}.example"], Result.PERMERROR, id="7.1-zero-parts"),
        pytest.param(["v=spf1 -exists:%(d).example"], Result.PERMERROR, id="7.1-parentheses"),
        pytest.param(["v=spf1 a:\xe9.example"], Result.PERMERROR, id="4.6.1-not-ascii"),
    ],
)
def test_record_is_read_as_the_grammar_has_it(texts: list[str], result: Result) -> None:
    resolver = FakeResolver({"email.example.com": {"TXT": texts}, "x.1-1": {"A": ["203.0.113.1"]}})
    said = asyncio.run(check_spf(ip_address(V4), SENDER, "mx", resolver))
    assert said.result is result


def test_strings_of_a_record_are_joined_without_space() -> None:
    record = {"TXT": [[b"v=spf1 ip4:192.0.", b"2.1 -all"]]}
    resolver = FakeResolver({"email.example.com": record})
    said = asyncio.run(check_spf(ip_address(V4), SENDER, "mx", resolver))
    assert said.result is Result.PASS


# §4.6.4: limits


@pytest.mark.parametrize(
    ("count", "result", "asked"),
    [
        pytest.param(10, Result.FAIL, 10, id="ten"),
        pytest.param(11, Result.PERMERROR, 10, id="more"),
    ],
)
def test_terms_that_ask_are_ten_at_most(count: int, result: Result, asked: int) -> None:
    terms = [f"a:h{i}.example" for i in range(count)]
    hosts: dict[str, Any] = {f"h{i}_example": {"A": ["203.0.113.9"]} for i in range(count)}
    said, questions = check(*terms, "-all", **hosts)
    assert said.result is result
    assert questions == [(f"h{i}.example", "A") for i in range(asked)]
    assert said.terms == 10


def test_terms_of_included_records_count_together() -> None:
    inner = {"TXT": ["v=spf1 " + " ".join(f"a:h{i}.example" for i in range(5)) + " -all"]}
    hosts: dict[str, Any] = {f"h{i}_example": {"A": ["203.0.113.9"]} for i in range(5)}
    said, questions = check(
        "include:one.example", "include:two.example", **hosts, one_example=inner, two_example=inner
    )
    assert said.result is Result.PERMERROR
    # The second round asks the same names, so the DNS is not asked again; the eleventh never is.
    assert questions == [
        ("one.example", "TXT"),
        *((f"h{i}.example", "A") for i in range(5)),
        ("two.example", "TXT"),
    ]
    assert said.reason == "more than 10 terms that ask the DNS, at a:h3.example"


def test_redirect_that_is_not_followed_does_not_count() -> None:
    terms = [f"a:h{i}.example" for i in range(10)]
    hosts: dict[str, Any] = {f"h{i}_example": {"A": ["203.0.113.9"]} for i in range(9)}
    hosts["h9_example"] = {"A": [V4]}
    assert verdict("redirect=r.example", *terms, **hosts) is Result.PASS


def test_redirect_that_is_followed_counts() -> None:
    terms = [f"a:h{i}.example" for i in range(10)]
    hosts: dict[str, Any] = {f"h{i}_example": {"A": ["203.0.113.9"]} for i in range(10)}
    said, questions = check("redirect=r.example", *terms, **hosts)
    assert said.result is Result.PERMERROR
    assert ("r.example", "TXT") not in questions


def test_void_lookups_are_two_and_a_setting() -> None:
    terms = ("a:v1.example", "a:v2.example", "a:v3.example", "+all")
    said, questions = check(*terms)
    assert (said.result, len(questions)) == (Result.PERMERROR, 3)
    assert said.reason == "more than 2 void lookups, the last for A of v3.example"
    assert verdict(*terms, limits=SpfLimits(void_lookups=3)) is Result.PASS


def test_mx_names_are_ten_and_a_setting() -> None:
    names = [[1, f"m{i}.example"] for i in range(11)]
    said, questions = check("mx:many.example", "+all", many_example={"MX": names})
    assert (said.result, questions) == (Result.PERMERROR, [("many.example", "MX")])
    hosts: dict[str, Any] = {f"m{i}_example": {"A": ["203.0.113.9"]} for i in range(11)}
    more = SpfLimits(mx_names=11)
    assert verdict("mx:many.example", "+all", many_example={"MX": names}, limits=more, **hosts) is (
        Result.PASS
    )


def test_reverse_names_past_ten_are_passed_over() -> None:
    names = [f"n{i}.email.example.com" for i in range(11)]
    zone: dict[str, object] = {V4: {"PTR": names}, names[10]: {"A": [V4]}}
    record = {"TXT": ["v=spf1 ptr -all"]}
    resolver = FakeResolver({"email.example.com": record, **zone})
    said = asyncio.run(check_spf(ip_address(V4), SENDER, "mx", resolver))
    assert said.result is Result.FAIL
    assert (names[10], "A") not in resolver.asked


# §5: mechanisms


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("v=spf1 +all", Result.PASS),
        ("v=spf1 -all", Result.NEUTRAL),
        ("v=spf1 ~all", Result.NEUTRAL),
        ("v=spf1 ?all", Result.NEUTRAL),
        ("v=spf1 nonsense", Result.PERMERROR),
        ("nothing of the kind", Result.PERMERROR),
    ],
)
def test_include_by_the_table_of_5_2(inner: str, outer: Result) -> None:
    assert verdict("include:i.example", i_example={"TXT": [inner]}) is outer


def test_include_of_what_is_no_name_is_permerror() -> None:
    assert verdict("include:%{l}..example", "+all") is Result.PERMERROR
    sender = Mailbox("b\xfccher", "email.example.com")
    record = {"TXT": ["v=spf1 include:%{l}.example -all"]}
    resolver = FakeResolver({"email.example.com": record})
    said = asyncio.run(check_spf(ip_address(V4), sender, "mx", resolver))
    assert said.result is Result.FAIL


def test_include_that_cannot_be_asked_is_temperror() -> None:
    said, _ = check("include:i.example", "+all", i_example="servfail")
    assert (said.result, said.reason) == (Result.TEMPERROR, "servfail for TXT of i.example")


def test_a_asks_for_the_family_of_the_client() -> None:
    host = {"A": [V4], "AAAA": [V6]}
    assert check("a:h.example", "-all", h_example=host)[1] == [("h.example", "A")]
    said, questions = check("a:h.example/8//64", "-all", ip="2001:db8::ffff", h_example=host)
    assert (said.result, questions) == (Result.PASS, [("h.example", "AAAA")])


def test_mx_is_asked_in_order_until_one_matches() -> None:
    zone = {"MX": [[30, "c.example"], [10, "a.example"], [20, "b.example"]]}
    hosts: dict[str, Any] = {"a_example": {"A": ["203.0.113.9"]}, "b_example": {"A": [V4]}}
    said, questions = check("mx:d.example", "-all", d_example=zone, **hosts)
    assert said.result is Result.PASS
    assert questions == [("d.example", "MX"), ("a.example", "A"), ("b.example", "A")]


def test_mx_without_a_name_matches_nothing() -> None:
    assert verdict("mx:d.example", "-all", d_example={"MX": [[0, "."]]}) is Result.FAIL


def test_ptr_asks_only_for_names_that_could_match() -> None:
    zone: dict[str, object] = {
        "email.example.com": {"TXT": ["v=spf1 ptr -all"]},
        V4: {"PTR": ["other.example", "x.email.example.com"]},
        "x.email.example.com": {"A": [V4]},
    }
    resolver = FakeResolver(zone)
    said = asyncio.run(check_spf(ip_address(V4), SENDER, "mx", resolver))
    assert said.result is Result.PASS
    assert resolver.asked[1:] == [("1.2.0.192.in-addr.arpa", "PTR"), ("x.email.example.com", "A")]


def test_ip_mechanism_of_the_other_family_matches_nothing() -> None:
    assert verdict("ip4:0.0.0.0/0", "-all", ip=V6) is Result.FAIL
    assert verdict("ip6:::/0", "-all") is Result.FAIL
    assert verdict("ip6:::ffff:192.0.2.1", "-all", ip="::ffff:192.0.2.1") is Result.FAIL


def test_exists_asks_for_an_a_record_whatever_the_client() -> None:
    said, questions = check("exists:e.example", "-all", ip=V6, e_example={"A": ["127.0.0.2"]})
    assert (said.result, questions) == (Result.PASS, [("e.example", "A")])


def test_nothing_is_asked_after_a_match() -> None:
    said, questions = check("ip4:192.0.2.1", "a:x.example", "include:y.example", "exp=z.example")
    assert (said.result, questions) == (Result.PASS, [])


# §6: modifiers


def test_redirect_takes_the_place_of_the_domain() -> None:
    said, _ = check(
        "redirect=r.example",
        r_example={"TXT": ["v=spf1 a -all exp=w.example"], "A": ["203.0.113.9"]},
        w_example={"TXT": ["%{d} says no to %{o}"]},
    )
    assert (said.result, said.explanation) == (
        Result.FAIL,
        "r.example says no to email.example.com",
    )


@pytest.mark.parametrize("there", ["nodata", {"TXT": ["x"]}, "nxdomain"])
def test_redirect_to_no_record_is_permerror(there: object) -> None:
    assert verdict("redirect=r.example", r_example=there) is Result.PERMERROR


def test_explanation_is_asked_for_a_fail_alone() -> None:
    why = {"TXT": ["no"]}
    assert check("~all", "exp=w.example", w_example=why)[1] == []
    assert check("-all", "exp=w.example", w_example=why)[1] == [("w.example", "TXT")]


def test_explanation_of_an_included_record_is_not_used() -> None:
    inner = {"TXT": ["v=spf1 +all exp=w.example"]}
    said, questions = check("-include:i.example", i_example=inner, w_example={"TXT": ["no"]})
    assert (said.result, said.explanation) == (Result.FAIL, "")
    assert ("w.example", "TXT") not in questions


@pytest.mark.parametrize("why", ["servfail", "silence", {"TXT": ["one", "two"]}])
def test_explanation_that_does_not_come_leaves_the_fail(why: object) -> None:
    limits = SpfLimits(timeout_s=0.05)
    said, _ = check("-all", "exp=w.example", w_example=why, limits=limits)
    assert (said.result, said.explanation) == (Result.FAIL, "")


# §7: macros, with the examples of §7.4


@pytest.mark.parametrize(
    ("macro", "text"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{d99999999999999999999}", "email.example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{h}", "mx.example.org"),
        ("%{v}._spf", "in-addr._spf"),
        ("%{ir}", "1.2.0.192"),
        ("%{c}", "192.0.2.1"),
        ("%{r}", "rx.example"),
        ("%{t}", "1000000000"),
        ("a%%b%_c%-d", "a%b c%20d"),
    ],
)
def test_macro_becomes_what_7_4_says(macro: str, text: str) -> None:
    said, _ = check("-all", "exp=w.example", w_example={"TXT": [macro]})
    assert said.explanation == text


def test_macro_of_an_ipv6_client_is_written_in_nibbles() -> None:
    why = {"TXT": ["%{i} %{v} %{c}"]}
    said, _ = check("-all", "exp=w.example", ip="2001:db8::cb01", w_example=why)
    nibbles = "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1"
    assert said.explanation == f"{nibbles} ip6 2001:db8::cb01"


def test_macro_p_prefers_the_domain_then_what_lies_below_it() -> None:
    zone: dict[str, object] = {
        "email.example.com": {"TXT": ["v=spf1 -all exp=w.example"], "A": [V4]},
        "w.example": {"TXT": ["%{p}"]},
        V4: {"PTR": ["other.example", "x.email.example.com", "email.example.com"]},
        "other.example": {"A": [V4]},
        "x.email.example.com": {"A": [V4]},
    }

    def said(names: dict[str, object]) -> str:
        checking = check_spf(ip_address(V4), SENDER, "mx", FakeResolver(names))
        return asyncio.run(checking).explanation

    assert said(zone) == "email.example.com"
    zone["email.example.com"] = {"TXT": ["v=spf1 -all exp=w.example"]}
    assert said(zone) == "x.email.example.com"
    del zone["x.email.example.com"]
    assert said(zone) == "other.example"
    del zone["other.example"]
    assert said(zone) == "unknown"


def test_name_that_grows_too_long_loses_labels_on_its_left() -> None:
    sender = Mailbox("x", ".".join(["a" * 50] * 4 + ["example"]))
    long = ".".join(["a" * 50] * 3 + ["example", *["a" * 50] * 1, "example"])
    resolver = FakeResolver(
        {
            sender.domain: {"TXT": ["v=spf1 exists:%{d}.%{d2} -all"]},
            "*.example": {"A": ["127.0.0.2"]},
        }
    )
    asyncio.run(check_spf(ip_address(V4), sender, "mx", resolver))
    asked = resolver.asked[-1][0]
    assert len(asked) <= 253
    assert asked == long


# RFC 8616


def test_helo_name_in_u_labels_is_asked_in_a_labels() -> None:
    resolver = FakeResolver({"xn--bcher-kva.example": {"TXT": ["v=spf1 exists:%{h} -all"]}})
    helo = "b\xfccher.example"
    assert asyncio.run(check_helo(ip_address(V4), helo, resolver)).result is Result.FAIL
    assert resolver.asked == [("xn--bcher-kva.example", "TXT"), ("xn--bcher-kva.example", "A")]


def test_story_of_an_evaluation_tells_each_term_and_its_section() -> None:
    zone: dict[str, object] = {
        "email.example.com": {"TXT": ["v=spf1 a:h.example include:i.example -all"]},
        "i.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24"]},
    }
    story = Story("spf")
    asyncio.run(check_spf(ip_address(V4), SENDER, "mx", TellingResolver(FakeResolver(zone), story)))
    assert list(story.lines()) == [
        "? email.example.com TXT: 1 record, TTL 300 s",
        '    "v=spf1 a:h.example include:i.example -all"',
        "= a:h.example: asks, 1 of 10  [RFC 7208 §4.6.4]",
        "? h.example A: nxdomain",
        "= void lookup, 1 of 2  [RFC 7208 §4.6.4]",
        "= email.example.com: a:h.example does not match  [RFC 7208 §5.3]",
        "= include:i.example: asks, 2 of 10  [RFC 7208 §4.6.4]",
        "? i.example TXT: 1 record, TTL 300 s",
        '    "v=spf1 ip4:192.0.2.0/24"',
        "= i.example: ip4:192.0.2.0/24 matches  [RFC 7208 §5.6]",
        "= email.example.com: include:i.example matches  [RFC 7208 §5.2]",
        "= SPF of email.example.com (MAIL FROM) for 192.0.2.1: pass  [RFC 7208 §2.6]",
    ]
