"""Reads messages with mistakes in them: header, MIME, HTML, links, files, text, every check's look.

Ends with 1 when one is not stood: what raises anything, or takes long, is printed with the number
that makes it again. At the end messages made to hurt are read (each is one known bomb), and must
take less than their share.
Usage: python -m tests.fuzz.messages [COUNT] [FIRST]
"""

from __future__ import annotations

import base64
import io
import sys
import time
import zipfile
from random import Random
from typing import TYPE_CHECKING

from milter.checks.attachments import AttachmentsCheck
from milter.checks.bulk import BulkCheck
from milter.checks.defects import DefectsCheck
from milter.checks.headers import HeadersCheck
from milter.checks.html import HtmlCheck
from milter.checks.identities import IdentitiesCheck
from milter.checks.links import LinksCheck
from milter.checks.lookalike import LookalikeCheck
from milter.checks.mailers import MailersCheck
from milter.checks.mime_form import MimeFormCheck
from milter.checks.oddities import OdditiesCheck
from milter.checks.text import TextCheck
from milter.message.document import VIEWS, Message
from tests.support.checks import a_transaction
from tests.support.mutation import mutated

if TYPE_CHECKING:
    from milter.checks.base import Look

_COUNT = 500_000
_LONGEST_S = 0.5
# CPU time for one bomb with the default bounds.
_BOMB_S = 0.2


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.docm", b"PK\x03\x04")
        archive.writestr("b.exe", b"MZ" * 100)
    return file.getvalue()


_HTML = (
    b"<html><head><title>t</title><style>.a{display:none}</style><base href='http://b.example/'>"
    b"<body bgcolor=#fff text='#000'><p class=a>h<a href='http:\\\\u@0x7f.1:81/%2e./x?u=http%3A%2F"
    b"%2Fc.example'>www.bank.com</a><img src=//t.example/o.gif width=1 alt=x><form action=p>"
    b"<input type=password></form><font color=white size=1>y</font><!-- c --><table><tr><td>z"
)
SEEDS = (
    b"From: =?gb2312?B?xOO6ww==?= <a@paypa1.com>, (c) b@c.example\r\nReply-To: x@y.example\r\n"
    b"Subject: =?utf-8?Q?v=E2=80=8Bi1agra?= \xc4\xe3\xba\xc3\r\nDate: Mon, 1 Jan 2026 1:2:3 +0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
    b"charset=koi8-r\r\n\r\n\xf5\xd7\xc1\xd6\xc1\xc5\xcd\xd9\xca hxxp://a[.]example www.b.example/ "
    b"v i a g r a\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + _HTML + b"\r\n--b\r\n"
    b"Content-Type: application/zip; name*0*=utf-8''a%e2; name*1=.zip\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(_zip()) + b"--b--\r\n",
    b"From: a@b.example\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: text/html\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n" + _HTML.replace(b"=", b"=3D"),
    b"Content-Type: application/octet-stream; name=a.rar\r\n\r\nRar!\x1a\x07\x01\x00" + bytes(60),
    b"X-Mailer: Microsoft Outlook Express 6.0\r\nX-Priority: 1\r\nMessage-ID: <1@b>\r\n"
    b"Date: Tue, 1 Jan 2026 1:2:3 +1707\r\nReceived: from a by b; x\r\nContent-Type: "
    b"application/x-7z-compressed; name=a.7z\r\n\r\n7z\xbc\xaf\x27\x1c\x00\x04"
    + bytes(12)
    + b"\x20"
    + bytes(15)
    + b"\x01\x05\x01\x0e\x01\x80\x11\x0d\x00a\x00.\x00e\x00x\x00e\x00"
    + bytes(4),
    b"Content-Type: application/x-tar\r\n\r\na.exe" + bytes(119) + b"0000010\x00" + bytes(600),
)
CHECKS: tuple[Look, ...] = (
    *(HeadersCheck(), LinksCheck(), HtmlCheck(), TextCheck()),
    *(AttachmentsCheck(), LookalikeCheck(), IdentitiesCheck(), BulkCheck()),
    *(OdditiesCheck(lambda: 0.0), MimeFormCheck(), MailersCheck(), DefectsCheck()),
)
BOMBS = {
    "message/rfc822 in itself 2,000 times": b"Content-Type: message/rfc822\r\n\r\n" * 2_000,
    "a tag with 50,000 attributes": b"Content-Type: text/html\r\n\r\n<a " + b"b " * 50_000 + b">",
    "100,000 elements in each other": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000,
    "9,900 elements whose ends are of others": b"Content-Type: text/html\r\n\r\n"
    + b"<div></b>" * 9_900,
    "9,900 elements whose ends are in comments": b"Content-Type: text/html\r\n\r\n"
    + b"<div><!--</div>-->" * 9_900,
    "a Subject of a megabyte": b"Subject: " + b"=?utf-8?B?YQ==?= " * 60_000 + b"\r\n\r\n",
    "3,000 segments of a parameter": b"Content-Type: a/b"
    + b"".join(b";\r\n n*%d=x" % place for place in range(3_000))
    + b"\r\n\r\n",
    "5,000 comments in each other": b"From: " + b"(" * 5_000 + b"\r\n\r\n",
    "400 multiparts in each other": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    * 400,
}


def read_everything(raw: bytes) -> Message:
    """Read every view and run every check that only looks."""
    message = Message(raw)
    txn = a_transaction()
    for name in VIEWS:
        message.view(name)
    for check in CHECKS:
        check.look(txn, message)
    return message


def a_zip_bomb() -> bytes:
    """Return a message with an archive of a gigabyte of zeroes in archives."""
    content = b"\x00" * 50_000_000
    for level in range(3):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for place in range(20 if level == 1 else 1):
                archive.writestr(f"{place}.zip", content)
        content = file.getvalue()
    head = b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(content)


def main(count: int = _COUNT, first: int = 0) -> int:
    """Read `count` messages from number `first` on, then the bombs; return the exit code."""
    longest_s, failed = 0.0, False
    read_everything(SEEDS[0])
    for number in range(first, first + count):
        random = Random(number)  # noqa: S311 - made again from its number
        raw = mutated(SEEDS[number % len(SEEDS)], SEEDS, random)
        started = time.thread_time()
        try:
            read_everything(raw)
        except Exception as err:  # noqa: BLE001 - this is what is looked for
            failed = True
            sys.stdout.write(f"{number}: {err!r}\n")
        took_s = time.thread_time() - started
        if took_s > _LONGEST_S:
            sys.stdout.write(f"{number}: {took_s:.2f} s\n")
        longest_s = max(longest_s, took_s)
    sys.stdout.write(f"{count} messages, longest {longest_s * 1000:.1f} ms\n")
    late = bombs()
    return int(failed or late or longest_s > _LONGEST_S)


def bombs() -> bool:
    """Read the bombs, print what each took, and return whether one takes too long."""
    late = False
    for name, raw in {**BOMBS, "archives of a gigabyte": a_zip_bomb()}.items():
        started = time.thread_time()
        message = read_everything(raw)
        took_s = time.thread_time() - started
        late = late or took_s > _BOMB_S
        sys.stdout.write(f"{name}: {took_s * 1000:.0f} ms, {', '.join(message.truncated)}\n")
    return late


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
