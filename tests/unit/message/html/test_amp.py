from __future__ import annotations

from milter.message.document import Message
from milter.message.html import amp
from milter.message.urls.link import Source

HEAD = (
    '<!doctype html><html ⚡4email><head><meta charset="utf-8">'
    '<script async src="https://cdn.ampproject.org/v0.js"></script>'
    "<style amp4email-boilerplate>body{visibility:hidden}</style></head>"
)


def a_message(body: str) -> Message:
    return Message(f"Content-Type: text/x-amp-html\r\n\r\n{HEAD}{body}".encode())


def test_amp_part_is_read_as_the_html_that_its_runtime_shows() -> None:
    message = a_message("<p>pay <a href='https://evil.example/'>bank.com</a></p>")

    assert message.body == "pay bank.com"
    assert message.hidden == ""
    assert [(link.href, link.text) for link in message.links] == [
        ("https://evil.example/", "bank.com")
    ]
    assert "pay" in str(message.view("html"))


def test_amp_part_is_no_file_with_scripts() -> None:
    message = a_message("<p>x</p>")
    assert message.attachments == ()
    assert message.html[0].scripts == 0


def test_amp_forms_and_pictures_lead_where_they_do() -> None:
    message = a_message(
        "<form action-xhr=https://a.example/f><input type=password></form>"
        "<amp-img src=https://b.example/p.png></amp-img>"
    )
    assert [(link.host, link.source) for link in message.links] == [
        ("a.example", Source.FORM),
        ("b.example", Source.IMAGE),
    ]
    assert message.html[0].forms[0].asks_for_a_secret


def test_amp_style_that_is_not_the_boilerplate_hides_what_it_hides() -> None:
    page = "<style amp-custom>p{visibility:hidden}</style><p>x</p>"
    assert amp.as_shown(page) == page
    assert a_message(page).hidden == "x"


def test_amp_boilerplate_in_ordinary_html_is_a_style_as_any() -> None:
    message = Message(f"Content-Type: text/html\r\n\r\n{HEAD}<p>x</p>".encode())
    assert message.hidden == "x"
