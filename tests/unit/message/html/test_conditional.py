from __future__ import annotations

import pytest

from milter.message.guard import Notes
from milter.message.html.reader import read_html

_BUTTON = "<v:roundrect href='b' fillcolor='#f00'><center style='color:#fff'>Go</center>"


@pytest.mark.parametrize(
    ("html", "text", "links"),
    [
        pytest.param("a<!--[if mso]>b<![endif]-->", "a\nb", [], id="words"),
        pytest.param("<!--[if (gte mso 9)|(IE)]><p>b<![endif]-->", "b", [], id="since-a-version"),
        pytest.param("<!--[if gte vml 1]>b<![endif]-->", "b", [], id="who-draws-vml"),
        pytest.param("<!--[if !mso]>b<![endif]-->", "", [], id="others"),
        pytest.param("<!--[if !(gte mso 9)]>b<![endif]-->", "", [], id="others-in-brackets"),
        pytest.param("<!--[if IE]>b<![endif]-->", "", [], id="a-browser"),
        pytest.param(
            "<!--[if mso]>b<!--><!--[if mso]><style>i{}</style><!-->", "b", [], id="odd-ends"
        ),
        pytest.param("<!-- mso -->", "", [], id="a-comment"),
        pytest.param(
            "<!--[if mso]><xml><o:PixelsPerInch>96</o:PixelsPerInch></xml><![endif]-->",
            "",
            [],
            id="settings",
        ),
        pytest.param(
            "<div style='display:none'><!--[if mso]>b<![endif]--></div>", "", [], id="hidden"
        ),
        pytest.param(f"<!--[if mso]>{_BUTTON}<![endif]-->", "Go", [("b", "Go")], id="a-button"),
        pytest.param(_BUTTON.replace("fff", "000"), "Go", [("b", "Go")], id="a-button-for-all"),
        pytest.param(
            f"<!--[if mso]>{_BUTTON}<![endif]--><!--[if !mso]><!--><a href=b>Go</a>"
            "<!--<![endif]-->",
            "Go",
            [("b", "Go")],
            id="a-button-that-others-have-too",
        ),
        pytest.param(
            "<!--[if mso]><table><tr><td><![endif]-->a<!--[if mso]></td></tr></table><![endif]-->",
            "a",
            [],
            id="a-table-around-what-all-see",
        ),
    ],
)
def test_read_html_has_what_outlook_shows(
    html: str, text: str, links: list[tuple[str, str]]
) -> None:
    seen = read_html(html, Notes())

    assert seen.text == text
    assert [(link.written, link.text) for link in seen.links] == links
    assert not seen.hidden


def test_read_html_for_outlook_is_bounded_like_the_rest() -> None:
    notes = Notes()

    html = read_html("a<!--[if mso]>" + "<div>" * 3_000 + "b<![endif]-->", notes)

    assert html.text == "a"
    assert notes.truncated == ("html",)
