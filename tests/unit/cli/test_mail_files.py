"""Messages come out of files as they were put in, whatever keeps them."""

from __future__ import annotations

import io
import itertools
import mailbox
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from milter.cli.mail_files import MailFile, _messages, read_mail

if TYPE_CHECKING:
    from pathlib import Path

FIRST = b"From: a@example.net\n\nhello\n"
SECOND = b"From: b@example.net\n\nFrom here on\n>quoted\n\nmore\n"
SEPARATOR = b"From a@example.net Tue Nov 24 10:00:00 2026\n"


def test_read_mail_of_a_file_is_its_message(tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(FIRST)
    assert list(read_mail(str(file))) == [MailFile(str(file), FIRST)]


def test_read_mail_of_a_mailbox_is_each_message_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(SEPARATOR + FIRST + b"\n" + SEPARATOR + SECOND + b"\n")
    found = list(read_mail(str(file)))
    assert found == [MailFile(f"{file}:1", FIRST), MailFile(f"{file}:2", SECOND)]


def test_read_mail_of_a_mailbox_with_crlf(tmp_path: Path) -> None:
    file = tmp_path / "box"
    text = (SEPARATOR + FIRST + b"\n" + SEPARATOR + FIRST + b"\n").replace(b"\n", b"\r\n")
    file.write_bytes(text)
    assert [mail.data for mail in read_mail(str(file))] == [FIRST.replace(b"\n", b"\r\n")] * 2


def test_read_mail_agrees_with_the_mailbox_that_python_writes(tmp_path: Path) -> None:
    path = tmp_path / "box"
    box = mailbox.mbox(path)
    for text in (FIRST, SECOND, b"Subject: x\n\n\n\nlast"):
        box.add(text)
    box.flush()
    box.close()
    found = [mail.data for mail in read_mail(str(path))]
    assert found == [FIRST, SECOND, b"Subject: x\n\n\n\nlast\n"]


def test_read_mail_a_from_line_without_a_time_begins_nothing(tmp_path: Path) -> None:
    file = tmp_path / "box"
    body = b"Subject: x\n\n\nFrom here on I speak of other things\n"
    file.write_bytes(SEPARATOR + body + b"\n")
    assert [mail.data for mail in read_mail(str(file))] == [body]


def test_read_mail_of_a_maildir_leaves_out_what_is_not_delivered(tmp_path: Path) -> None:
    for name in ("cur/2:2,S", "new/1", "tmp/3", ".Sent/cur/4", ".Sent/new/5", "dovecot.index"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    names = [mail.data.decode() for mail in read_mail(str(tmp_path))]
    assert names == [".Sent/cur/4", ".Sent/new/5", "cur/2:2,S", "new/1"]


def test_read_mail_of_a_folder_is_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.eml", "a.eml", "sub/c.eml", ".hidden", ".git/d"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    assert [mail.data for mail in read_mail(str(tmp_path))] == [b"a.eml", b"b.eml", b"sub/c.eml"]


def test_read_mail_of_nothing_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert list(read_mail(path)) == [
        MailFile(path, error="cannot be read: No such file or directory")
    ]


@given(st.lists(st.sampled_from([b"From a 10:00 x", b"", b">From b", b"x" * 70_000, b"y"])))
def test_mailbox_is_split_before_each_from_line_after_an_empty_one(lines: list[bytes]) -> None:
    text = SEPARATOR + b"".join(line + b"\n" for line in lines)
    starts = sum(
        line.startswith(b"From ") and before == b"" for before, line in itertools.pairwise(lines)
    )
    found = list(_messages("box", io.BytesIO(text)))
    assert len(found) == 1 + starts
    assert sum(mail.data.count(b"x" * 70_000) for mail in found) == lines.count(b"x" * 70_000)
