from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.address import Mailbox
from milter.smtp.commands import (
    CommandError,
    parse_bdat,
    parse_helo,
    parse_mail,
    parse_rcpt,
    split_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_mail_parameters_keep_case_and_order_for_the_next_hop() -> None:
    command = parse_mail(b"from:<a@B.example> ret=HDRS EnvID=Ab+3Dc X-New=1", extended=True)
    assert command.argument == b"FROM:<a@B.example> ret=HDRS EnvID=Ab+3Dc X-New=1"
    assert command.parameters == {"RET": "HDRS", "ENVID": "Ab+3Dc", "X-NEW": "1"}


def test_mail_source_route_is_dropped() -> None:
    command = parse_mail(b"FROM:<@a.example,@b.example:c@d.example>", extended=True)
    assert command.mailbox == Mailbox("c", "d.example")
    assert command.argument == b"FROM:<c@d.example>"


def test_mail_null_path_is_none() -> None:
    assert parse_mail(b"FROM:<>", extended=True).mailbox is None


def test_mail_without_brackets_is_given_them() -> None:
    assert parse_mail(b"FROM: a@b.example", extended=False).argument == b"FROM:<a@b.example>"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        pytest.param(b"", 501, id="nothing"),
        pytest.param(b"TO:<a@b.example>", 501, id="wrong keyword"),
        pytest.param(b"FROM:", 501, id="no address"),
        pytest.param(b"FROM:<a@@b>", 553, id="two at signs"),
        pytest.param(b"FROM:<a@b.example", 553, id="no closing bracket"),
        pytest.param(b"FROM:<a@b.example>x", 501, id="glued parameter"),
        pytest.param(b"FROM:<a@b.example> SIZE=x", 501, id="size is no number"),
        pytest.param(b"FROM:<a@b.example> SIZE", 501, id="size without value"),
        pytest.param(b"FROM:<a@b.example> BODY=BINARYMIME", 501, id="binary mime"),
        pytest.param(b"FROM:<a@b.example> SMTPUTF8=1", 501, id="smtputf8 with value"),
        pytest.param(b"FROM:<a@b.example> RET=A RET=B", 501, id="parameter twice"),
        pytest.param(b"FROM:<a@b.example> =x", 501, id="parameter without name"),
        pytest.param("FROM:<é@b.example>".encode(), 553, id="utf-8 unannounced"),
        pytest.param(b"FROM:<\xff@b.example>", 500, id="neither ascii nor utf-8"),
    ],
)
def test_mail_malformed_is_answered(argument: bytes, code: int) -> None:
    with pytest.raises(CommandError) as caught:
        parse_mail(argument, extended=True)
    assert caught.value.code == code


def test_mail_parameters_after_helo_are_refused() -> None:
    with pytest.raises(CommandError) as caught:
        parse_mail(b"FROM:<a@b.example> SIZE=1", extended=False)
    assert caught.value.code == 501


def test_mail_utf8_announced_is_taken() -> None:
    command = parse_mail("FROM:<é@b.example> SMTPUTF8".encode(), extended=True)
    assert command.mailbox == Mailbox("é", "b.example")


def test_rcpt_postmaster_without_domain_is_taken() -> None:
    command = parse_rcpt(b"TO:<Postmaster>", extended=True, utf8=False)
    assert command.mailbox == Mailbox("Postmaster", "")
    assert command.argument == b"TO:<Postmaster>"


def test_rcpt_null_path_is_refused() -> None:
    with pytest.raises(CommandError) as caught:
        parse_rcpt(b"TO:<>", extended=True, utf8=False)
    assert caught.value.code == 501


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [(b"0 LAST", (0, True)), (b"86", (86, False)), (b"10 last", (10, True))],
)
def test_bdat_is_parsed(argument: bytes, chunk: tuple[int, bool]) -> None:
    assert parse_bdat(argument) == chunk


@pytest.mark.parametrize("argument", [b"", b"x", b"-1", b"1 FIRST", b"1" * 30])
def test_bdat_malformed_is_answered(argument: bytes) -> None:
    with pytest.raises(CommandError):
        parse_bdat(argument)


@pytest.mark.parametrize("name", [b"", b"\x80x", b"a" * 300])
def test_helo_without_a_name_is_refused(name: bytes) -> None:
    with pytest.raises(CommandError):
        parse_helo(name)


def code_of(parse: Callable[[], object]) -> int:
    try:
        parse()
    except CommandError as error:
        return error.code
    return 250


@given(st.binary(max_size=200), st.booleans())
def test_any_line_is_parsed_or_answered(line: bytes, extended: bool) -> None:
    codes = {
        code_of(lambda: parse_mail(b"FROM:<" + line, extended=extended)),
        code_of(lambda: parse_rcpt(b"TO:<" + line, extended=extended, utf8=True)),
        code_of(lambda: split_line(line)),
    }
    assert codes <= {250, 500, 501, 553}
