from __future__ import annotations

import pytest

from milter.checks.patterns import PatternsCheck
from policies.engine import PatternSpec
from policies.patterns import PatternSet
from tests.support.checks import a_transaction, looked

RAW = (
    b"From: Ann <a@example.org>\r\nSubject: =?utf-8?Q?You_w=C3=B6n?=\r\n"
    b'X-Mailer: Bulk 3\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nplain words http://bad.example/x\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<b>bold</b>\r\n"
    b"--b\r\nContent-Type: a/b; name=bill.exe\r\n\r\nx\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("view", "text", "excerpt"),
    [
        ("subject", "w.n$", "wön"),
        ("header:X-Mailer", "^bulk", "Bulk"),
        ("headers", "(?m)^x-mailer: bulk", "X-Mailer: Bulk"),
        ("body", "words|<b>", "words"),
        ("text", "plain", "plain"),
        ("html", "<b>.*</b>", "<b>bold</b>"),
        ("urls", "^http://bad", "http://bad"),
        ("filenames", r"\.exe$", ".exe"),
        ("raw", r"=C3=B6", "=C3=B6"),
        ("mail_from", "@example", "@example"),
        ("helo", r"^mx\.", "mx."),
        ("client_name", "told", "told"),
    ],
)
def test_patterns_each_view_is_matched_and_named(view: str, text: str, excerpt: str) -> None:
    check = PatternsCheck(PatternSet.compile([PatternSpec("HIT", view, text)]))
    evidence = looked(check, RAW, a_transaction(told_name="told.example"))
    assert [(f.symbol, f.evidence) for f in evidence.findings] == [("HIT", f"{view}: {excerpt}")]


@pytest.mark.parametrize(("view", "text"), [("text", "bold"), ("html", "plain"), ("helo", "x{9}")])
def test_patterns_that_do_not_match_their_view_yield_nothing(view: str, text: str) -> None:
    check = PatternsCheck(PatternSet.compile([PatternSpec("HIT", view, text)]))
    assert looked(check, RAW).findings == ()


def test_patterns_symbols_are_the_ids() -> None:
    specs = [PatternSpec("ONE", "text", "a"), PatternSpec("TWO", "html", "b")]
    assert PatternsCheck(PatternSet.compile(specs)).symbols == {"ONE", "TWO"}
