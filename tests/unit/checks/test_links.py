from __future__ import annotations

import pytest

from milter.checks.links import LinksCheck, claimed_domain
from tests.support.checks import looked, symbols_of


def html(body: str) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body.encode()


def text(body: str) -> bytes:
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body.encode()


@pytest.mark.parametrize(
    ("message", "symbols"),
    [
        pytest.param(text("see https://www.example.org/x"), [], id="a-plain-link"),
        pytest.param(text("no link at all"), [], id="no-link"),
        pytest.param(text("http://198.41.0.4/x"), ["LINK_RAW_ADDRESS"], id="raw-address"),
        pytest.param(text("http://192.168.1.1/x http://[::1]/"), [], id="address-of-one's-own"),
        pytest.param(html("<a href='tel:+49%2030'>x</a>"), [], id="telephone"),
        pytest.param(
            html("<a href='http://3324575748/'>x</a>"),
            ["LINK_ODD_ADDRESS", "LINK_RAW_ADDRESS"],
            id="address-as-a-number",
        ),
        pytest.param(
            html("<a href='http://bank.example@evil.example/'>x</a>"),
            ["LINK_USERINFO"],
            id="user-name",
        ),
        pytest.param(
            html("<a href='http://%65vil.example/'>x</a>"), ["LINK_DISGUISED"], id="encoded-host"
        ),
        pytest.param(html("<a href='https:/\\a.example/'>x</a>"), ["LINK_DISGUISED"], id="slash"),
        pytest.param(text("http://a.example:8443/"), ["LINK_PORT"], id="port"),
        pytest.param(text("https://bit.ly/abc"), ["LINK_SHORTENER"], id="shortener"),
        pytest.param(
            html("<a href='https://evil.example/'>https://www.bank.com/login</a>"),
            ["LINK_TEXT_MISMATCH"],
            id="shows-one-leads-to-another",
        ),
        pytest.param(
            html("<a href='https://evil.example/'>bank.com</a>"),
            ["LINK_TEXT_MISMATCH"],
            id="shows-a-bare-domain",
        ),
        pytest.param(
            html("<a href='https://login.bank.com/x'>www.bank.com</a>"), [], id="same-domain"
        ),
        pytest.param(
            html("<a href='https://evil.example/'>see bank.com for more</a>"), [], id="words"
        ),
        pytest.param(
            html("<a href='https://r20.rs6.net/tn.jsp?p=https%3A%2F%2Fshop.com%2F'>shop.com</a>"),
            ["LINK_NESTED_DOMAIN"],
            id="known-tracker",
        ),
        pytest.param(
            html("<a href='https://evil.example/?u=https%3A%2F%2Fbank.com%2F'>bank.com</a>"),
            ["LINK_NESTED_DOMAIN", "LINK_TEXT_MISMATCH"],
            id="stranger-carries-what-it-shows",
        ),
        pytest.param(
            html("<a href='https://www.google.com/url?q=https://evil.example/'>bank.com</a>"),
            ["LINK_NESTED_DOMAIN", "LINK_TEXT_MISMATCH"],
            id="redirector-carries-another",
        ),
        pytest.param(
            html(
                "<a href='https://www.google.com/url?q=https%3A%2F%2Fl.facebook.com%2Fl.php%3F"
                "u%3Dhttps%253A%252F%252Fbank.com%252F'>bank.com</a>"
            ),
            ["LINK_NESTED_DOMAIN"],
            id="redirector-behind-redirector",
        ),
        pytest.param(
            html(
                "<a href='https://www.google.com/url?q=https%3A%2F%2Fevil.example%2F%3F"
                "u%3Dhttps%253A%252F%252Fbank.com%252F'>bank.com</a>"
            ),
            ["LINK_NESTED_DOMAIN", "LINK_TEXT_MISMATCH"],
            id="stranger-behind-redirector",
        ),
        pytest.param(
            html("<a href='https://www.linkedin.com/slink?code=x'>bank.com</a>"),
            [],
            id="redirector-that-says-nothing",
        ),
        pytest.param(
            b"From: a@shop.example\r\n"
            + html("<a href='https://t.shop.example/?u=https%3A%2F%2Fstall.org'>stall.org</a>"),
            ["LINK_NESTED_DOMAIN"],
            id="author's-own-tracker",
        ),
        pytest.param(
            b"From: a@shop.example\r\n"
            + html("<a href='https://t.shop.example/?u=https%3A%2F%2Fpaypal.com'>paypal.com</a>"),
            ["LINK_NESTED_DOMAIN", "LINK_TEXT_MISMATCH"],
            id="author's-own-host-for-a-brand",
        ),
        pytest.param(
            text("https://www.bank.com.login.evil.example/"),
            ["LINK_DOMAIN_IN_HOST"],
            id="domain-in-host",
        ),
        pytest.param(html("<a href='data:text/html,x'>x</a>"), ["LINK_DATA"], id="data-page"),
        pytest.param(html("<img src='data:image/png;base64,x'>"), [], id="data-picture"),
        pytest.param(html("<img src='http://192.0.2.1/a.png'>"), [], id="picture-is-not-clicked"),
        pytest.param(
            html("<meta http-equiv=refresh content='0;url=http://a.example'>"),
            ["LINK_REFRESH"],
            id="refresh",
        ),
        pytest.param(
            text("https://l.facebook.com/l.php https://www.google.com/url?q=x https://vk.com/away.php"),
            ["LINK_REDIRECTORS"],
            id="three-redirectors",
        ),
        pytest.param(
            text("https://bit.ly/1 https://t.co/2 https://tinyurl.com/3"),
            ["LINK_REDIRECTORS", "LINK_SHORTENER"],
            id="three-shorteners",
        ),
        pytest.param(
            html("<a href='http://198.41.0.4/'>https://bank.com</a>"),
            ["LINK_RAW_ADDRESS", "LINK_TEXT_MISMATCH"],
            id="shows-a-name-leads-to-an-address",
        ),
        pytest.param(
            html("<a href='https://evil.example/'>ｂａｎｋ.com</a>"),
            ["LINK_TEXT_MISMATCH"],
            id="shows-a-name-in-full-width",
        ),
        pytest.param(
            text("https://bank.com-x.evil.example/"), ["LINK_DOMAIN_IN_HOST"], id="hyphen-for-dot"
        ),
        pytest.param(
            text("https://tax.gov.uk.evil.example/"), ["LINK_DOMAIN_IN_HOST"], id="of-a-country"
        ),
        pytest.param(text("https://shop.de.example.org/"), [], id="language-in-host"),
        pytest.param(text("https://news.com.com/"), [], id="com-that-somebody-has"),
        pytest.param(text("https://www.net-watch.org/"), [], id="an-everyday-name"),
        pytest.param(text("https://shop-7.pages.dev/x"), ["LINK_FRESH_HOST"], id="free-host"),
        pytest.param(
            text("https://roses.s3.eu-west-1.amazonaws.com/x"), ["LINK_FRESH_HOST"], id="a-shelf"
        ),
        pytest.param(text("https://docs.amazonaws.com/x"), [], id="the-owner-of-the-shelf"),
        pytest.param(
            text("https://192-0-2-1.dynamic.example/x"), ["LINK_FRESH_HOST"], id="name-of-a-line"
        ),
        pytest.param(text("https://2026-11-24.news.example/x"), [], id="a-day"),
        pytest.param(text("https://a8x2k9q4.example/"), ["LINK_FRESH_HOST"], id="made-up-name"),
        pytest.param(text("https://web3forms.com/ https://m365x.org/"), [], id="names-with-digits"),
    ],
)  # fmt: skip
def test_links_are_judged(message: bytes, symbols: list[str]) -> None:
    assert sorted(symbols_of(looked(LinksCheck(), message))) == symbols


def test_link_findings_name_what_the_sender_may_know() -> None:
    evidence = looked(LinksCheck(), html("<a href='https://evil.example/'>bank.com</a>"))
    (finding,) = evidence.findings
    assert finding.evidence == "shows bank.com, leads to evil.example"
    assert finding.details == {"domain": "bank.com", "host": "evil.example"}


def test_fact_urls_has_a_record_for_each_link() -> None:
    evidence = looked(LinksCheck(), html("<a href='HTTP://192.0.2.1:81/'>go</a>"))
    assert evidence.facts["urls"] == [
        {
            "url": "http://192.0.2.1:81/",
            "scheme": "http",
            "host": "192.0.2.1",
            "domain": "",
            "text": "go",
            "source": "link",
            "traits": ["ip", "port"],
        }
    ]


@pytest.mark.parametrize(
    ("words", "domain"),
    [
        ("https://www.bank.com/login", "bank.com"),
        ("www.bank.com", "bank.com"),
        ("BANK.COM", "bank.com"),
        ("Click here", ""),
        ("joe@bank.com", ""),
        ("bank.com and others", ""),
        ("Log in: https://bank.com/x", "bank.com"),
        ("see bank.com", ""),
        ("\u202emoc.knab\u202c", "bank.com"),
        ("ba\u200bnk.c\u00adom", "bank.com"),
        ("3.14", ""),
        ("x" * 500 + ".com", ""),
    ],
)
def test_claimed_domain_of_the_words_of_a_link(words: str, domain: str) -> None:
    assert claimed_domain(words) == domain
