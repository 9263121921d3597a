"""Authentication-Results that others collected, read by us and by authres."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import authres
import pytest

from milter.auth.read_results import parse_authentication_results
from milter.auth.results import Result
from milter.core.errors import ParseError
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = SHARED / "conformance" / "authres"
_NAME = re.compile(r"\s*authentication-results\s*:", re.IGNORECASE)

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not FOLDER.exists(), reason=f"no Authentication-Results at {FOLDER}"),
]


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a file of strings, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def values() -> list[str]:
    if not FOLDER.exists():
        return []
    found = [
        text
        for path in sorted(FOLDER.glob("*.json"))
        for text in texts(json.loads(path.read_text("utf-8")))
        if "=" in text or "none" in text
    ]
    return sorted({_NAME.sub("", text, count=1).strip() for text in found})


def read_by_authres(text: str) -> Any:
    """Return what authres makes of `text`; None where it refuses it, or fails."""
    try:
        return authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    except Exception:  # noqa: BLE001 - its own errors, and those that it does not foresee
        return None


def test_every_string_is_read_or_refused() -> None:
    strings = values()
    read = 0
    for text in strings:
        try:
            parse_authentication_results(text.encode("utf-8", "surrogateescape"))
        except ParseError:
            continue
        read += 1
    assert len(strings) > 60
    assert read > len(strings) // 2


def test_what_authres_reads_we_read_the_same() -> None:
    known = {result.value for result in Result}
    compared = 0
    for text in values():
        theirs = read_by_authres(text)
        if theirs is None:
            continue
        ours = parse_authentication_results(text.encode())
        expected = [
            (result.method, result.result.lower())
            for result in theirs.results
            if getattr(result, "result", None) and result.result.lower() in known - {"none"}
        ]
        shown = [(said.method, said.result.value) for said in ours.results]
        assert [pair for pair in shown if pair[1] != "none"] == expected, text
        assert ours.authserv_id == theirs.authserv_id.lower()
        compared += 1
    assert compared >= 20
