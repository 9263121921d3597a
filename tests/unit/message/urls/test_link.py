from __future__ import annotations

import pytest

from milter.message.guard import DEFAULT_BOUNDS, Notes
from milter.message.html.reader import read_html
from milter.message.urls.collect import collect_links
from milter.message.urls.link import Source, Trait, Url, nested_links, read_link


def link(written: str) -> Url:
    url = read_link(written, Source.LINK)
    assert url is not None
    return url


@pytest.mark.parametrize(
    ("written", "host", "domain", "traits"),
    [
        ("https://www.a.co.uk/x?y=1#z", "www.a.co.uk", "a.co.uk", set()),
        ("https://www.a.example", "www.a.example", "a.example", set()),
        ("http://192.0.2.1/", "192.0.2.1", "", {Trait.IP}),
        ("http://0300.0.2.1/", "192.0.2.1", "", {Trait.IP, Trait.ODD_IP}),
        ("http://[2001:db8::1]/", "[2001:db8::1]", "", {Trait.IP}),
        ("http://bank.example@evil.example/", "evil.example", "evil.example", {Trait.USERINFO}),
        ("http://a.b2/", "a.b2", "a.b2", set()),
        ("http://a.example:8080/", "a.example", "a.example", {Trait.PORT}),
        ("http://аpple.example/", "xn--pple-43d.example", "xn--pple-43d.example", {Trait.IDN}),
        ("http://%61.example/", "a.example", "a.example", {Trait.ENCODED_HOST}),
        ("http:\\\\a.example/", "a.example", "a.example", {Trait.ODD_SLASHES}),
        ("http://0x0a.0x0b.0x0c.0x0d/", "10.11.12.13", "", {Trait.IP, Trait.ODD_IP}),
        ("http://0/", "0.0.0.0", "", {Trait.IP, Trait.ODD_IP}),
        ("https://bit.ly/x", "bit.ly", "bit.ly", {Trait.SHORTENER}),
        ("https://bit.ly./x", "bit.ly.", "bit.ly", {Trait.SHORTENER}),
        ("https://www.google.de/url?q=x", "www.google.de", "google.de", {Trait.REDIRECTOR}),
        ("https://www.google.de/maps", "www.google.de", "google.de", set()),
    ],
)
def test_read_link_says_where_it_leads_and_what_is_odd(
    written: str, host: str, domain: str, traits: set[Trait]
) -> None:
    url = link(written)
    assert (url.host, url.domain, set(url.traits)) == (host, domain, traits)


@pytest.mark.parametrize(
    "written",
    [
        "http://a.example/../x", "http://a.example/%2e%2e/x", "http://a.example", "http://A.example/",
        "http://a.example/a.b/c", "http://a.example/?q='", "http://a.example/.x", "http://a.example/x.",
        "http://a.example?x=1", "http://a.example/#a#b",
    ],
)  # fmt: skip
def test_read_link_of_the_short_way_is_that_of_the_whole_parser(written: str) -> None:
    whole = link(written.replace("http:", "HTTP:"))
    assert link(written).href == whole.href


@pytest.mark.parametrize(
    ("written", "inner"),
    [
        (
            "https://www.google.com/url?q=http%3A%2F%2Fevil.example%2Fx&sa=D",
            "http://evil.example/x",
        ),
        ("https://www.google.com/url?q=HTTPS://evil.example/x", "https://evil.example/x"),
        ("https://www.google.com/url?q=Http%3a%2f%2Fevil.example", "http://evil.example/"),
        ("microsoft-edge:https://evil.example/x", "https://evil.example/x"),
        ("https://a.example/?u=https%253A%252F%252Fdeep.example", "https://deep.example/"),
        ("https://a.example/go/http://evil.example/x", "http://evil.example/x"),
        ("https://urldefense.com/v3/__https://evil.example/a__;!!x", "https://evil.example/a"),
        ("https://www.google.com/amp/s/evil.example/x", "https://evil.example/x"),
        (
            "https://a.example/?r=aHR0cHM6Ly9kZWVwLmV4YW1wbGUvcD9hPT8_&x=1",
            "https://deep.example/p?a=??",
        ),
        ("https://a.example/aHR0cDovL2RlZXAuZXhhbXBsZS8=", "http://deep.example/"),
    ],
)
def test_nested_links_are_what_a_redirector_carries(written: str, inner: str) -> None:
    assert [url.href for url in nested_links(link(written))] == [inner]


def links_of(html: str) -> list[tuple[str, str]]:
    notes = Notes()
    urls = collect_links((), (read_html(html, notes),), notes, DEFAULT_BOUNDS)
    return [(url.href, url.text) for url in urls]


@pytest.mark.parametrize(
    ("html", "links"),
    [
        pytest.param(
            "<a href='http://evil.example'>www.bank.example</a>",
            [("http://evil.example/", "www.bank.example")],
            id="words-of-a-link-are-no-link",
        ),
        pytest.param(
            "<base href='http://b.example/x/'><a href=y>z</a>",
            [("http://b.example/x/y", "z")],
            id="relative-to-base",
        ),
        pytest.param("<a href='y'>z</a>", [], id="relative-to-nothing"),
        pytest.param("<a href='//a.example'>z</a>", [("https://a.example/", "z")], id="no-scheme"),
        pytest.param("<a href='www.a.example'>z</a>", [("http://www.a.example/", "z")], id="www"),
        pytest.param(
            "<p>see www.a.example</p>", [("http://www.a.example/", "")], id="running-text"
        ),
        pytest.param("<form action='http://a.example/p'>", [("http://a.example/p", "")], id="form"),
        pytest.param(
            "<a href='a.example.net'>z</a>", [("http://a.example.net/", "z")], id="name-alone"
        ),
        pytest.param(
            "<a href='a.example.net?b=c'>z</a>",
            [("http://a.example.net/?b=c", "z")],
            id="name-and-query",
        ),
        pytest.param(
            "<a href='a.example.net:81/x'>z</a>",
            [("http://a.example.net:81/x", "z")],
            id="name-and-port",
        ),
        pytest.param("<a href='page.html'>z</a><img src='a.pl'>", [], id="file-beside"),
        pytest.param("<a href='/\\a.example'>z</a>", [("https://a.example/", "z")], id="slashes"),
        pytest.param(
            "<base href='about:blank'><a href='//a.example/'>z</a>",
            [("https://a.example/", "z")],
            id="base-of-nothing",
        ),
        pytest.param(
            "<a href='microsoft-edge:https://a.example/'>z</a>",
            [("microsoft-edge:https://a.example/", "z"), ("https://a.example/", "z")],
            id="scheme-of-a-program",
        ),
        pytest.param("<a href='data:text/html,x'>z</a>", [("data:text/html,x", "z")], id="data"),
    ],
)
def test_collect_links_of_html(html: str, links: list[tuple[str, str]]) -> None:
    assert links_of(html) == links


def test_collect_links_past_the_bound_is_noted() -> None:
    notes = Notes()
    html = read_html("".join(f"<a href='http://h{n}.example'>x</a>" for n in range(3_000)), notes)
    urls = collect_links(
        (f"http://t{n}.example " for n in range(20)), (html,), notes, DEFAULT_BOUNDS
    )
    assert len(urls) == DEFAULT_BOUNDS.urls
    assert notes.truncated == ("urls",)
