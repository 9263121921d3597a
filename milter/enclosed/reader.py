"""Asks the process that opens files, and lives longer than it.

One process for a worker, started when the first file comes and again when it died. It is killed
when it takes too long, and replaced after some hundred files, for what libraries leak. Whatever
happens to it becomes trouble of the file, never of the message: nothing is raised here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from milter.enclosed.wire import (
    LENGTH,
    MAX_ANSWER,
    PDF,
    PDF_WITH_CODES,
    PICTURE,
    QUESTION,
    parse_answer,
)
from milter.message.files import kinds
from milter.message.files.enclosed import PICTURES, Enclosed, Openable, openable

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.message.document import Message

# What each kind of file needs.
LIBRARIES: Final = {"pdf": ("pypdfium2",), "qr": ("zxingcpp", "PIL.Image")}
Process = subprocess.Popen[bytes]
_FILES_A_PROCESS: Final = 300
# Decoding more of a message than this takes longer than the event loop may be held.
_LARGE_BYTES: Final = 262_144

_log: Final = logging.getLogger("gatepost.enclosed")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is opened, and within which bounds.

    Attributes:
        pdf: Whether documents are.
        qr: Whether codes are looked for, in documents too where these are opened.
        timeout_s: For all files of a message.
        memory_bytes: Address space of the process.
        file_bytes: Larger files stay unread.
        files: Of one message.
    """

    pdf: bool = False
    qr: bool = False
    timeout_s: float = 2.0
    memory_bytes: int = 1_073_741_824
    file_bytes: int = 5_242_880
    files: int = 5

    def available(self) -> Reading:
        """Return this without what no library is there for, and log what that is."""
        there = {name: is_installed(name) for name in LIBRARIES}
        for name, wanted in (("pdf", self.pdf), ("qr", self.qr)):
            if wanted and not there[name]:
                _log.warning("library is missing", extra={"error": f"install gatepost[{name}]"})
        return replace(self, pdf=self.pdf and there["pdf"], qr=self.qr and there["qr"])


def is_installed(name: str) -> bool:
    """Whether the libraries are there that `name`, one of `LIBRARIES`, needs."""
    tops = {library.partition(".")[0] for library in LIBRARIES[name]}
    return all(importlib.util.find_spec(top) is not None for top in tops)


class EnclosedReader:
    """Opens the files of messages.

    Args:
        reading: What, and within which bounds; of what is available.
        clock: Seconds, never going back.
    """

    def __init__(self, reading: Reading, clock: Callable[[], float]) -> None:
        self._reading = reading
        self._clock = clock
        self._process: Process | None = None
        self._asked = 0
        self._turn = asyncio.Lock()
        wanted = {kinds.PDF} if reading.pdf else set()
        self._media_types = frozenset(wanted | (PICTURES if reading.qr else set()))

    async def read(self, message: Message) -> None:
        """Put what the files of `message` say into `message.enclosed`; nothing was read before."""
        files = await self._files(message)
        if not files:
            return
        deadline = self._clock() + self._reading.timeout_s
        said = [await self._one(file, deadline) for file in files[: self._reading.files]]
        said += [Enclosed(file.name, trouble="too many") for file in files[self._reading.files :]]
        message.enclosed = tuple(said)

    @property
    def process_id(self) -> int | None:
        """Of the process, as long as there is one."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process; what is being asked becomes trouble."""
        self._end()

    async def _files(self, message: Message) -> list[Openable]:
        def found() -> list[Openable]:
            return list(openable(message.parts, self._media_types, self._reading.file_bytes))

        if len(message.raw) > _LARGE_BYTES:
            return await asyncio.to_thread(found)
        return found()

    async def _one(self, file: Openable, deadline: float) -> Enclosed:
        if len(file.content) > self._reading.file_bytes:
            return Enclosed(file.name, trouble="too large")
        asked = False
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock())), self._turn:
                asked = True
                body = await self._ask(_question(file, codes=self._reading.qr))
        except TimeoutError:
            # Waiting for the files of others is none of its faults, and is told apart.
            return Enclosed(file.name, trouble="too slow" if asked else "no time left")
        except (OSError, ValueError):
            # The pipe broke, or was closed while it was read.
            return Enclosed(file.name, trouble="died of it")
        try:
            text, links, codes, trouble = parse_answer(body)
        except ValueError:
            self._end()
            return Enclosed(file.name, trouble="answer of another form")
        return Enclosed(file.name, text, tuple(links), tuple(codes), trouble)

    async def _ask(self, question: bytes) -> bytes:
        process = self._process = self._process or self._start()
        try:
            # Pipes and a thread, not the loop's own processes: whose loop it is does not matter.
            body = await asyncio.to_thread(_exchange, process, question)
        except BaseException:
            # A late answer would be taken for that to the next question; and the thread waits.
            self._end()
            raise
        self._asked += 1
        if self._asked >= _FILES_A_PROCESS:
            self._end()
        return body

    def _start(self) -> Process:
        reading = self._reading
        wanted = (("pdf", reading.pdf), ("qr", reading.qr))
        libraries = [each for name, is_on in wanted if is_on for each in LIBRARIES[name]]
        bounds = (str(reading.memory_bytes), str(max(1, round(reading.timeout_s))))
        self._asked = 0
        return subprocess.Popen(  # noqa: S603 -- this interpreter, and words of our own
            [sys.executable, "-I", "-m", "milter.enclosed.child", *bounds, *libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    # What was not sent cannot be sent any more.
                    with suppress(OSError):
                        pipe.close()


def _exchange(process: Process, question: bytes) -> bytes:
    """Return the answer of `process`; it has both pipes for itself as long as it lives."""
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:
        raise BrokenPipeError
    sink.write(question)
    sink.flush()
    head = source.read(LENGTH.size)
    size = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else MAX_ANSWER + 1
    body = source.read(size) if size <= MAX_ANSWER else b""
    if len(body) != size:
        raise BrokenPipeError
    return body


def _question(file: Openable, *, codes: bool) -> bytes:
    what = PICTURE if file.media_type != kinds.PDF else PDF_WITH_CODES if codes else PDF
    return QUESTION.pack(what, len(file.content)) + file.content
