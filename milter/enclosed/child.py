"""The process that opens files: `python -m milter.enclosed.child MEMORY CPU WORDS...`.

It is started with nothing but its pipes, gives up what it may use before it reads the first file,
and answers until its input ends. Whatever a file does to it, it dies alone.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
from contextlib import suppress
from typing import Final

from milter.enclosed.codes import codes_in, codes_of
from milter.enclosed.pdf import Document
from milter.enclosed.wire import PDF_WITH_CODES, PICTURE, QUESTION, format_answer

# Opened beforehand: the libraries, and whatever they hold open.
_FILES: Final = 32


def main(memory_bytes: int, cpu_s: int, libraries: list[str]) -> None:
    """Answer what is asked on the standard input."""
    for library in libraries:
        with suppress(ImportError):
            importlib.import_module(library)
    _give_up(memory_bytes)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(QUESTION.size)) == QUESTION.size:
        what, size = QUESTION.unpack(head)
        content = source.read(size)
        _allow(cpu_s)
        sink.write(answer(what, content))
        sink.flush()


def answer(what: bytes, content: bytes) -> bytes:
    """Return the answer to one question; trouble of the libraries is told in it."""
    try:
        if what == PICTURE:
            return format_answer("", [], codes_in(content), "")
        document = Document(content)
        text, links = document.text_and_links()
        codes: list[str] = []
        if what == PDF_WITH_CODES:
            for picture in document.pictures():
                codes += codes_of(picture)
        return format_answer(text, links, codes, "")
    except Exception as err:  # noqa: BLE001 -- whatever a library says of a file
        # Out of memory, or refused by the library: told by its kind, never by its words.
        return format_answer("", [], [], type(err).__name__)


def _give_up(memory_bytes: int) -> None:
    # A service that may not change priorities does without; its bounds on resources hold.
    with suppress(OSError):
        os.nice(5)
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(what, (most, most))


def _allow(cpu_s: int) -> None:
    """Let the next file take so many seconds; past them the system ends this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    used_s = int(spent.ru_utime + spent.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used_s + cpu_s, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
