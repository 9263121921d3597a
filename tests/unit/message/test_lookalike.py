from __future__ import annotations

import pytest

from milter.message.lookalike import Level, Protected, brands, is_one_company

INDEX = Protected(["paypal.com", "example.org", "rakuten.co.jp", "volksbank.de", "apple.com"])
HIGH, MEDIUM, LOW = Level.HIGH, Level.MEDIUM, Level.LOW


@pytest.mark.parametrize(
    ("host", "level", "how"),
    [
        ("paypa1.com", HIGH, "letters"),
        ("paypaI.com".lower(), HIGH, "letters"),
        ("paypa1-help.com", MEDIUM, "words"),
        ("xn--pypal-4ve.com", HIGH, "letters"),
        ("pay-pal.com", HIGH, "letters"),
        ("exarnple.org", HIGH, "letters"),
        ("example0.org", HIGH, "edit"),
        ("rakuetn.co.jp", HIGH, "edit"),
        ("paypla.com", HIGH, "edit"),
        ("examplle.org", HIGH, "edit"),
        ("rakten.co.jp", HIGH, "edit"),
        ("ezample.org", HIGH, "edit"),
        ("rakutem.co.jp", HIGH, "edit"),
        (f"xn--{'rаkuten'.encode('punycode').decode()}.co.jp", HIGH, "letters"),
        ("appie.com", HIGH, "letters"),
        ("appel.com", MEDIUM, "edit"),
        ("paypal.com-secure.net", HIGH, "subdomain"),
        ("paypal.net", LOW, "suffix"),
        ("paypal.co.uk", LOW, "suffix"),
        ("rakuten.com", LOW, "suffix"),
        ("paypal-secure.com", MEDIUM, "words"),
        ("login-paypal-help.net", MEDIUM, "words"),
        ("paypalsecure.com", MEDIUM, "words"),
        ("securepaypal.com", MEDIUM, "words"),
        ("secure-paypa1.com", MEDIUM, "words"),
        ("example-invoices.com", MEDIUM, "words"),
        ("paypal.com.evil.net", HIGH, "subdomain"),
        ("www.paypal.com.x.evil.net", HIGH, "subdomain"),
        ("paypal.evil.net", LOW, "subdomain"),
        ("paypal.de.evil.net", HIGH, "subdomain"),
        ("paypal.co.uk.evil.net", HIGH, "subdomain"),
        ("paypa1.com.evil.net", HIGH, "subdomain"),
        ("xn--pypal-4ve.com.evil.net", HIGH, "subdomain"),
        ("login.paypal.com-secure.net", HIGH, "subdomain"),
        ("paypal.de-secure.net", HIGH, "subdomain"),
        ("paypal.com.biz", HIGH, "subdomain"),
        ("apple.com.evil.net", HIGH, "subdomain"),
        ("id.apple.com-secure.net", HIGH, "subdomain"),
        ("paypal.com.apple.net", HIGH, "subdomain"),
        ("login-paypal.com.evil.net", MEDIUM, "words"),
        ("login-paypal.evil.net", LOW, "subdomain"),
    ],
)
def test_domain_that_looks_like_a_protected_one(host: str, level: Level, how: str) -> None:
    likeness = INDEX.likeness(host)
    assert likeness is not None
    assert (likeness.level, likeness.how) == (level, how)


@pytest.mark.parametrize(
    "host",
    [
        "paypal.com", "www.paypal.com", "mail.example.org", "rakuten.co.jp", "github.com",
        "pineapple.com", "apple-pie.net", "bank.de", "sample.net", "com", "", "localhost",
        "apple.de.evil.net", "apple.evil.net", "gmail.com.invalid",
        "[2001:db8::1]", "192.0.2.1", "xn--zz.com", "a" * 63 + ".com",
    ],
)  # fmt: skip
def test_domain_that_looks_like_none(host: str) -> None:
    assert INDEX.likeness(host) is None


def test_host_is_named_whole_where_its_own_domain_looks_like_nothing() -> None:
    below, beside = INDEX.likeness("paypal.com.evil.net"), INDEX.likeness("www.paypal.net")

    assert below is not None
    assert beside is not None
    assert (below.domain, beside.domain) == ("paypal.com.evil.net", "paypal.net")


def test_brands_are_no_likeness_of_each_other() -> None:
    index = Protected(brands())
    assert [name for name in brands() if index.likeness(f"www.{name}")] == []


def test_domains_of_one_company_need_not_be_imitated() -> None:
    assert is_one_company("citi.com", "citibank.com")
    assert not is_one_company("citi.com", "paypal.com")
    assert Protected(brands()).likeness("cniti.com") is None
