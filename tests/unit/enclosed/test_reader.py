"""Documents and pictures are opened by a process that may die of them, and nothing else does."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from milter.checks.enclosed import EnclosedCheck
from milter.checks.links import LinksCheck
from milter.enclosed import reader as reading_module
from milter.enclosed.reader import EnclosedReader, Reading
from milter.message.document import Message
from milter.message.urls.link import Source
from tests.support.checks import a_transaction, symbols_of
from tests.support.files import a_code, a_mail_with, a_pdf, a_png

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENT_S = 60.0
BOTH = Reading(pdf=True, qr=True, timeout_s=_PATIENT_S)

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("pypdfium2", "zxingcpp", "PIL")),
    reason="gatepost[pdf] and gatepost[qr] are not installed",
)


@contextmanager
def a_reader(reading: Reading = BOTH) -> Iterator[EnclosedReader]:
    reader = EnclosedReader(reading, time.monotonic)
    try:
        yield reader
    finally:
        reader.close()


def opened(raw: bytes, reading: Reading = BOTH) -> Message:
    (message,) = all_opened([raw], reading)
    return message


def all_opened(mails: list[bytes], reading: Reading = BOTH) -> list[Message]:
    async def run() -> list[Message]:
        messages = [Message(raw) for raw in mails]
        with a_reader(reading) as reader:
            for message in messages:
                await reader.read(message)
        return messages

    return asyncio.run(run())


def png_of(text: str) -> bytes:
    side, grey = a_code(text)
    return a_png(side, side, grey)


def test_words_and_links_of_a_document_are_of_the_message() -> None:
    pdf = a_pdf(["Your parcel waits", "www.written.example/x"], link="https://clicked.example/p")
    message = opened(a_mail_with(("a.pdf", pdf)))
    assert "your parcel waits" in message.skeleton
    assert {url.host: url.source for url in message.links if url.is_web} == {
        "clicked.example": Source.FILE,
        "www.written.example": Source.FILE,
    }
    assert {"clicked.example", "written.example"} == set(message.url_domains)


def test_code_in_a_picture_is_a_link_and_is_told() -> None:
    message = opened(a_mail_with(("a.png", png_of("https://code.example/pay"))))
    assert [(url.host, url.source) for url in message.links] == [("code.example", Source.CODE)]
    evidence = EnclosedCheck().look(a_transaction(), message)
    assert symbols_of(evidence) == ["ENCLOSED_CODE_LINK"]
    assert evidence.findings[0].details == {"host": "code.example"}


def test_code_on_a_page_is_a_link() -> None:
    pdf = a_pdf(["Scan me"], code="https://user@0x7f.1/pay")
    message = opened(a_mail_with(("a.pdf", pdf)))
    assert [url.host for url in message.links if url.source is Source.CODE] == ["127.0.0.1"]
    assert "LINK_USERINFO" in symbols_of(LinksCheck().look(a_transaction(), message))


def test_code_without_an_address_is_no_link() -> None:
    message = opened(a_mail_with(("a.png", png_of("WIFI:S:guests;T:WPA;P:welcome;;"))))
    assert message.links == ()
    assert EnclosedCheck().look(a_transaction(), message).findings == ()


def test_only_what_is_wanted_is_opened() -> None:
    mail = a_mail_with(("a.png", png_of("https://code.example/")), ("b.pdf", a_pdf(["Words"])))
    documents = opened(mail, Reading(pdf=True, timeout_s=_PATIENT_S))
    pictures = opened(mail, Reading(qr=True, timeout_s=_PATIENT_S))
    assert [file.name for file in documents.enclosed] == ["b.pdf"]
    assert [file.name for file in pictures.enclosed] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "content", "trouble"),
    [
        pytest.param("a.pdf", b"%PDF-1.4\nnothing", "PdfiumError", id="broken-document"),
        pytest.param("a.png", b"\x89PNG\r\n\x1a\n", "UnidentifiedImageError", id="broken-picture"),
        pytest.param("a.png", a_png(9_000, 9_000, b""), "ValueError", id="too-many-dots"),
    ],
)
def test_file_that_cannot_be_read_is_told_and_the_next_one_is_read(
    name: str, content: bytes, trouble: str
) -> None:
    broken, whole = all_opened(
        [a_mail_with((name, content)), a_mail_with(("b.pdf", a_pdf(["Yes"])))]
    )
    assert [file.trouble for file in broken.enclosed] == [trouble]
    evidence = EnclosedCheck().look(a_transaction(), broken)
    assert symbols_of(evidence) == ["ENCLOSED_UNREAD"]
    assert evidence.findings[0].evidence == f"{name}: {trouble}"
    assert "Yes" in whole.body


def test_files_past_the_bounds_stay_unread() -> None:
    small = Reading(pdf=True, qr=True, timeout_s=_PATIENT_S, file_bytes=2_000, files=2)
    code = png_of("https://a.example")
    large = a_png(100, 100, os.urandom(10_000))
    message = opened(a_mail_with(("a.png", large), ("b.png", code), ("c.png", code)), small)
    assert [file.trouble for file in message.enclosed] == ["too large", "", "too many"]


def test_file_that_takes_too_long_costs_the_process_and_nothing_else() -> None:
    async def run() -> tuple[Message, Message]:
        late, whole = (Message(a_mail_with(("a.pdf", a_pdf(["Yes"])))) for _ in range(2))
        moments = iter([0.0, _PATIENT_S])
        reader = EnclosedReader(BOTH, lambda: next(moments, _PATIENT_S))
        try:
            await reader.read(late)
            await reader.read(whole)
        finally:
            reader.close()
        return late, whole

    late, whole = asyncio.run(run())
    assert [file.trouble for file in late.enclosed] == ["too slow"]
    assert "Yes" in whole.body


def test_process_that_is_killed_is_started_again() -> None:
    async def run() -> list[Message]:
        messages = [Message(a_mail_with(("a.pdf", a_pdf(["Yes"])))) for _ in range(3)]
        with a_reader() as reader:
            await reader.read(messages[0])
            assert reader.process_id is not None
            os.kill(reader.process_id, signal.SIGKILL)
            await reader.read(messages[1])
            await reader.read(messages[2])
        return messages

    first, second, third = asyncio.run(run())
    assert first.enclosed[0].trouble == third.enclosed[0].trouble == ""
    assert second.enclosed[0].trouble == "died of it"


def test_picture_that_takes_too_much_memory_costs_itself_alone() -> None:
    narrow = Reading(pdf=True, qr=True, timeout_s=_PATIENT_S, memory_bytes=268_435_456)
    wide = a_png(6_300, 6_300, b"\xff" * 6_300 * 6_300)
    picture, document = all_opened(
        [a_mail_with(("a.png", wide)), a_mail_with(("b.pdf", a_pdf(["Yes"])))], narrow
    )
    assert [file.trouble for file in picture.enclosed] in ([""], ["MemoryError"], ["died of it"])
    assert "Yes" in document.body


def test_messages_at_once_wait_for_each_other() -> None:
    async def run() -> list[Message]:
        messages = [Message(a_mail_with(("a.pdf", a_pdf([f"Number {n}"])))) for n in range(8)]
        with a_reader() as reader:
            await asyncio.gather(*(reader.read(message) for message in messages))
        return messages

    bodies = [message.body for message in asyncio.run(run())]
    assert [f"Number {n}" in body for n, body in enumerate(bodies)] == [True] * 8


def test_library_that_is_missing_is_logged_and_does_without(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(reading_module.LIBRARIES, "pdf", ("a_library_of_no_one",))
    with caplog.at_level(logging.WARNING, "gatepost.enclosed"):
        left = BOTH.available()
    assert (left.pdf, left.qr) == (False, True)
    assert [record.message for record in caplog.records] == ["library is missing"]
