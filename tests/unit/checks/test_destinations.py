from __future__ import annotations

import pytest

from milter.checks.destinations import DestinationsCheck
from tests.support.checks import looked, symbols_of

FIRM = "From: Roses <news@roses.example>\r\n"
HTML = "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
ELSEWHERE = "<p>Hello</p><a href='https://www.tulips.example/a'>here</a>"
SHORT = "<p>Hello</p><a href='https://bit.ly/abc'>here</a>"
BOTH = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    f"--b\r\nContent-Type: text/html\r\n\r\n{ELSEWHERE}\r\n--b--\r\n"
)


def found(message: str) -> list[str]:
    return symbols_of(looked(DestinationsCheck(), message.encode()))


@pytest.mark.parametrize(
    ("message", "symbols"),
    [
        pytest.param(FIRM + HTML + ELSEWHERE, ["LINKS_ELSEWHERE"], id="to-others-alone"),
        pytest.param(FIRM + HTML + "<p>Hello</p>", [], id="no-link"),
        pytest.param(FIRM + HTML + "<img src='https://a.tulips.example/a.png'>", [], id="picture"),
        pytest.param(
            FIRM + HTML + ELSEWHERE + "<a href='https://shop.roses.example/'>us</a>",
            [],
            id="to-the-author-too",
        ),
        pytest.param(
            FIRM + HTML + "<a href='https://roses.mailings.example/'>us</a>",
            [],
            id="name-of-the-author-in-a-host",
        ),
        pytest.param(
            FIRM + HTML + "<a href='https://count.example/?u=https%3A%2F%2Froses.example'>us</a>",
            [],
            id="to-the-author-by-a-counter",
        ),
        pytest.param(
            "From: x@office365.com\r\n" + HTML + "<a href='https://sharepoint.com/a'>us</a>",
            [],
            id="of-one-company",
        ),
        pytest.param("From: kim@gmail.com\r\n" + HTML + ELSEWHERE, [], id="a-person"),
        pytest.param(HTML + ELSEWHERE, [], id="no-author"),
        pytest.param(FIRM + "List-Id: <a.example>\r\n" + HTML + ELSEWHERE, [], id="a-list"),
        pytest.param(FIRM + "In-Reply-To: <1@b>\r\n" + HTML + ELSEWHERE, [], id="an-answer"),
        pytest.param(FIRM + BOTH, [], id="a-text-beside"),
    ],
)
def test_html_that_leads_to_others_alone_is_told(message: str, symbols: list[str]) -> None:
    assert found(message) == symbols


@pytest.mark.parametrize(
    ("links", "told"),
    [
        pytest.param(SHORT, True, id="shortener"),
        pytest.param(SHORT + "<a href='https://roses.weebly.com/'>x</a>", True, id="and-free-host"),
        pytest.param(SHORT + ELSEWHERE, False, id="one-that-is-told"),
        pytest.param(
            "<a href='https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example'>"
            "x</a>",
            False,
            id="written-around-by-a-filter",
        ),
    ],
)
def test_links_to_services_alone_are_told(links: str, *, told: bool) -> None:
    assert ("LINKS_ONLY_SERVICES" in found("From: kim@gmail.com\r\n" + HTML + links)) is told


def test_shortened_link_in_a_plain_text_is_left_to_links() -> None:
    assert found(FIRM + "\r\nSee https://bit.ly/abc for it.") == []


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        pytest.param(["7d0b", "1ae7"], True, id="two"),
        pytest.param(["7d0b", "dbf", "1ae7"], True, id="among-others"),
        pytest.param(["7d0b", "7d0b"], False, id="one-twice"),
        pytest.param(["www2", "www3", "img14"], False, id="words-with-numbers"),
        pytest.param(["2026", "2027"], False, id="years"),
        pytest.param(["news", "shop"], False, id="words"),
    ],
)
def test_names_made_up_below_one_domain_are_told(hosts: list[str], *, told: bool) -> None:
    links = " ".join(f"http://{host}.roses.example/x" for host in hosts)
    assert ("LINK_HOSTS_MADE_UP" in found(f"{FIRM}\r\n{links}")) is told
