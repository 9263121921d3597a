"""Addresses of sockets are read in three forms and no other."""

from __future__ import annotations

import pytest

from milter.core.errors import ParseError
from milter.settings.places import Place, parse_place


@pytest.mark.parametrize(
    ("text", "place", "local"),
    [
        ("127.0.0.1:25", Place("127.0.0.1", 25), True),
        ("192.0.2.1:0", Place("192.0.2.1", 0), False),
        (":25", Place("", 25), False),
        ("localhost:25", Place("localhost", 25), True),
        ("mx.example.org:25", Place("mx.example.org", 25), False),
        ("[::1]:25", Place("::1", 25), True),
        ("[2001:db8::1]:25", Place("2001:db8::1", 25), False),
        ("unix:/run/in", Place(path="/run/in"), True),
    ],
)
def test_parse_place_reads_every_form(text: str, place: Place, *, local: bool) -> None:
    assert parse_place(text) == place
    assert place.is_local is local
    assert str(place) == text


@pytest.mark.parametrize(
    ("wide", "narrow", "taken_in"),
    [
        ("0.0.0.0:25", "127.0.0.1:25", True),
        ("[::]:25", "[::1]:25", True),
        (":25", "[::1]:25", True),
        (":25", "0.0.0.0:25", True),
        ("[::1]:25", "[0::1]:25", True),
        ("0.0.0.0:25", "[::1]:25", False),
        ("0.0.0.0:25", "127.0.0.1:26", False),
        ("127.0.0.1:25", "0.0.0.0:25", False),
        ("127.0.0.1:25", "127.0.0.2:25", False),
        ("localhost:25", "127.0.0.1:25", False),
        (":0", "127.0.0.1:0", False),
        ("unix:/run/in", "unix:/run/in", False),
    ],
)
def test_place_takes_in_what_cannot_be_listened_on_beside_it(
    wide: str, narrow: str, *, taken_in: bool
) -> None:
    assert parse_place(wide).takes_in(parse_place(narrow)) is taken_in


@pytest.mark.parametrize(
    "text",
    ["", "25", "::1:25", "host:", "host:70000", "[::1]", "[x]:25", "unix:", "a b:25", "/run"],
)
def test_parse_place_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_place(text)
