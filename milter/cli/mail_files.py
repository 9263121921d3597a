"""Messages from files: one a file, a mailbox (mbox), a Maildir, a folder of any of them, a stream.

A mailbox is read as a stream, in one pass, one message in memory at a time. A line that begins with
`From ` and bears a time begins a message where it is the first line or follows an empty one; of
`>From ` one `>` is taken away (the mboxrd way). What cannot be read is told and does not end the
reading.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from milter.cli.explain import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

# Larger than any message that a server takes by default, small enough for any machine.
MAX_MESSAGE: Final = 128 * 1024 * 1024
_PIECE: Final = 65_536
# With a colon behind it, From is a field with space in it.
_FROM: Final = re.compile(rb"From (?![ \t]*:)")
_FROM_LINE: Final = re.compile(rb"From .{0,400}\d\d:\d\d")
_QUOTED_FROM: Final = re.compile(rb">+From ")
_LINE_ENDS: Final = (b"\n", b"\r\n")


@dataclass(frozen=True, slots=True)
class MailFile:
    """One message, or why there is none.

    Attributes:
        name: The path; in a mailbox with the number of the message.
        data: Its bytes as they are on disk.
        error: Why it cannot be read; empty when it can.
    """

    name: str
    data: bytes = b""
    error: str = ""


def read_mail(path: str) -> Iterator[MailFile]:
    """Yield the messages at `path`, in the order of names; `-` is the standard input."""
    if path == "-":
        yield from _messages("-", sys.stdin.buffer)
        return
    if not Path(path).is_dir():
        yield from _read_file(path)
        return
    for folder, subfolders, names in os.walk(path):
        in_maildir = {"cur", "new"} <= set(subfolders)
        subfolders[:] = sorted(name for name in subfolders if _wanted(name, in_maildir=in_maildir))
        for name in sorted(() if in_maildir else names):
            file = Path(folder, name)
            if file.is_file() and not name.startswith("."):
                yield from _read_file(str(file))


def read_mail_told(path: str) -> Iterator[MailFile]:
    """Yield the messages at `path` as `read_mail` does, and say where there is none."""
    empty = True
    for mail in read_mail(path):
        empty = False
        yield mail
    if empty:
        click.echo(f"{printable(path)}: holds no message", err=True)


def _wanted(subfolder: str, *, in_maildir: bool) -> bool:
    # What is being delivered to a Maildir stands in tmp until it is whole; folders below one
    # begin with a dot.
    return subfolder != "tmp" if in_maildir else not subfolder.startswith(".")


def _read_file(path: str) -> Iterator[MailFile]:
    try:
        with Path(path).open("rb") as file:
            yield from _messages(path, file)
    except OSError as err:
        yield MailFile(path, error=f"cannot be read: {err.strerror or err}")


def _messages(name: str, file: BinaryIO) -> Iterator[MailFile]:
    first = file.readline(_PIECE)
    if _FROM.match(first):
        yield from _split(name, file)
        return
    data = first + file.read(MAX_MESSAGE)
    yield _mail(name, data)


def _split(name: str, file: BinaryIO) -> Iterator[MailFile]:
    """Yield the messages of a mailbox whose first line was read already."""
    number, data = 1, bytearray()
    starts_line, after_empty = True, False
    for piece in iter(lambda: file.readline(_PIECE), b""):
        if starts_line and after_empty and _FROM_LINE.match(piece):
            yield _mail(f"{name}:{number}", _without_separator(data))
            number, data = number + 1, bytearray()
        elif len(data) <= MAX_MESSAGE:
            quoted = starts_line and _QUOTED_FROM.match(piece)
            data += piece[1:] if quoted else piece
        after_empty = starts_line and piece in _LINE_ENDS
        starts_line = piece.endswith(b"\n")
    yield _mail(f"{name}:{number}", _without_separator(data))


def _without_separator(data: bytearray) -> bytes:
    """Return `data` without the empty line that a mailbox has after each message."""
    for end in (b"\r\n\r\n", b"\n\n"):
        if data.endswith(end):
            return bytes(data[: -len(end) // 2])
    return bytes(data)


def _mail(name: str, data: bytes) -> MailFile:
    if len(data) > MAX_MESSAGE:
        return MailFile(name, error=f"is larger than {MAX_MESSAGE >> 20} MB")
    return MailFile(name, data)
