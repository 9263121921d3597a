from __future__ import annotations

import pytest

from milter.message.guard import Notes
from milter.message.html.reader import read_html

# Formatting elements that differ from each other, and blocks in which a parser opens them again.
_BOLD = "".join(f"<b x={number}>" for number in range(300))
_ENDS = "</b>" * 300
_BLOCKS = "<div>a</div>" * 1_000


@pytest.mark.parametrize(
    "left_open",
    [
        pytest.param(_BOLD, id="never-closed"),
        pytest.param(_ENDS + _BOLD, id="closed-before"),
        pytest.param(_BOLD + f"<!-- {_ENDS} -->", id="closed-in-a-comment"),
        pytest.param("<!-->" + _BOLD + "<!-- -->", id="behind-a-comment-that-is-over"),
        pytest.param(_BOLD + f"<title>{_ENDS}</title>", id="closed-in-a-title"),
        pytest.param(_BOLD + f"<select>{_ENDS}</select>", id="closed-in-a-select"),
        pytest.param(_BOLD + f"<table>{_ENDS}</table>", id="closed-in-a-table"),
        pytest.param("<td>" + _BOLD + "</td>", id="in-a-cell-of-no-table"),
        pytest.param(
            "<table>" + "".join(f"<tr><td></tr><b x={number}>" for number in range(300)),
            id="beside-cells",
        ),
    ],
)
def test_read_html_formatting_left_open_over_many_blocks_is_read_without_a_parser(
    left_open: str,
) -> None:
    notes = Notes()

    html = read_html(f"<div>{left_open}</div>{_BLOCKS}", notes)

    assert not html.whole
    assert notes.truncated == ("html",)


@pytest.mark.parametrize(
    "formatting",
    [
        pytest.param("".join(f"<b x={number}>a</b>" for number in range(300)), id="closed"),
        pytest.param("<b>" * 300, id="alike"),
        pytest.param("".join(f"<a href={number}>" for number in range(300)), id="links"),
        pytest.param(f"<table><tr><td>{_BOLD}</table>", id="ended-by-the-cell"),
        pytest.param(f"<table><tr><td>{_BOLD}<td></table>", id="ended-by-the-next-cell"),
        pytest.param("".join(f"<font x={number}>" for number in range(30)), id="a-few-left-open"),
    ],
)
def test_read_html_formatting_that_a_parser_does_not_open_again_is_read_whole(
    formatting: str,
) -> None:
    assert read_html(f"<div>{formatting}</div>{_BLOCKS}", Notes()).whole
