"""Looks for texts and messages that some reader does not stand, led by the code they reach.

atheris puts counters into the readers and changes texts so that they reach more of them: what the
random changes of the other programs here find only by chance. It needs `requirements/fuzz.txt`, and
runs until its time is over or something is not stood, which it prints with the text.
Usage: python -m tests.fuzz.guided [SECONDS] [texts | messages]
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Look = Callable[[bytes], None]

_SECONDS: Final = 60
# What changes at once grows with the length, and what is found is in the form, not in the length.
_LONGEST: Final = {"texts": 4_096, "messages": 16_384}


def texts(atheris: Any) -> tuple[Look, Iterator[bytes]]:
    """Return what reads a text, its first byte naming the reader, and texts to begin with."""
    with atheris.instrument_imports(include=["milter.auth", "milter.message"]):
        readers = importlib.import_module("tests.support.sender_readers")
    seeds = importlib.import_module("tests.fuzz.sender_texts")

    def look(data: bytes) -> None:
        if data:
            readers.read_text(readers.READERS[data[0] % len(readers.READERS)], data[1:])

    known = [text for kinds, _ in seeds.KINDS for text in kinds]
    starts = (
        bytes([place]) + text
        for text in (*known, *readers.PIECES)
        for place in range(len(readers.READERS))
    )
    return look, starts


def messages(atheris: Any) -> tuple[Look, Iterator[bytes]]:
    """Return what reads every view of a message and runs the checks that look, and messages."""
    with atheris.instrument_imports(include=["milter.message", "milter.checks"]):
        reading = importlib.import_module("tests.fuzz.messages")

    def look(data: bytes) -> None:
        reading.read_everything(data)

    short = (raw for raw in reading.BOMBS.values() if len(raw) <= _LONGEST["messages"])
    return look, iter((*reading.SEEDS, *short))


_TARGETS: Final = {"texts": texts, "messages": messages}


def main(seconds: int = _SECONDS, target: str = "texts") -> None:
    """Look for so many seconds; the process ends with 0, or with another code and the text."""
    atheris: Any = importlib.import_module("atheris")
    look, starts = _TARGETS[target](atheris)
    with tempfile.TemporaryDirectory(prefix="gatepost-fuzz-") as folder:
        for number, start in enumerate(starts):
            (Path(folder) / str(number)).write_bytes(start)
        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST[target]}", "-timeout=10"]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], look)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else _SECONDS, *sys.argv[2:3])
