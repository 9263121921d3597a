"""The parser next to the test data of browsers (web-platform-tests, Unicode)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from milter.message.urls.whatwg import parse_url
from policies.domains import domain_to_ascii
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = SHARED / "conformance" / "url"
# Of UTS 46: lengths and hyphens, which browsers do not check.
_UNCHECKED = {"A4_1", "A4_2", "V2", "V3", "U1", "X4_2"}


def data(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"the test data is not there: {path}")
    return path.read_text("utf-8")


@pytest.mark.conformance
def test_parse_url_agrees_with_the_test_data_of_browsers() -> None:
    rows = json.loads(data(_FOLDER / "urltestdata.json"))
    cases = [row for row in rows if isinstance(row, dict)]
    assert len(cases) > 800
    differing = [row["input"] for row in cases if opened(row) != row.get("href")]
    assert differing == []


def opened(row: dict[str, Any]) -> str | None:
    base = parse_url(row["base"]) if row.get("base") else None
    if row.get("base") and base is None:
        return None
    url = parse_url(row["input"], base)
    return url.href if url else None


@pytest.mark.conformance
@pytest.mark.parametrize("name", ["IdnaTestV2.txt", "IdnaTestV2-Unicode16.txt"])
def test_domain_to_ascii_agrees_with_the_test_data_of_unicode(name: str) -> None:
    lines = data(_FOLDER / name).splitlines()
    read, differing = 0, []
    for line in lines:
        columns = [unescaped(column) for column in line.partition("#")[0].split(";")]
        if len(columns) < 7:
            continue
        source, to_unicode, status, to_ascii, ascii_status = columns[:5]
        errors = set(re.findall(r"[A-Z]\d+(?:_\d+)?", ascii_status or status)) - _UNCHECKED
        expected = None if errors else to_ascii or to_unicode or source
        read += 1
        if domain_to_ascii(source) != expected:
            differing.append(source)
    assert read > 6_000
    # Letters that Unicode has added after the version of this Python's tables.
    assert len(differing) <= 5


def unescaped(column: str) -> str:
    column = column.strip()
    if column == '""':
        return ""
    pattern = r"\\u([0-9A-Fa-f]{4})|\\x\{([0-9A-Fa-f]+)\}"
    return re.sub(pattern, lambda match: chr(int(match[1] or match[2], 16)), column)


@pytest.mark.parametrize(
    ("written", "href"),
    [
        pytest.param("https:\\\\a.example\\x", "https://a.example/x", id="backslashes"),
        pytest.param("https:a.example", "https://a.example/", id="no-slashes"),
        pytest.param("http:////a.example", "http://a.example/", id="four-slashes"),
        pytest.param("ht\ntp://a.exa\tmple/", "http://a.example/", id="line-breaks-inside"),
        pytest.param("http://0x7f.1/", "http://127.0.0.1/", id="address-in-hexadecimal"),
        pytest.param("http://017700000001", "http://127.0.0.1/", id="address-in-octal"),
        pytest.param("http://2130706433/", "http://127.0.0.1/", id="address-as-one-number"),
        pytest.param("http://%65xample.org", "http://example.org/", id="percent-encoded-host"),
        pytest.param("http://ｅｘａｍｐｌｅ。org", "http://example.org/", id="full-width-host"),
        pytest.param("http://bücher.example", "http://xn--bcher-kva.example/", id="umlaut"),
        pytest.param("http://a@b@c.example/", "http://a%40b@c.example/", id="two-at-signs"),
        pytest.param("http://a.example/%2e%2E/b", "http://a.example/b", id="encoded-dots"),
        pytest.param("http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/", id="mapped-address"),
        pytest.param("http://a b.example/", None, id="space-in-host"),
        pytest.param("http://a.example:99999/", None, id="port-out-of-range"),
        pytest.param("http://1.2.3.4.5/", None, id="address-of-five-numbers"),
        pytest.param("http://xn--zz.example/", None, id="no-a-label"),
        pytest.param("//a.example", None, id="relative-without-base"),
        pytest.param("http://" + "ü" * 2_000, None, id="endless-host"),
    ],
)
def test_parse_url_opens_what_a_browser_opens(written: str, href: str | None) -> None:
    url = parse_url(written)
    assert (url.href if url else None) == href
