from __future__ import annotations

import pytest

from milter.message.guard import Bounds
from milter.message.urls.find import Found, find_urls


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("see http://a.example/x.", ["http://a.example/x"], id="end-of-sentence"),
        pytest.param("(https://a.example/p_(q))", ["https://a.example/p_(q)"], id="brackets"),
        pytest.param('"http://a.example/"', ["http://a.example/"], id="quotes"),
        pytest.param("HTTPS://a.example", ["HTTPS://a.example"], id="capitals"),
        pytest.param("see www.a.example, now", ["www.a.example"], id="www"),
        pytest.param("see xwww.a.zz", [], id="www-inside-a-word"),
        pytest.param("visit shop.example.co.uk/p?q=1!", ["shop.example.co.uk/p?q=1"], id="bare"),
        pytest.param("example.com is ours", ["example.com"], id="bare-without-path"),
        pytest.param("joe@example.com", [], id="address-of-a-person"),
        pytest.param("finished.It was node.js, readme.md", [], id="sentences-and-file-names"),
        pytest.param("so it.is/there", ["it.is/there"], id="a-word-with-a-path"),
        pytest.param("请访问example.com查看", ["example.com"], id="chinese-around-a-bare-name"),
        pytest.param("看http://a.com点击", ["http://a.com"], id="chinese-behind"),
        pytest.param("http://a.example，谢谢", ["http://a.example"], id="full-width-comma"),
        pytest.param("это пример.рф тут", ["пример.рф"], id="cyrillic-name"),
        pytest.param("http:/a.example/x", ["http:/a.example/x"], id="one-slash"),
        pytest.param(r"see https:\\a.example\x.", [r"https:\\a.example\x"], id="backslashes"),
        pytest.param("http:/ a.example", [], id="a-slash-and-nothing"),
        pytest.param("see //a.com/x now", ["a.com/x"], id="slashes-alone"),
        pytest.param("etc//a.com/x", [], id="slashes-in-a-path"),
        pytest.param("http://a。com/x 和", ["http://a。com/x"], id="dot-of-chinese"),
        pytest.param("http://a.com。谢谢", ["http://a.com"], id="end-of-a-chinese-sentence"),
        pytest.param(
            "http://a.com,http://b.com:80!x", ["http://a.com", "http://b.com:80"], id="comma"
        ),
        pytest.param("http://a,b@c.com/x,y", ["http://a,b@c.com/x,y"], id="comma-before-a-host"),
        pytest.param("http://", [], id="scheme-alone"),
        pytest.param("://a.example", [], id="no-scheme"),
        pytest.param("xhttp://c.example", ["http://c.example"], id="letters-before-the-scheme"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_find_urls_finds_what_a_reader_links(text: str, written: list[str]) -> None:
    assert [found.written for found in find_urls(text)] == written


@pytest.mark.parametrize(
    "text",
    [
        "hxxp://evil[.]example/x",
        "hXXp://evil(.)example/x",
        "http://evil[dot]example/x",
        "http[:]//evil.example/x",
        "http: //evil.example/x",
        "http:// evil.example/x",
    ],
)
def test_find_urls_mends_what_was_taken_apart(text: str) -> None:
    assert Found("http://evil.example/x", mended=True) in find_urls(text)


def test_find_urls_joins_an_address_in_angle_brackets() -> None:
    found = find_urls("<http://a.example/long/\r\npath/x>")
    assert found == [Found("http://a.example/long/path/x", wrapped=True)]


def test_find_urls_joins_lines_that_are_indented() -> None:
    found = find_urls("<http://a.example/long/\r\n  path/x>")
    assert found == [Found("http://a.example/long/path/x", wrapped=True)]


def test_find_urls_stops_at_the_bound() -> None:
    text = " ".join(f"http://h{n}.example/ www.h{n}.example h{n}.com" for n in range(50))
    assert len(find_urls(text, Bounds(urls=7))) == 7


@pytest.mark.parametrize(
    "piece",
    [
        "http://",
        "www.",
        "a.com",
        ".com",
        "://a",
        "a.",
        "[.]",
        "hxxp://(",
        "<http://a\n",
        "a)",
        "http:/",
        ":/",
        ":\\\\",
        "http://a。",
        "//a.com",
    ],
)
def test_find_urls_of_endless_pieces_ends(piece: str) -> None:
    assert len(find_urls(piece * 50_000)) <= Bounds().urls
