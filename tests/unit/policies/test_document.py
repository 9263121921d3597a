from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_document
from policies.errors import ConfigErrors

if TYPE_CHECKING:
    from policies.positions import Value


def read(text: str | bytes) -> Value:
    return parse_document(text if isinstance(text, bytes) else text.encode(), "f.yaml").value()


def refusals(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        read(text)
    return [str(error) for error in raised.value.errors]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("NO", "NO", id="a-country-is-text"),
        pytest.param("yes", "yes", id="yes-is-text"),
        pytest.param("on", "on", id="on-is-text"),
        pytest.param("12:30", "12:30", id="a-time-is-text"),
        pytest.param("2026-01-31", "2026-01-31", id="a-date-is-text"),
        pytest.param("127.0.0.2", "127.0.0.2", id="an-address-is-text"),
        pytest.param("1_000", "1_000", id="an-underscored-number-is-text"),
        pytest.param("5.7.23", "5.7.23", id="an-enhanced-code-is-text"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="false-capitalised"),
        pytest.param("null", None, id="null"),
        pytest.param("~", None, id="tilde-is-null"),
        pytest.param("", None, id="nothing-is-null"),
        pytest.param("-17", -17, id="a-negative-number"),
        pytest.param("0", 0, id="zero"),
        pytest.param("0.5", 0.5, id="a-fraction"),
        pytest.param("1e3", 1000.0, id="an-exponent"),
        pytest.param("0x1F", 31, id="a-hexadecimal-number"),
        pytest.param("0o17", 15, id="an-octal-number"),
        pytest.param('"010"', "010", id="a-quoted-leading-zero"),
        pytest.param("!!str 5", "5", id="the-tag-of-text"),
        pytest.param("'null'", "null", id="quoted-null-is-text"),
    ],
)
def test_read_scalar_follows_the_core_schema(written: str, expected: Value) -> None:
    assert read(f"a: {written}") == {"a": expected}


def test_read_keys_are_always_text() -> None:
    assert read("{2: a, true: b, NO: c, 010: d}") == {"2": "a", "true": "b", "NO": "c", "010": "d"}


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_read_empty_file_holds_nothing(text: str) -> None:
    assert not read(text)


def test_read_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read(b"\xef\xbb\xbfa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            "a: 1\nb: 2\na: 3",
            ["f.yaml:3:1: the key `a` stands twice: the first is on line 1"],
            id="duplicate-key",
        ),
        pytest.param(
            "a: 010",
            ["f.yaml:1:4: 010 begins with a zero: put it in quotes, or leave out the zero"],
            id="leading-zero",
        ),
        pytest.param(
            "a: -00.5",
            ["f.yaml:1:4: -00.5 begins with a zero: put it in quotes, or leave out the zero"],
            id="leading-zero-of-a-fraction",
        ),
        pytest.param(
            "a: &x [1]\nb: *x",
            [
                "f.yaml:1:4: the anchor `&x` is not read: write the value out",
                (
                    "f.yaml:2:4: the alias `*x` is not read: write the value out, or put a text"
                    " in quotes"
                ),
            ],
            id="anchor-and-alias",
        ),
        pytest.param(
            "<<: {a: 1}",
            ["f.yaml:1:1: merge keys (`<<`) are not read: write the keys out"],
            id="merge-key",
        ),
        pytest.param(
            "a: !!python/object:os.system x",
            [
                (
                    "f.yaml:1:4: the tag `tag:yaml.org,2002:python/object:os.system` is not read: "
                    "leave it out"
                )
            ],
            id="tag-of-a-python-object",
        ),
        pytest.param("a: !x [1]", ["f.yaml:1:4: the tag `!x` is not read: leave it out"], id="tag"),
        pytest.param("? [a, b]\n: 1", ["f.yaml:1:3: a key must be text"], id="a-list-as-key"),
        pytest.param(
            "a: 1\n---\nb: 2",
            ["f.yaml:2:1: a second document begins here: one file holds one"],
            id="second-document",
        ),
        pytest.param(
            "a:\n\tb: 1", ["f.yaml:2:1: a tab cannot indent: use spaces"], id="tab-as-indentation"
        ),
        pytest.param(
            "a: 'x\nb: 1\n",
            ["f.yaml:1:4: a quoted text begins here and does not end"],
            id="quote-not-closed",
        ),
        pytest.param(
            "a: [1, 2\nb: 1\n",
            ["f.yaml:1:4: a list in `[ ]` is not closed, or a comma is missing"],
            id="list-not-closed",
        ),
        pytest.param(
            "a: b: c",
            [
                (
                    "f.yaml:1:5: a second `:` on one line: put the text in quotes, "
                    "or the key on a line of its own"
                )
            ],
            id="two-colons",
        ),
        pytest.param(
            "a: 1\n  b: 2",
            [
                (
                    "f.yaml:2:3: the line above goes on here: this one is indented too far, or that"
                    " one lacks its `:`"
                )
            ],
            id="indented-below-a-value",
        ),
        pytest.param(
            "a: `x`",
            ["f.yaml:1:4: a backquote cannot begin a value in YAML: put the text in quotes"],
            id="a-backquote",
        ),
        pytest.param(
            "a: {b: 'x' c}",
            [
                (
                    "f.yaml:1:12: the text ends at the `'` before this: inside single quotes write"
                    " `''` for it"
                )
            ],
            id="a-quoted-text-goes-on",
        ),
        pytest.param(
            "a: 1\nb: \x07",
            ["f.yaml:2:4: the control character U+0007 cannot stand in YAML"],
            id="control-character",
        ),
        pytest.param(
            b"a: 1\nb: \xe9t\xe9",
            ["f.yaml:2:4: not UTF-8: save the file as UTF-8"],
            id="latin-1",
        ),
        pytest.param(
            b"\xff\xfea\x00", ["f.yaml:1:1: not UTF-8: save the file as UTF-8"], id="utf-16"
        ),
        pytest.param("a: .inf", ["f.yaml:1:4: .inf is too large a number"], id="infinity"),
        pytest.param("a: 1e999", ["f.yaml:1:4: 1e999 is too large a number"], id="overflow"),
    ],
)
def test_read_refuses_with_place_and_words(written: str | bytes, expected: list[str]) -> None:
    assert refusals(written) == expected


def test_read_whole_number_of_too_many_digits_is_refused_and_cut_in_the_message() -> None:
    assert refusals("a: " + "9" * 5000) == ["f.yaml:1:4: " + "9" * 60 + "... is too large a number"]


@pytest.mark.parametrize(
    "text",
    ["- " * (MAX_DEPTH + 1), "[" * 100_000, "{a: " * 100_000, "? " * 1000],
    ids=["block-lists", "flow-lists", "flow-mappings", "keys-in-keys"],
)
def test_read_deep_nesting_is_refused(text: str) -> None:
    assert len(refusals(text)) == 1


def test_read_too_many_values_are_refused_where_they_begin() -> None:
    text = "\n".join(["- 1"] * (MAX_NODES + 2))

    assert refusals(text) == [f"f.yaml:{MAX_NODES + 1}:3: more than {MAX_NODES:,} values"]


def test_read_too_large_file_is_refused_unread() -> None:
    assert refusals(b"#" * (MAX_BYTES + 1)) == ["f.yaml: larger than 4 MB"]


def test_read_mistakes_are_counted_up_to_a_bound() -> None:
    assert len(refusals("\n".join(["a: 1"] * 1000))) == 50
