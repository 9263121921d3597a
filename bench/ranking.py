"""How well the classifier ranks, beside bogofilter, on the corpora: same mail, same order, one run.

Each message is judged, and then learned with its label (TREC Spam Track, online with immediate
feedback). The order is the index shuffled with a stated seed. The same once more with some of the
labels flipped that are learned. After that the corpora are each left out in turn: learned on the
others, judged on the one that was never seen. `bench/spam_track.py` adds trec07p where it is there.

Usage: python -m bench.ranking [--seed N] [--write FILE]; ends with 1 when a limit is not kept, with
0 and a word where corpora or bogofilter are missing.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.spam_track import HEAD, collection, shown
from bench.spam_track import rows as spam_track_rows
from bench.tables import OVER, limit_words, markdown, print_table
from milter.checks.classifier_fields import classifier_fields
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.features import Features, extract
from reputation.classifier.measures import Measures, measure
from reputation.classifier.trial import offline, online, trained
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMITS: Final = {"spamassassin": 0.07, "csdmc2010": 0.08}
# Mail that stands in two of them must not be learned in one and judged in the other.
LEFT_OUT: Final = {
    "spamassassin": ("lists_modern", "ccert_zh"),
    "lists_modern": ("spamassassin", "ccert_zh"),
    "ccert_zh": ("spamassassin", "lists_modern"),
}
# So many of a hundred labels are learned the wrong way round.
FLIPPED: Final = (1, 5, 10)
_SPAMICITY: Final = 2

Mail = list[tuple[bool, bytes]]


def read(name: str, seed: int) -> Mail:
    """Return the labelled mail of a corpus, in the order of its index, shuffled."""
    rows: list[tuple[bool, str]] = []
    mail: dict[str, bytes] = {}
    with tarfile.open(SHARED / "corpora" / f"{name}.tar.xz") as files:
        for member in files:
            content = files.extractfile(member)
            if content is None:
                continue
            if member.name.endswith(".eml"):
                mail[member.name] = content.read()
            elif member.name.endswith("index.tsv"):
                lines = [line.split("\t") for line in content.read().decode().splitlines()[1:]]
                rows = [(row[0] == "spam", f"{name}/{row[1]}") for row in lines]
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return [(spam, mail[file]) for spam, file in rows if file in mail]


def features(mail: Mail) -> Iterator[tuple[bool, Features]]:
    """Yield what the classifier sees of each message."""
    for spam, data in mail:
        yield spam, extract(*classifier_fields(Message(with_crlf(data))))


def ours(mail: Mail) -> Measures:
    """Return how well we rank."""
    return measured(mail, list(online(features(mail))))


def bogofilter(mail: Mail) -> Measures:
    """Return how well bogofilter ranks, each message judged and then registered."""
    scores: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for spam, data in mail:
            # Before its first lesson it has no database to ask.
            told = run(["bogofilter", "-T", "-d", folder], data) if scores else "U 0.5"
            scores.append(float(told.split()[1]))
            run(["bogofilter", "-s" if spam else "-n", "-d", folder], data)
    return measured(mail, scores)


def run(command: Sequence[str], data: bytes) -> str:
    """Return what `command` prints; it ends with its verdict, so its code says nothing."""
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode > _SPAMICITY:
        raise RuntimeError(done.stderr.decode())
    return done.stdout.decode()


def measured(mail: Mail, scores: Sequence[float]) -> Measures:
    """Return the measures of one run."""
    found = measure([spam for spam, _ in mail], scores)
    assert found is not None
    return found


def ranking(seed: int) -> list[tuple[str, ...]]:
    """Return the rows of the online run."""
    rows: list[tuple[str, ...]] = []
    for name, limit in LIMITS.items():
        mail = read(name, seed)
        found = ours(mail)
        rows.append((name, "gatepost", *shown(found), limit_words(found.roca, limit)))
        if shutil.which("bogofilter"):
            other = bogofilter(mail)
            beaten = found.roca < other.roca and found.caught_at_tenth > other.caught_at_tenth
            rows.append((name, "bogofilter", *shown(other), "beaten" if beaten else OVER))
        else:
            rows.append((name, "bogofilter", "-", "-", "-", "not installed"))
    return rows


def flipped(seed: int) -> list[tuple[str, ...]]:
    """Return the rows of runs in which some labels are wrong, chosen by the seed."""
    rows: list[tuple[str, ...]] = []
    for name in LIMITS:
        mail = read(name, seed)
        seen = [each for _, each in features(mail)]
        for percent in FLIPPED:
            chance = random.Random(seed + percent)  # noqa: S311 - a choice, no secret
            told = [spam != (chance.random() < percent / 100) for spam, _ in mail]
            found = measured(mail, list(online(zip(told, seen, strict=True))))
            rows.append((name, f"{percent} % of the labels wrong", *shown(found), "-"))
    return rows


def left_out(seed: int) -> list[tuple[str, ...]]:
    """Return the rows of mail of a kind that was never learned."""
    rows: list[tuple[str, ...]] = []
    for name, others in LEFT_OUT.items():
        lessons = [each for other in others for each in features(read(other, seed))]
        random.Random(seed).shuffle(lessons)  # noqa: S311 - an order, no secret
        mail = read(name, seed)
        found = measured(mail, list(offline(trained(lessons), features(mail))))
        rows.append((name, f"learned on {' and '.join(others)}", *shown(found), "-"))
    return rows


def spam_track() -> list[tuple[str, ...]]:
    """Return the rows of trec07p; one that says so where it is not there."""
    with collection(SHARED / "corpora") as index:
        if index is not None:
            return spam_track_rows(index)
    return [("trec07p", "gatepost", "-", "-", "-", "not there, not measured")]


def main() -> int:
    """Print the table, write it if asked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if not (SHARED / "corpora").is_dir():
        sys.stderr.write(f"no corpora at {SHARED}; set GATEPOST_SHARED\n")
        return 0
    rows = [*ranking(options.seed), *flipped(options.seed), *left_out(options.seed), *spam_track()]
    print_table(Console(width=120), HEAD, rows)
    if options.write:
        options.write.write_text(report(rows, options.seed), "utf-8")
    return int(any(OVER in row[-1] for row in rows))


def report(rows: Sequence[Sequence[str]], seed: int) -> str:
    """Return the results file."""
    return (
        "# How well the classifier ranks\n\n"
        f"`python -m bench.ranking --seed {seed}`, {machine()}\n\n{markdown(HEAD, rows)}"
    )


if __name__ == "__main__":
    sys.exit(main())
