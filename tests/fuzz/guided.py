"""Looks for senders' texts that some reader does not stand, led by what of the code they reach.

atheris puts counters into the readers and changes texts so that they reach more of them: what the
random changes of the other programs here find only by chance. It needs `requirements/fuzz.txt`, and
runs until its time is over or something is not stood, which it prints with the text.
Usage: python -m tests.fuzz.guided [SECONDS]
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 60
_LONGEST: Final = 4_096


def main(seconds: int = _SECONDS) -> None:
    """Look for so many seconds; the process ends with 0, or with another code and the text."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["milter.auth", "milter.message"]):
        readers = importlib.import_module("tests.support.sender_readers")
    seeds = importlib.import_module("tests.fuzz.sender_texts")

    def look(data: bytes) -> None:
        if data:
            readers.read_text(readers.READERS[data[0] % len(readers.READERS)], data[1:])

    with tempfile.TemporaryDirectory(prefix="gatepost-fuzz-") as folder:
        texts = [text for kinds, _ in seeds.KINDS for text in kinds]
        for number, text in enumerate([*texts, *readers.PIECES]):
            for place in range(len(readers.READERS)):
                (Path(folder) / f"{number}-{place}").write_bytes(bytes([place]) + text)
        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=10"]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], look)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
