import re

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.auth.header import (
    bears_authserv_id,
    format_authentication_results,
)
from milter.auth.results import AuthResult, Result

OURS = "mx.example.org"


def a_result(value: str = "a@example.net", reason: str = "") -> AuthResult:
    return AuthResult("spf", Result.PASS, (("smtp.mailfrom", value),), reason)


def test_format_no_results_is_none() -> None:
    assert format_authentication_results(OURS, ()) == (
        b"Authentication-Results: mx.example.org;\r\n\tnone\r\n"
    )


def test_format_results_are_folded_and_in_order() -> None:
    dkim = AuthResult(
        "dkim",
        Result.FAIL,
        (("header.d", "example.net"), ("header.s", "sel"), ("header.b", "abc+/de=")),
        "the body was changed",
    )
    assert format_authentication_results(OURS, (a_result(), dkim)) == (
        b"Authentication-Results: mx.example.org;\r\n"
        b"\tspf=pass smtp.mailfrom=a@example.net;\r\n"
        b'\tdkim=fail reason="the body was changed" header.d=example.net header.s=sel\r\n'
        b'\theader.b="abc+/de="\r\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("example.net", b"example.net"),
        ("@example.net", b"@example.net"),
        ("srs0=x=y@example.net", b"srs0=x=y@example.net"),
        ('"a b"@example.net', b'"\\"a b\\"@example.net"'),
        ("a@b; dkim=pass", b'"a@b; dkim=pass"'),
        ("x (comment)", b'"x (comment)"'),
        ("back\\slash", b'"back\\\\slash"'),
        ("x\r\nEvil: y", b'"x??Evil: y"'),
        ("r\u00f6d@example.net", b'"r?d@example.net"'),
        ("=?utf-8?q?x?=@example.net", b'"??utf-8?q?x?=@example.net"'),
        ("", b'""'),
    ],
)
def test_format_value_cannot_become_syntax(value: str, written: bytes) -> None:
    field = format_authentication_results(OURS, (a_result(value),))
    assert field.endswith(b"smtp.mailfrom=" + written + b"\r\n")


def test_format_names_cannot_become_syntax() -> None:
    result = AuthResult("x; spf", Result.PASS, (("smtp.a=b\r\nc", "v"),))
    field = format_authentication_results(OURS, (result,))
    assert field.endswith(b"\tx--spf=pass smtp.a-b--c=v\r\n")


texts = st.text(max_size=1200)
results = st.builds(
    AuthResult,
    st.just("dkim"),
    st.sampled_from(Result),
    st.lists(st.tuples(st.just("header.d"), texts), max_size=3).map(tuple),
    texts,
)


@given(st.lists(results, max_size=4))
def test_format_any_values_give_one_field_of_bounded_lines(results: list[AuthResult]) -> None:
    field = format_authentication_results(OURS, results)
    lines = field.split(b"\r\n")
    assert lines.pop() == b""
    assert b"\r" not in b"".join(lines)
    assert b"\n" not in b"".join(lines)
    assert all(line.startswith(b"\t") for line in lines[1:])
    assert all(len(line) <= 998 for line in lines)
    assert all(32 <= octet < 127 or octet == 9 for octet in b"".join(lines))


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(printable, printable)
def test_format_values_are_read_back_by_another_reader(value: str, reason: str) -> None:
    field = format_authentication_results(OURS, (a_result(value, reason),)).decode()
    read = authres.AuthenticationResultsHeader.parse(field.replace("\r\n", "")).results[0]
    assert read.result == "pass"
    # This reader leaves the backslashes of a quoted string in.
    assert re.sub(r"\\(.)", r"\1", read.reason) == reason.replace("=?", "??")
    assert re.sub(r"\\(.)", r"\1", read.properties[0].value) == value.replace("=?", "??")


@pytest.mark.parametrize(
    "value",
    [
        b"mx.example.org; spf=pass",
        b" mx.example.org ;spf=pass",
        b"MX.Example.ORG; spf=pass",
        b"\r\n\tmx.example.org;\r\n\tspf=pass",
        b"(hello) mx.example.org (world) 1; spf=pass",
        b"(a (nested \\) one) here) mx.example.org; none",
        b'"mx.example.org"; none',
        b'"mx.ex\\ample.org"; none',
        b"mx.example.org 1; none",
        b"mx.example.org/1; none",
        b"mx.example.org.; none",
        b"mx . example . org; none",
        b"mx.(x)example.(y)org; none",
        b"mx.example.org",
        b"=?utf-8?q?mx=2Eexample=2Eorg?=; none",
        b"mx.example.org\x00; none",
        "\uff4dx.example.org; none".encode(),
        b"; mx.example.org; none",
        b"<mx.example.org>; none",
        b"(open mx.example.org; none",
        b'"mx.example.org; none',
    ],
)
def test_bears_authserv_id_disguised_is_ours(value: bytes) -> None:
    assert bears_authserv_id(value, OURS)


@pytest.mark.parametrize(
    "value",
    [
        b"mx.example.net; spf=pass",
        b"mx.example.org.evil.example; none",
        b"mx.example.org2; none",
        b"notmx.example.org; none",
        b"other.example; spf=pass smtp.mailfrom=mx.example.org",
        b"other.example (mx.example.org); none",
        b"(mx.example.org); none",
        b"; none",
        b"",
        b"spf=pass smtp.mailfrom=a@mx.example.org",
        b"(open other.example; none",
    ],
)
def test_bears_authserv_id_foreign_is_not_ours(value: bytes) -> None:
    assert not bears_authserv_id(value, OURS)


@given(st.binary(max_size=200))
def test_bears_authserv_id_any_bytes_are_judged(value: bytes) -> None:
    assert bears_authserv_id(value, OURS) in (True, False)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"(" * 1_000_000, id="opened-comments"),
        pytest.param(b"(" * 500_000 + b")" * 500_000, id="nested-comments"),
        pytest.param(b"()" * 500_000, id="many-comments"),
        pytest.param(b'"' + b"\\\\" * 500_000, id="open-quote"),
        pytest.param(b"\\" * 1_000_000, id="backslashes"),
        pytest.param(b"a " * 500_000, id="many-words"),
        pytest.param("\u00e9".encode() * 500_000, id="long-name-outside-of-ascii"),
    ],
)
def test_bears_authserv_id_bomb_is_taken_for_ours_unread(bomb: bytes) -> None:
    # Quadratic work on a megabyte would run into the time limit of the suite.
    assert bears_authserv_id(bomb + b"; none", OURS)
    assert bears_authserv_id(bomb + b' "mx.ex\\ample.org"; spf=pass', OURS)


def test_bears_authserv_id_long_field_with_the_name_of_another_is_not_ours() -> None:
    assert not bears_authserv_id(b"mx.example.net (host)" + b"; spf=pass" * 1_000, OURS)
