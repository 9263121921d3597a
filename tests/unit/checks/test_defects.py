"""What cannot be read, each kind with its symbol."""

from __future__ import annotations

import pytest

from milter.checks.defects import DefectsCheck
from tests.support.checks import looked, symbols_of

GOOD = b"From: Ann <a@example.org>\r\nSubject: Hello\r\n"
BODY = b"\r\nwords\r\n"


@pytest.mark.parametrize(
    ("header", "symbol"),
    [
        pytest.param(GOOD + b"no header here\r\n", "HEADER_MALFORMED", id="line-without-colon"),
        pytest.param(GOOD + b"Content-Type: multipart/mixed\r\n", "MIME_MALFORMED", id="mime"),
        pytest.param(GOOD + b"X-A: b\r\n" * 1001, "MESSAGE_LIMIT", id="too-many-fields"),
        pytest.param(
            GOOD + b"Content-Type: text/plain; charset=no-such\r\n",
            "CHARSET_UNDECODABLE",
            id="unknown-charset",
        ),
    ],
)
def test_defects_each_kind_has_its_symbol(header: bytes, symbol: str) -> None:
    assert symbols_of(looked(DefectsCheck(), header + BODY)) == [symbol]


def test_defects_of_a_good_message_there_are_none() -> None:
    evidence = looked(DefectsCheck(), GOOD + BODY)
    assert (symbols_of(evidence), evidence.facts) == ([], {"truncated": []})


def test_fact_truncated_names_the_bounds_that_were_passed() -> None:
    raw = (
        b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\n" * 500
    )
    assert looked(DefectsCheck(), raw).facts["truncated"] == ["parts"]
