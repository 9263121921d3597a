from __future__ import annotations

import pytest

from milter.message.guard import DEFAULT_BOUNDS, Notes
from milter.message.html.document import Form, Html, Image
from milter.message.html.reader import read_html
from milter.message.html.refresh import refresh_target
from milter.message.urls.link import Source


def read(html: str) -> Html:
    return read_html(html, Notes())


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("V<b>ia</b>gr<!-- x -->a", "Viagra", id="words-cut-by-tags"),
        pytest.param("<p>a<p>b<br>c", "a\nb\nc", id="blocks-and-breaks"),
        pytest.param("a\n b\t&nbsp;c", "a b c", id="space-collapsed"),
        pytest.param("<td>a<td>b", "ab", id="cells-outside-a-table"),
        pytest.param("<table><tr><td>a<td>b</table>", "a\nb", id="cells"),
        pytest.param("<script>a</script><style>b</style>c", "c", id="scripts-and-styles"),
        pytest.param("&#86;&#x69;agra &lt;b&gt;", "Viagra <b>", id="entities"),
        pytest.param("<noscript>a</noscript>", "a", id="mail-readers-run-no-scripts"),
        pytest.param("<b>never <i>closed", "never closed", id="never-closed"),
        pytest.param("<a\x00b>c", "c", id="null-byte"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_read_html_text_is_what_a_person_sees(html: str, text: str) -> None:
    assert read(html).text == text


@pytest.mark.parametrize(
    "html",
    [
        "<bdo dir=RTL>drow a</bdo>",
        "<bdo dir=rtl><b>dr</b>o<i>w</i> <i>a</i></bdo>",
        "<p dir=rtl style='unicode-bidi:bidi-override'><b>drow</b> a",
        "<p style='unicode-bidi:bidi-override;direction:rtl'>drow a",
        "<input type=submit value='a word'>",
        "<style>.q{color:#fff}</style>a w<i class=q>xyz</i>ord",
        "a w<p style='display:inline'>o</p><p style='margin:0;display:inline'>rd",
        "<style>.a::before{content:'a w' \"\\6f rd\"}.b{content:'\\201c'}</style><p class=a>",
        "a <img alt=word>",
        "a word<p hidden><img alt=b>",
        "a w&#28;o&#x1f;r&#30;d",
    ],
)
def test_read_html_text_is_as_it_is_seen(html: str) -> None:
    assert read(html).text == "a word"


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0;url=https://a.example", "https://a.example"),
        ("0;https://a.example/?url=x", "https://a.example/?url=x"),
        ("5 , URL = 'https://a.example/x' y", "https://a.example/x"),
        (".5 https://a.example", "https://a.example"),
        ("0", ""),
        ("0;", ""),
        ("url=https://a.example", ""),
    ],
)
def test_refresh_target_is_that_of_browsers(content: str, target: str) -> None:
    assert refresh_target(content) == target


def test_read_html_script_in_a_link_is_a_script() -> None:
    assert read("<a href=' JavaScript:x'>y</a>").scripts == 1


def test_read_html_pictures_of_fields_and_films_are_links() -> None:
    seen = read("<input type=image src=a><video poster=b>")
    assert [(link.written, link.source) for link in seen.links] == [
        ("a", Source.IMAGE),
        ("b", Source.IMAGE),
    ]


def test_read_html_tells_title_and_alternative_texts_apart() -> None:
    seen = read("<title>a</title><body>b<img alt=c src=d>")
    assert (seen.text, seen.title, seen.alt) == ("b", "a", "c")


def test_read_html_link_has_the_words_that_are_seen() -> None:
    seen = read("<a href=x>a <b>b</b><i style='display:none'>c</i><img alt=d src=e></a> f")
    assert [(link.written, link.source, link.text) for link in seen.links] == [
        ("x", Source.LINK, "a b d"),
        ("e", Source.IMAGE, "d"),
    ]


def test_read_html_refresh_frame_and_background_are_links() -> None:
    html = (
        "<meta http-equiv=Refresh content=\"0; URL='http://r.example/'\">"
        "<iframe src=f></iframe><table background=b><tr><td><area href=a>"
    )
    assert [(link.written, link.source) for link in read(html).links] == [
        ("http://r.example/", Source.REFRESH),
        ("f", Source.FRAME),
        ("b", Source.IMAGE),
        ("a", Source.LINK),
    ]


def test_read_html_form_has_its_fields() -> None:
    seen = read("<form action=p><input name=User><input type=PASSWORD id=pw><select name=s></form>")
    assert seen.forms == (Form("p", ("text", "password", "select"), ("user", "pw", "s")),)


def test_read_html_fields_outside_a_form_are_one_of_their_own() -> None:
    assert read("<input type=password><input name=a>").forms == (
        Form("", ("password", "text"), ("", "a")),
    )


def test_read_html_past_the_bound_of_addresses_still_has_forms_and_says_so() -> None:
    links = "".join(f"<a href='{number}'></a>" for number in range(DEFAULT_BOUNDS.urls))
    notes = Notes()

    seen = read_html(
        f"{links}<a href=more>a</a><meta http-equiv=refresh content='0;url=r'>"
        "<base href=b><form action=f><input type=password></form>",
        notes,
    )

    assert [link.written for link in seen.links[DEFAULT_BOUNDS.urls :]] == ["r", "f"]
    assert (seen.forms[0].fields, seen.base, seen.text) == (("password",), "b", "a")
    assert notes.truncated == ("urls",)


def test_read_html_address_that_stands_there_many_times_takes_the_room_of_one() -> None:
    notes = Notes()

    seen = read_html("<a href=a></a>" * (DEFAULT_BOUNDS.urls + 1) + "<a href=b>c</a>", notes)

    assert [(link.written, link.text) for link in seen.links] == [("a", ""), ("b", "c")]
    assert notes.truncated == ()


def test_read_html_tracking_picture_is_remote_and_too_small_to_see() -> None:
    seen = read(
        "<img src=https://t.example/a width=1 height=1><img src=cid:x width=1>"
        "<img src=https://t.example/b width=600>"
    )
    assert [image.tracking for image in seen.images] == [True, False, False]
    assert seen.images[1] == Image("cid:x", tracking=False)


def test_read_html_counts_scripts_and_event_handlers() -> None:
    assert read("<script>x</script><p onclick=y>z<script src=a></script>").scripts == 3


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>" * 100_000 + "x", id="deep"),
        pytest.param("<font><b>" * 2_000 + "x", id="formatting-in-formatting"),
        pytest.param("<a " + "b " * 50_000 + ">x", id="attributes"),
        pytest.param("<a " + "b='<' " * 40_000 + ">x", id="attributes-with-brackets"),
        pytest.param("<a " + "b/" * 50_000 + ">x", id="attributes-parted-by-slashes"),
        pytest.param("<a " + "b=''" * 40_000 + ">x", id="attributes-not-parted"),
        pytest.param("<br>" * 60_000 + "x", id="tags"),
        pytest.param("y" * 600_000, id="characters"),
    ],
)
def test_read_html_past_a_bound_is_read_without_a_parser_and_noted(html: str) -> None:
    notes = Notes()
    assert not read_html(html, notes).whole
    assert notes.truncated == ("html",)


@pytest.mark.parametrize(
    "html",
    [
        "<p>" * 19_000,
        "<!--" * 55_000 + "<div>" * 4_000,
        "<a href='http://a.example'>" * 19_000,
        "<style>" + "a{b" * 80_000 + "</style>",
        "<style>" + "@media " * 30_000 + "</style>",
        "<style>" + "@a{" * 80_000 + "</style>",
        "<p style='" + "a:b;" * 60_000 + "'>",
        "<p style='font: " + "9" * 200_000 + "'>",
        "<" * 250_000,
        "<a " * 80_000,
        "<!--" * 60_000,
        "<style>/*" * 20_000,
        "<style>" + ".a{color:red}" * 2_000 + "</style>" + "<p class='a b c d'>" * 2_000,
        "<style>"
        + ".a.b.c{display:none}" * 2_000
        + "</style>"
        + "".join(f"<p class='a b c d{n}'>" for n in range(2_000)),
        "<a b='" * 40_000,
        "</b>" * 19_000,
        "<table><tr><td>" * 160,
        "&#x" * 80_000,
    ],
    ids=lambda html: str(html)[:24],
)
def test_read_html_made_to_hurt_is_read(html: str) -> None:
    seen = read(html)
    assert len(seen.text) <= 2 * len(html)
    assert len(seen.links) <= DEFAULT_BOUNDS.urls


def test_read_html_without_parser_still_has_text_and_links() -> None:
    seen = read("<p>Pay <b>now</b> <a href='http://a.example/?x&amp;y'>here</a>" + "<div>" * 3_000)
    assert seen.text == "Pay now here"
    assert [link.written for link in seen.links] == ["http://a.example/?x&y"]


def test_read_html_without_parser_has_words_that_tags_cut_whole() -> None:
    attributes = " ".join(f"a{number}" for number in range(DEFAULT_BOUNDS.html_attributes + 1))
    seen = read(f"<p {attributes}>V<b>i</b>a<x-y>g<!-- -->ra</x-y><br>is<p>here<TD>now")
    assert (seen.text, seen.whole) == ("Viagra is here now", False)


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param("<div></b>", id="end-of-another"),
        pytest.param("<div><!--</div>-->", id="end-in-a-comment"),
    ],
)
def test_elements_that_only_seem_to_end_lie_too_deep_for_the_parser(tags: str) -> None:
    notes = Notes()

    html = read_html(tags * 4_000 + "words", notes)

    assert (html.text, html.whole) == ("words", False)
    assert notes.truncated == ("html",)


def test_many_elements_beside_each_other_are_read_whole() -> None:
    assert read_html("<div><b>x</b></div>" * 4_000, Notes()).whole


def test_read_html_without_parser_leaves_out_comments_as_browsers_do() -> None:
    assert read("<!-->a<!-- b --!>c<!-- d" + "<div>" * 3_000).text == "ac"


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<p style='margin:0cm'>words</p>" * 9_000, id="long-thread"),
        pytest.param(
            f"<p>words</p><img src='data:image/png;base64,{'iVBORw0KGgo' * 90_000}='>",
            id="picture-in-it",
        ),
    ],
)
def test_read_html_of_ordinary_mail_that_is_long_is_whole(html: str) -> None:
    notes = Notes()
    assert read_html(html, notes).whole
    assert not notes.truncated
