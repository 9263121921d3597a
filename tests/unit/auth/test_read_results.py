"""Authentication-Results of others, as the RFC shows them, as they are found, and as they break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.auth.header import FIELD_NAME, format_authentication_results
from milter.auth.read_results import OthersResults, parse_authentication_results
from milter.auth.results import AuthResult, Result
from milter.core.errors import ParseError
from milter.message.document import Message


def said(text: str) -> tuple[AuthResult, ...]:
    return parse_authentication_results(text.encode()).results


def test_parse_no_results() -> None:
    assert parse_authentication_results(b"example.org 1; none") == OthersResults("example.org", ())


def test_parse_several_results_with_properties_and_reason() -> None:
    assert said(
        "example.com;\r\n\tdkim=pass (good signature)\r\n\t  header.d=example.net;"
        '\r\n\tspf=fail reason="says \\"no\\"; (go) away" smtp.mailfrom=a@example.net'
    ) == (
        AuthResult("dkim", Result.PASS, (("header.d", "example.net"),)),
        AuthResult(
            "spf", Result.FAIL, (("smtp.mailfrom", "a@example.net"),), 'says "no"; (go) away'
        ),
    )


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        pytest.param("header.b=abc/d+e=", (("header.b", "abc/d+e="),), id="unquoted-base64"),
        pytest.param("policy.iprev=2001:db8::1", (("policy.iprev", "2001:db8::1"),), id="ipv6"),
        pytest.param(
            'smtp.mailfrom="a b"@x.example', (("smtp.mailfrom", "a b@x.example"),), id="q"
        ),
        pytest.param("smtp.helo = x.example", (("smtp.helo", "x.example"),), id="spaces"),
        pytest.param("smtp (a) . (b) helo(c)=(d)x", (("smtp.helo", "x"),), id="comments"),
        pytest.param("smtp.helo=", (("smtp.helo", ""),), id="empty"),
        pytest.param("SMTP.HELO=X", (("smtp.helo", "X"),), id="case"),
        pytest.param('x.y="a;b"', (("x.y", "a;b"),), id="semicolon-in-quotes"),
        pytest.param("words without sense", (), id="words"),
    ],
)
def test_parse_properties(text: str, properties: tuple[tuple[str, str], ...]) -> None:
    assert said(f"x; spf=pass {text}") == (AuthResult("spf", Result.PASS, properties),)


@pytest.mark.parametrize(
    "text",
    [
        *("x; dkim=hardfail", "x; dkim", "x; =pass;", "x;;;", "x; 1 2 3"),
        *('x; "dkim"=pass', 'x; "dkim" = pass', 'x; "dkim=pass" header.d=x'),
    ],
)
def test_parse_what_is_no_result_is_left_out(text: str) -> None:
    assert said(text) == ()


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b" (comment) ", b"spf=pass", b"; spf=pass", b"(x; spf=pass", b'"x; spf=pass'),
        b"x; " + b"spf=pass " * 4000,
    ],
)
def test_parse_what_has_no_id_or_does_not_end_is_refused(value: bytes) -> None:
    with pytest.raises(ParseError):
        parse_authentication_results(value)


PLAIN = st.text('abcXYZ019.-_ ;()"\\=/@', max_size=40)
RESULTS = st.builds(
    AuthResult,
    st.sampled_from(["spf", "dkim", "dmarc"]),
    st.sampled_from(Result),
    st.lists(st.tuples(st.sampled_from(["header.d", "smtp.mailfrom"]), PLAIN), max_size=3).map(
        tuple
    ),
    PLAIN,
)


@given(st.lists(RESULTS, min_size=1, max_size=5))
def test_parse_reads_what_we_write(results: list[AuthResult]) -> None:
    field = format_authentication_results("mx.example.org", results)
    message = Message(field + b"\r\n")
    (value,) = message.values(FIELD_NAME.decode().lower())
    assert parse_authentication_results(value) == OthersResults("mx.example.org", tuple(results))


PARTS = st.sampled_from(
    [
        "x",
        ";",
        "spf",
        "=",
        "pass",
        "(",
        ")",
        '"',
        "\\",
        ".",
        "/",
        " ",
        "\r\n\t",
        "header",
        "\xe9",
        "1",
    ]
)


@given(st.lists(PARTS, max_size=40).map("".join), st.binary(max_size=30))
def test_parse_of_anything_returns_or_refuses(text: str, octets: bytes) -> None:
    try:
        read = parse_authentication_results(text.encode("latin-1") + octets)
    except ParseError:
        return
    assert read.authserv_id != ""
