from __future__ import annotations

import pytest

from policies.document import parse_document
from policies.positions import Positions, inside

TEXT = """\
name: ü
lists:
  - zone: bl.example
    codes: {"127.0.0.2": x}
  -   zone: second
"""


def places(text: str) -> Positions:
    return Positions(parse_document(text.encode(), "f.yaml"))


@pytest.mark.parametrize(
    ("loc", "key", "value"),
    [
        pytest.param(("name",), (1, 1), (1, 7), id="scalar"),
        pytest.param(("lists",), (2, 1), (3, 3), id="list"),
        pytest.param(("lists", 0, "zone"), (3, 5), (3, 11), id="in-an-item"),
        pytest.param(("lists", 0, "codes", "127.0.0.2"), (4, 13), (4, 26), id="quoted-key"),
        pytest.param(("lists", 1), (5, 7), (5, 7), id="item"),
        pytest.param(("lists", 1, "missing"), (5, 7), (5, 7), id="missing-key-at-its-mapping"),
        pytest.param(("lists", 7), (2, 1), (3, 3), id="missing-item-at-its-list"),
        pytest.param((), (1, 1), (1, 1), id="the-file"),
    ],
)
def test_positions_key_and_value(
    loc: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
) -> None:
    positions = places(TEXT)

    assert positions.key(loc) == key
    assert positions.value(loc) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a: xyz(?=b)", "xyz(?=b)", id="plain"),
        pytest.param("a: 'it''s ''(?=b)'", "it's '(?=b)", id="single-quoted"),
        pytest.param(r'a: "\t\x41é\u0042\\(?=b)"', "\tAéB\\(?=b)", id="double-quoted"),
        pytest.param("a: |\n  one\n\n    two (?=b)\n", "one\n\n  two (?=b)\n", id="literal-block"),
        pytest.param("x:\n  a: |-\n    (?=b)\n", "(?=b)", id="indented-literal-block"),
    ],
)
def test_inside_scalar_points_at_the_character(text: str, value: str) -> None:
    positions = places(text)
    loc = ("x", "a") if text.startswith("x") else ("a",)
    node = positions.node(loc)
    assert node.content == value

    mark = inside(node, value.index("(?="))

    assert text.split("\n")[mark.line - 1][mark.column - 1 :].startswith("(?=")


def test_inside_folded_scalar_points_at_its_beginning() -> None:
    mark = inside(places("a: >\n  one\n  two\n").node(("a",)), 5)

    assert (mark.line, mark.column) == (1, 4)


def test_inside_plain_scalar_over_lines_points_at_its_beginning() -> None:
    mark = inside(places("a: one\n  two\n").node(("a",)), 5)

    assert (mark.line, mark.column) == (1, 4)
