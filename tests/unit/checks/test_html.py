from __future__ import annotations

import pytest

from milter.checks.html import HtmlCheck
from tests.support.checks import looked, symbols_of

LONG = "words that nobody is meant to read, and more of them"


@pytest.mark.parametrize(
    ("html", "symbols"),
    [
        pytest.param("<p>hello", [], id="plain"),
        pytest.param(f"<p>a<font color=white>{LONG}", ["HTML_HIDDEN_TEXT"], id="white-on-white"),
        pytest.param("<p>a<font color=white>short", [], id="a-word-of-white"),
        pytest.param(f"<p style='display:none'>{LONG}</p>a", [], id="preview-line"),
        pytest.param(
            f"<p style='display:none'>{LONG * 10}</p>a", ["HTML_HIDDEN_MUCH"], id="more-than-seen"
        ),
        pytest.param(
            "<form action='http://a.example'><input type=password></form>x",
            ["HTML_PASSWORD_FORM"],
            id="password-field",
        ),
        pytest.param(
            "<form><input name=Senha_1></form>x", ["HTML_PASSWORD_FORM"], id="password-by-its-name"
        ),
        pytest.param(
            "<form><input placeholder='Your password'></form>x",
            ["HTML_PASSWORD_FORM"],
            id="password-by-what-stands-in-it",
        ),
        pytest.param(
            "<form><input autocomplete=current-password></form>x",
            ["HTML_PASSWORD_FORM"],
            id="password-by-what-fills-it-in",
        ),
        pytest.param(
            "<form><input name=card><input name=CVV></form>x", ["HTML_PASSWORD_FORM"], id="card"
        ),
        pytest.param("<form><input name=密码></form>x", ["HTML_PASSWORD_FORM"], id="chinese"),
        pytest.param("<form><input name=passenger></form>x", ["HTML_FORM"], id="passenger"),
        pytest.param("<form><input name=q></form>x", ["HTML_FORM"], id="form"),
        pytest.param("<script>x</script>a", ["HTML_SCRIPT"], id="script"),
        pytest.param(
            "a<img src=http://a.example/o.gif width=1>", ["HTML_TRACKING_PIXEL"], id="pixel"
        ),
        pytest.param("<img src=http://a.example/o.gif>", ["HTML_ONLY_PICTURES"], id="pictures"),
        pytest.param(
            "<a href=http://a.example/><img src=http://a.example/o.gif></a>See us",
            ["HTML_LITTLE_TEXT"],
            id="pictures-and-a-line",
        ),
        pytest.param("<img src=http://a.example/o.gif>See us", [], id="no-link"),
        pytest.param("<a href=http://a.example/>x</a>See us", [], id="no-picture"),
        pytest.param(
            "<a href=http://a.example/><img src=http://a.example/o.gif></a>" + "See us. " * 30,
            [],
            id="pictures-and-a-text",
        ),
    ],
)
def test_html_is_judged(html: str, symbols: list[str]) -> None:
    message = b"Content-Type: text/html\r\n\r\n" + html.encode()
    assert sorted(symbols_of(looked(HtmlCheck(), message))) == symbols


def test_html_check_has_nothing_to_say_of_plain_text() -> None:
    assert symbols_of(looked(HtmlCheck(), b"\r\n<form><input type=password>")) == []
