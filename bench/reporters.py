"""What one user gains who labels all mail the same for a week, on a corpus, through the real parts.

An administrator teaches the first 3,000 messages of `spamassassin`; then a user reports 140
messages a day with the wrong label. The rest, never learned, is judged before and after.

Usage: python -m bench.reporters [--write FILE]; ends with 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.ranking import features, read
from bench.tables import OVER, limit_words, markdown, print_table
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import Heard, Lesson, Reporter, report
from reputation.classifier.model import judge
from reputation.classifier.weights import Weights
from reputation.memory import MemoryStore
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reputation.classifier.features import Features

HEAD: Final = ("user", "heard", "ham marked %", "spam marked %", "limit of the error")
TAUGHT: Final = 3_000
REPORTED: Final = 1_500
A_DAY: Final = 140
DAYS: Final = 7
DAY_S: Final = 86_400.0
_MARKED: Final = 0.9
# In percentage points: of ham that is marked more, or of spam that is marked less.
LIMIT: Final = 3.0

Mail = list[tuple[bool, "Features"]]


def lesson(number: int, seen: Features, *, spam: bool) -> Lesson:
    """Return a lesson; its number is what it is known by."""
    return Lesson(number.to_bytes(16), spam, changed=False, features=seen)


def marked(folder: Path, mail: Mail) -> tuple[float, float]:
    """Return the percentages of ham and of spam that are called spam."""
    state = Weights(folder / WEIGHTS_NAME).state
    shares = []
    for label in (False, True):
        its = [judge(state, seen).probability >= _MARKED for spam, seen in mail if spam is label]
        shares.append(100 * sum(its) / len(its))
    return shares[0], shares[1]


def run(mail: Mail, *, called_spam: bool) -> tuple[int, tuple[float, float], tuple[float, float]]:
    """Return how many reports were heard, and what is marked before and after them."""
    store = MemoryStore(os.urandom)
    rest = mail[TAUGHT + REPORTED :]
    wrong = [seen for spam, seen in mail[TAUGHT : TAUGHT + REPORTED] if spam is not called_spam]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learner = Learner(folder)
        state = Weights(folder / WEIGHTS_NAME).state
        for number, (spam, seen) in enumerate(mail[:TAUGHT]):
            report(store, lesson(number, seen, spam=spam), now=0.0)
        while learner.catch_up(store).behind:
            pass
        before = marked(folder, rest)
        heard = 0
        for number, seen in enumerate(wrong[: A_DAY * DAYS]):
            said = lesson(TAUGHT + number, seen, spam=called_spam)
            now = (1 + number // A_DAY) * DAY_S
            who = Reporter("user@example.org")
            heard += report(store, said, now=now, reporter=who, taught=state) is Heard.LEARNED
            learner.catch_up(store)
        after = marked(folder, rest)
        learner.close()
    return heard, before, after


def rows(mail: Mail) -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    table: list[tuple[str, ...]] = []
    for called_spam in (True, False):
        heard, before, after = run(mail, called_spam=called_spam)
        if not table:
            table.append(("nobody", "0", f"{before[0]:.2f}", f"{before[1]:.2f}", "-"))
        worse = max(after[0] - before[0], before[1] - after[1])
        name = f"calls everything {'spam' if called_spam else 'ham'}"
        shown = (f"{after[0]:.2f}", f"{after[1]:.2f}", limit_words(worse, LIMIT))
        table.append((name, str(heard), *shown))
    return table


def results(table: Sequence[Sequence[str]]) -> str:
    """Return the results file."""
    head = "# What one user gains who labels all mail the same\n\n`python -m bench.reporters`"
    return f"{head}, {machine()}\n\n{markdown(HEAD, table)}"


def main() -> int:
    """Print the table, write it if asked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if not (SHARED / "corpora").is_dir():
        sys.stderr.write(f"no corpora at {SHARED}; set GATEPOST_SHARED\n")
        return 0
    table = rows(list(features(read("spamassassin", seed=1))))
    print_table(Console(width=120), HEAD, table)
    if options.write:
        options.write.write_text(results(table), "utf-8")
    return int(any(OVER in row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
