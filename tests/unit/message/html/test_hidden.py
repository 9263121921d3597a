from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.message.guard import Notes
from milter.message.html.reader import read_html

if TYPE_CHECKING:
    from milter.message.html.document import Html


def read(html: str) -> Html:
    return read_html(html, Notes())


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<p style='display:none'>x", "display"),
        ("<p style='DISPLAY : None !important'>x", "display"),
        ("<p style='dis/**/play:none;dis:x'>x", ""),
        ("<p style='color:#fff'><a href='https://a.example/'>x", ""),
        ("<p style='color:#fff'><a href='https://a.example/' style='color:#fff'>x", "colour"),
        ("<p style='color:#fff;filter:invert(1)'>x", ""),
        ("<p style='color:transparent;-webkit-background-clip:text'>x", ""),
        ("<p style='font-size:0'><b style='font:small/1.2 Arial'>x", ""),
        ("<table><tbody bgcolor=navy><tr><td style='color:#fff'>x", ""),
        ("<table><tr><td background=a.png style='color:#fff'>x", ""),
        ("<table><tr><td background=a.png style='color:#fff;background-color:#fff'>x", ""),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#1a73e8'>x", "colour"),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#fff'>x", ""),
        ("<table><tr><td bgcolor='#1a73e8' style='color:#fff;background:#fff'>x", "colour"),
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
        ("<p style='display:none;font-family:\";display:block\"'>x", "display"),
        ("<p style='display:none;background:url(;display:block)'>x", "display"),
        ("<p style='position:absolute;clip:rect(0,0,0,0)'>x", "position"),
        ("<p style='clip-path:polygon(0 0, 0 0, 0px 0)'>x", "position"),
        ("<p style='clip-path:circle(0 at 5px)'>x", "position"),
        ("<p style='position:fixed;right:-9999px'>x", "position"),
        ("<p style='text-indent:100%;overflow:hidden'><b>x", "position"),
        ("<p style='padding-left:9px;margin-left:-9999px'>x", "position"),
        ("<i style='display:block;height:0;overflow:hidden'>x", "box"),
        ("<i style='position:absolute;top:-999px'>x", "position"),
        ("<p style='font-size:1px'><b style='font-size:100%'>x", "size"),
        ("<p style='font:16px a;font-size:0'>x", "size"),
        ("<p style='background:#000;background-color:#fff;color:#fff'>x", "colour"),
        ("<p style='background:#000'><b style='background:no-repeat #fff;color:#fff'>x", "colour"),
        ("<table bgcolor=FFFFFE><td><font color=snow>x", "colour"),
        ("<style>.a{display:none!important}p.a{display:block}</style><p class=a>x", "display"),
        ("<style>.b{display:block}</style><p hidden class=a>x", "display"),
        (
            "<style>a{display:none}</style><style media=print>a{display:block}</style><a>x",
            "display",
        ),
    ],
)
def test_read_html_tells_what_is_hidden_and_why(html: str, reason: str) -> None:
    seen = read(html)
    assert (seen.text, dict(seen.hidden)) == (("", {reason: "x"}) if reason else ("x", {}))


@pytest.mark.parametrize(
    "style",
    [
        # For Outlook alone.
        "mso-hide:all",
        # What looks like a declaration, and is none.
        "font-family:';display:none;'",
        "font-family:';display:none",
        "--a:{;display:none;}",
        "a:(;display:none)",
        r"a:\3b display:none",
        "display:none!a",
        "background:url(;display:none;)",
        "display:none;font-family:'/*';display:block;a:'*/'",
        "display:none;" + "a:b;" * 1_000 + "display:block",
        # What is to be worked out.
        "font-size:calc(1px + 15px)",
        "opacity:calc(0 + 1)",
        # What does not hold, or comes later.
        "font-size:1px a",
        "font-size:0;font:16px a",
        "overflow:hiddena;height:0",
        # What hides other parts, or nothing.
        "clip:rect(0,0,0,0)",
        "position:absolute;clip:rect(0,9px,9px,0)",
        "clip-path:polygon(0 0, 0 0, 100% 0, 100% 100%)",
        "clip-path:inset(50% 0 0 0)",
        "height:0;overflow:hidden;padding-bottom:99px",
        "height:0;overflow:hidden;min-height:99px",
        # What is moved back, or not away.
        "margin-left:-999px;padding-left:999px",
        "text-indent:-500px;padding:0 0 0 500px",
        "margin-left:-999px;padding-left:calc(9px + 990px)",
        "margin:-999px;margin-left:0;margin-top:0",
        "position:relative;bottom:-500px",
        "position:relative;top:-500px",
        # What is behind white letters.
        "color:#fff;background:none black",
        "color:#fff;background:repeat-x #000",
        "color:#fff;background:#fff;background:#000",
        "color:#fff;background-color:#fff;background:#000",
        "color:#fff;background-color:darkorange",
        "color:#fff;background:hwb(0 0% 100%)",
        "color:#fff;background:var(--a,#000)",
        "color:#fff;box-shadow:inset 0 0 0 99px #000",
        "color:#fff;text-shadow:0 0 1px #000",
        # Colours that are none, and so are not taken.
        "color:#fffg",
        "color:rgb(255 255 255 a)",
    ],
)
def test_read_html_what_everybody_sees_is_not_called_hidden(style: str) -> None:
    seen = read(f'<p style="{style}">x')
    assert (seen.text, dict(seen.hidden)) == ("x", {})


@pytest.mark.parametrize(
    "html",
    [
        # Words in a line have no size, and are moved by margins to the side alone.
        "<span style='max-height:0;overflow:hidden'>x",
        "<p style='display:inline;height:0;overflow:hidden'>x",
        "<span style='transform:scale(0)'>x",
        "<span style='text-indent:-9999px'>x",
        "<span style='margin-top:-9999px'>x",
        # What lies around it moves it back, or is what it goes by.
        "<div style='padding-left:999px'><p style='margin-left:-999px'>x",
        "<div style='position:relative;left:-999px'><p style='position:relative;left:999px'>x",
        "<div style='font-size:160px'><p style='font-size:0.1em'>x",
        "<div style='font-size:1px'><font size=7>x",
        "<div style='font-size:1px'><p style='font-size:large'>x",
        "<div style='color:#fff'><p style='color:hwb(0 0% 100%)'>x",
        "<div style='color:#fff'><p style='color:initial'>x",
        "<table><td bgcolor=0><font color=white>x",
        "<table><td bgcolor=chucknorris><font color=white>x",
        # Rules that are not read, or not taken for what they are.
        '<style>.q{quotes:"} .a{display:none} .r{"}</style><p class=a>x',
        "<style>.q{background:url(} .a{display:none} .r{)}</style><p class=a>x",
        "<style>.a{display:none} body{ .a{display:block!important} }</style><p class=a>x",
        "<style>p{display:none}p[title='x y']{display:block}</style><p title='x y'>x",
        "<style>p{display:none}p:not(.b .a){display:block}</style><p>x",
        "<style>p{display:none}.a\\.b{display:block}</style><p class='a.b'>x",
        "<style>.a{display:none}" + ".q," * 20 + ".a{display:block}</style><p class=a>x",
        "<style>.a{display:block!important}.a{display:none}</style><p class=a>x",
        "<style>.a{display:block}" + ".a{color:red}" * 20 + ".a{display:none}</style><p class=a>x",
        "<style>.a{display:none}"
        + ".q{color:red}" * 2_000
        + ".a{display:block}</style><p class=a>x",
        "<style>.a{display:none}</style>"
        + "<style></style>" * 19
        + "<style>.a{display:block}</style><p class=a>x",
        "<style>p{display:none}.a{display:block}</style><p class='" + "b " * 20 + "a'>x",
        "<style>.a{display:none}@scope (p){.a{display:block}}</style><p class=a>x",
        "<style>.a{display:none}@media not print{.a{display:block}}</style><p class=a>x",
        "<style>.a{display:none}@media print,screen{.a{display:block}}</style><p class=a>x",
        "<style>a{display:none}</style><style media='only screen'>a{display:block}</style><a>x",
        "<style>.a{font-size:0}i + .a{font-size:1em}</style><p class=a>x",
        "<style>.a{color:#fff}i + .a{color:#000}</style><p class=a>x",
        "<style>.a{margin-left:-9999px}i + .a{margin:0}</style><p class=a>x",
        # What holds against the element's own.
        "<style>.a{display:block!important}</style><p class=a style='display:none'>x",
        "<style>i + .a{display:block!important}</style><p class=a style='display:none'>x",
        "<style>.a{font-size:9px!important}</style><p class=a style='font-size:0'>x",
        "<style>.a{display:block}</style><p hidden class=a>x",
    ],
)
def test_read_html_what_something_else_shows_is_not_called_hidden(html: str) -> None:
    seen = read(html)
    assert (seen.text, dict(seen.hidden)) == ("x", {})


@pytest.mark.parametrize(
    "before", [pytest.param("a<br>", id="break"), pytest.param("a " * 100, id="full-line")]
)
def test_read_html_only_the_first_line_is_moved_by_an_indent(before: str) -> None:
    assert read(f"<p style='text-indent:-999px'>{before}<b>x").text.endswith("x")
