"""What the classifier costs a message, beside a sketch of one, over the same mail in turns.

The sketch is what one writes in an afternoon: all 4-grams of the first 3,500 bytes, made distinct
with np.unique, and a sum of weights. Figures are microseconds of CPU time of this process for one
message, the median of the rounds. Reading the message is in none of them.

Usage: python -m bench.classifier [--rounds N] [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console

from bench.measure import machine
from bench.ranking import read
from bench.tables import OVER, limit_words, markdown, print_table
from milter.checks.classifier_fields import classifier_fields
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.explain import Read, heaviest
from reputation.classifier.features import extract
from reputation.classifier.model import judge, learn, margin, new_state
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

HEAD: Final = ("what", "us CPU", "least-most", "of the sketch", "limit")
SKETCH_BYTES: Final = 3_500
MESSAGES: Final = 500
LIMITS: Final = {"features and score": 1 / 3, "features and learning": 1.0}


def sketch(weights: NDArray[np.float32], data: bytes) -> float:
    """Return the score of the first bytes of a message."""
    codes = np.frombuffer(data[:SKETCH_BYTES], np.uint8).astype(np.uint32)
    grams = codes[:-3] | codes[1:-2] << 8 | codes[2:-1] << 16 | codes[3:] << 24
    slots = np.unique(grams * np.uint32(2654435761) >> np.uint32(12))
    return float(weights[slots].sum())


def works(mail: Sequence[bytes]) -> dict[str, Callable[[], None]]:
    """Return what is measured, each over all of `mail`, by what it is called."""
    fields = [classifier_fields(Message(with_crlf(data))) for data in mail]
    state, weights = new_state(), np.zeros(1 << 20, np.float32)
    for number, each in enumerate(fields):
        learn(state, extract(*each), spam=number % 2 == 1)

    def sketched() -> None:
        for data in mail:
            sketch(weights, data)

    def scored() -> None:
        for each in fields:
            margin(state, extract(*each))

    def learned() -> None:
        for number, each in enumerate(fields):
            learn(state, extract(*each), spam=number % 2 == 1)

    def explained() -> None:
        for each in fields:
            features = extract(*each)
            judge(state, features)
            heaviest(state, Read(*each, features), spam=True)

    return {
        "sketch": sketched,
        "features and score": scored,
        "features and learning": learned,
        "features, opinion and reasons": explained,
    }


def figures(mail: Sequence[bytes], rounds: int) -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for words, work in works(mail).items():
            begun = time.process_time()
            work()
            seconds.setdefault(words, []).append((time.process_time() - begun) / len(mail) * 1e6)
    yardstick = statistics.median(seconds["sketch"])
    rows: list[tuple[str, ...]] = []
    for words, spent in seconds.items():
        middle = statistics.median(spent)
        ratio, limit = middle / yardstick, LIMITS.get(words, 0.0)
        kept = limit_words(ratio, round(limit, 3)) if limit else "-"
        rows.append(
            (words, f"{middle:.1f}", f"{min(spent):.1f}-{max(spent):.1f}", f"{ratio:.2f}", kept)
        )
    return rows


def main() -> int:
    """Print the table, write it if asked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if not (SHARED / "corpora").is_dir():
        sys.stderr.write(f"no corpora at {SHARED}; set GATEPOST_SHARED\n")
        return 0
    mail = [data for _, data in read("spamassassin", seed=1)[:MESSAGES]]
    rows = figures(mail, options.rounds)
    print_table(Console(width=120), HEAD, rows)
    if options.write:
        head = f"`python -m bench.classifier --rounds {options.rounds}`, {machine()}"
        words = f"# What the classifier costs\n\n{head}\n\n{markdown(HEAD, rows)}"
        options.write.write_text(words, "utf-8")
    return int(any(OVER in row[-1] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
