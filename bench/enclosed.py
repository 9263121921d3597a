"""What opening documents and pictures costs, in the process for it.

    python -m bench.enclosed [--write bench/results/enclosed.md]

Small files of our own (tests/support/files.py), each asked of one process a number of times; what
is told is CPU of that process per file, and for its start the clock until its first answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.tables import markdown, print_table
from milter.enclosed.reader import EnclosedReader, Reading
from milter.message.document import Message
from tests.support.files import a_code, a_mail_with, a_pdf, a_png

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES: Final = 200
_LINES: Final = [f"Your parcel waits for a payment, line {n}" for n in range(30)]
HEAD: Final = ("file", "ms")


def files() -> Mapping[str, tuple[bytes, bool]]:
    """Return what is measured: a message, and whether codes are looked for in it."""
    side, grey = a_code("https://code.example/pay")
    pdf = a_pdf(_LINES, link="https://clicked.example/", code="https://code.example/pay")
    return {
        "a PDF of a page, words and links": (a_mail_with(("a.pdf", pdf)), False),
        "the same, and codes": (a_mail_with(("a.pdf", pdf)), True),
        f"a picture of {side} x {side}": (a_mail_with(("a.png", a_png(side, side, grey))), True),
        "a picture of 1,600 x 1,600": (
            a_mail_with(("a.png", a_png(1_600, 1_600, b"\xff" * 2_560_000))),
            True,
        ),
    }


async def measured(mail: bytes, *, codes: bool) -> tuple[float, float]:
    """Return the milliseconds of the start, and of CPU for each file."""
    reader = EnclosedReader(Reading(pdf=True, qr=codes, timeout_s=60), time.monotonic)
    try:
        begun = time.perf_counter()
        await reader.read(Message(mail))
        start_s = time.perf_counter() - begun
        before = _cpu_s(reader.process_id)
        for _ in range(_TIMES):
            await reader.read(Message(mail))
        return start_s * 1e3, (_cpu_s(reader.process_id) - before) / _TIMES * 1e3
    finally:
        reader.close()


def _cpu_s(process_id: int | None) -> float:
    """Return the seconds of CPU that a process took; the clock of /proc is coarse."""
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    rows, starts = [], []
    for name, (mail, codes) in files().items():
        start, each = asyncio.run(measured(mail, codes=codes))
        starts.append(start)
        rows.append((name, f"{each:.2f}"))
    rows.append(("the start of the process, by the clock", f"{min(starts):.0f}-{max(starts):.0f}"))
    print_table(Console(width=120), HEAD, rows)
    if arguments.write:
        arguments.write.write_text(
            "# What opening documents and pictures costs\n\n"
            f"Made by `python -m bench.enclosed --write {arguments.write}`.\n"
            f"Machine: {machine()}.\nHow it is measured: the head of `bench/enclosed.py`.\n\n"
            f"{markdown(HEAD, rows)}",
            "utf-8",
        )


if __name__ == "__main__":
    main()
