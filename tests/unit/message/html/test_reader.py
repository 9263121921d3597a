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
    ("html", "reason"),
    [
        ("<p style='display:none'>x", "display"),
        ("<p style='DISPLAY : None !important'>x", "display"),
        ("<p style='dis/**/play:none;dis:x'>x", ""),
        ("<p hidden>x", "display"),
        ("<style>.a, p.b {display:none}</style><p class='c b'>x", "display"),
        ("<style>#a{visibility:hidden}</style><p id=A>x", "visibility"),
        ("<style>.a{display:none}</style><p class=a style='display:block;margin:0'>x", ""),
        ("<p style='font-size:0'><b style='margin:0'>x", "size"),
        ("<style>@media print{.a{display:none}} .b{x:y}</style><p class=a>x", ""),
        ("<p style='visibility:hidden'>x", "visibility"),
        ("<p style='visibility:hidden'><i style='visibility:visible'>x", ""),
        ("<p style='opacity:0'>x", "opacity"),
        ("<p style='position:absolute;left:-9999px'>x", "position"),
        ("<p style='text-indent:-999em'>x", "position"),
        ("<p style='max-height:0;overflow:hidden'>x", "box"),
        ("<p style='font-size:0'>x", "size"),
        ("<p style='font-size:1px'><b>x", "size"),
        ("<p style='font-size:0'><b style='font-size:12px'>x", ""),
        ("<p style='font:bold 1px serif'>x", "size"),
        ("<font color=white>x", "colour"),
        ("<font color='#fefefe'>x", "colour"),
        ("<body bgcolor=black><font color='#010101'>x", "colour"),
        ("<body bgcolor=black text=white>x", ""),
        ("<p style='color:transparent'>x", "colour"),
        ("<p style='color:rgba(0,0,0,0.01)'>x", "colour"),
        ("<p style='color:rgb(250 250 250)'>x", "colour"),
        ("<table><td style='background:url(a.png)'><font color=white>x", ""),
        ("<table bgcolor='#0000ff'><tr><td><font color=white>x", ""),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#fff'>x", ""),
        ("<table><tr><td background=a.png style='color:#fff'>x", ""),
        ("<table><tr><td background=a.png style='color:#fff;background-color:#fff'>x", ""),
        ("<table><tr><td color=white style='background:#1a73e8'><font color=white>x", ""),
        ("<table><tbody bgcolor=navy><tr><td style='color:#fff'>x", ""),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#fff;background:#fff'>x", "colour"),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#1a73e8'>x", "colour"),
        ("<p style='background:seagreen;color:#fff'>x", ""),
        ("<p style='background:none repeat scroll 0 0 #1a73e8;color:#fff'>x", ""),
        ("<p style='background:oklch(40% 0.27 29);color:#fff'>x", ""),
        ("<p style='background:none;color:#fff'>x", "colour"),
        ("<p style='background:seegreen;color:#fff'>x", "colour"),
        ("<p style='color:#fff;text-shadow:0 0 1px #000'>x", ""),
        ("<p style='color:#fff;text-shadow:none'>x", "colour"),
        ("<p style='color:#fff;box-shadow:inset 0 0 0 99em navy'>x", ""),
        ("<p style='color:#fff;filter:invert(1)'>x", ""),
        ("<p style='color:transparent;-webkit-background-clip:text'>x", ""),
        ("<p style='color:#fff'><b style='color:oklch(0% 0 0)'>x", ""),
        ("<p style='color:#fff'><b style='color:canvastext'>x", ""),
        ("<p style='color:#fff'><b style='color:initial'>x", ""),
        ("<p style='color:#fff'><a href='https://a.example/'>x", ""),
        ("<p style='color:#fff'><a href='https://a.example/' style='color:#fff'>x", "colour"),
        ("<p style='font-size:0'><b style='font-size:medium'>x", ""),
        ("<p style='font-size:0'><b style='font-size:clamp(12px,2vw,16px)'>x", ""),
        ("<p style='font-size:0'><b style='font-size:calc(0px + 14px)'>x", ""),
        ("<p style='font-size:0'><b style='font:small/1.2 Arial'>x", ""),
        ("<p style='font-size:0'><b style='font-size:inherit'>x", "size"),
        ("<p style='height:0;padding-bottom:56%;overflow:hidden'>x", ""),
        ("<p style='max-height:0;min-height:20px;overflow:hidden'>x", ""),
        ("<p style='max-height:0;min-height:0;overflow:hidden'>x", "box"),
        ("<p style='mso-hide:all'>x", ""),
        ("<span style='max-height:0;overflow:hidden'>x", ""),
        ("<span style='max-height:0;overflow:hidden;display:inline-block'>x", "box"),
        ("<span style='transform:scale(0)'>x", ""),
        ("<style>.a{max-height:0;overflow:hidden}</style><span class=a>x", "box"),
        ("<p>x", ""),
        ("<p hidden style='margin:0'>x", "display"),
        ("<p style='display:none !important;display:block'>x", "display"),
        ("<p style='display:none! important;display:block!important'>x", ""),
        ("<p style='display:n\\6f ne'>x", "display"),
        ("<p style='content-visibility:hidden'>x", "display"),
        ("<p style='opacity:1%'>x", "opacity"),
        ("<p style='opacity:50%'>x", ""),
        ("<p style='filter:blur(1px) opacity(0)'>x", "opacity"),
        ("<p style='font:0/0 a'>x", "size"),
        ("<p style='font-size:calc(0px)'>x", "size"),
        ("<p style='font-size:0;font-size:12px'>x", ""),
        ("<p style='transform:scale(0)'>x", "box"),
        ("<p style='transform:scale(0.9)'>x", ""),
        ("<p style='scale:0'>x", "box"),
        ("<p style='transform:translate(-9999px,0)'>x", "position"),
        ("<p style='transform:translateX(-50%)'>x", ""),
        ("<p style='clip-path:inset(100%)'>x", "position"),
        ("<p style='margin-left:-9999px'>x", "position"),
        ("<p style='position:relative;left:-9999px'>x", "position"),
        ("<p style='position:absolute;left:9999px'>x", "position"),
        ("<p style='position:fixed;inset:-9999px'>x", "position"),
        ("<p style='text-indent:100%;overflow:hidden'>x", "position"),
        ("<p style='height:0;overflow-y:hidden'>x", "box"),
        ("<p style='height:0;overflow:auto'>x", "box"),
        ("<p style='color:#fff0'>x", "colour"),
        ("<p style='color:#00000000'>x", "colour"),
        ("<p style='color:rgb(0 0 0 / 0%)'>x", "colour"),
        ("<p style='color:hsl(0,0%,100%)'>x", "colour"),
        ("<p style='color:hsl(240,100%,50%)'>x", ""),
        ("<p style='color:mintcream'>x", "colour"),
        ("<p style='-webkit-text-fill-color:transparent;color:red'>x", "colour"),
        ("<style>.a{color:#fff}</style><p class=a>x", "colour"),
        ("<style>.a{color:#fff}.b{background:#000}</style><p class='a b'>x", ""),
        ("<style>.a{color:#fff}</style><table bgcolor=black><td class=a>x", ""),
        ("<style>.a{color:#fff}.b .c{background:#000}</style><p class=a>x", ""),
        ("<style>.a{color:#fff}.b .c{margin:0}</style><p class=a>x", "colour"),
        ("<style>.a{display:none}</style><p class=a style='color:red'>x", "display"),
        ("<style>.a{display:none!important}</style><p class=a style='display:block'>x", "display"),
        ("<style>div > p.a{display:none}</style><p class=a>x", "display"),
        ("<style>.z .a{display:none}</style><p class=a>x", ""),
        ("<style>.a.b{display:none}</style><p class='b a'>x", "display"),
        ("<style>.a.b{display:none}</style><p class=b>x", ""),
        ("<style>i.a{display:none}</style><p class=a>x", ""),
        ("<style>p[class='a']{display:none}</style><p class=a>x", "display"),
        ("<style>#a{display:block} .b{display:none}</style><p class=b id=a>x", ""),
        ("<style>.a,.b{display:none}.b{display:block}</style><p class=b>x", ""),
        ("<style>@media screen{.a{display:none}}</style><p class=a>x", "display"),
        ("<style media=print>.a{display:none}</style><p class=a>x", ""),
        ("<style>@media screen and (max-width:9px){.a{display:none}}</style><p class=a>x", ""),
        (
            "<style>.a{display:none}@media (min-width:1px){.a{display:block}}</style><p class=a>x",
            "",
        ),
        ("<style>.a{display:none}@supports (top:0){p.a{display:block}}</style><p class=a>x", ""),
        ("<style>.a{display:none}i + .a{display:block}</style><i></i><p class=a>x", ""),
        ("<style>.a{display:none}[class^=a]{display:block}</style><p class=a>x", ""),
        ("<style>#a{display:none}p ~ #a{display:block}</style><p id=a>x", ""),
        ("<style>.a{display:none}i + .b{display:block}</style><p class=a>x", "display"),
        ("<style>.a{display:none}i + .a{opacity:1}</style><p class=a>x", "display"),
        (
            "<style>.a{display:none}@media (max-width:9px){.a{display:block}}</style><p class=a>x",
            "display",
        ),
        (
            "<style>.a{display:none}@layer a{@media all{.a{display:block}}}</style><p class=a>x",
            "",
        ),
        ("<style>.a{display:none}@media print{.a{display:block}}</style><p class=a>x", "display"),
        ("<p style='color:#fff;background-image:linear-gradient(#000,#000)'>x", ""),
    ],
)
def test_read_html_tells_what_is_hidden_and_why(html: str, reason: str) -> None:
    seen = read(html)
    assert (seen.text, dict(seen.hidden)) == (("", {reason: "x"}) if reason else ("x", {}))


@pytest.mark.parametrize(
    "html",
    [
        "<bdo dir=RTL>drow a</bdo>",
        "<p style='unicode-bidi:bidi-override;direction:rtl'>drow a",
        "<input type=submit value='a word'>",
        "<style>.q{color:#fff}</style>a w<i class=q>xyz</i>ord",
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
    seen = read("<p>Pay <b>now</b><a href='http://a.example/?x&amp;y'>here</a>" + "<div>" * 3_000)
    assert seen.text == "Pay now here"
    assert [link.written for link in seen.links] == ["http://a.example/?x&y"]


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
