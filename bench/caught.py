"""How much spam is caught and how much wanted mail is wrongly marked, offline and untrained.

    python -m bench.caught [--write bench/results/content-caught.md]

Every message of the corpora is judged as `gatepost scan --offline` does it, with the preset
`balanced`: no DNS, no memory, nothing learned. Caught is spam that is at least tagged, wrong is ham
that is. The points were fitted on `spamassassin` alone (bench/weights.py). But how much wanted mail
counts there, which symbols keep their points, and the wording of some rules were settled with the
results of all corpora in view: none of them is wholly held out. Ends with 1 where a limit is not
kept.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.content import a_pipeline
from bench.measure import machine
from bench.tables import OVER, limit_words, markdown, print_table
from milter.core.ids import SessionId, TxnId
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, judge
from policies import prefilter
from policies.verdict import Action
from tests.support.corpora import CORPORA
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.pipeline.runner import Pipeline

# Percent of ham that may be marked.
LIMITS: Final = {"spamassassin": 0.3, "lists_modern": 0.3}
HEAD: Final = ("corpus", "spam", "caught %", "ham", "wrong %", "wrong", "ham refused", "limit")
_LABELS: Final = {"ham": False, "spam": True}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of a corpus as it was judged."""

    spam: bool
    action: Action
    score: float
    symbols: frozenset[str]
    kind: str


def prepared() -> Pipeline:
    """Return what judges, with prefilters before its patterns."""
    pipeline = a_pipeline()
    patterns = pipeline.policies.plan.patterns
    for view, written in patterns.written().items():
        ready = prefilter.is_available() and prefilter.load(prefilter.build(view, written))
        if ready:
            patterns.arm(view, ready)
    return pipeline


def labelled(name: str) -> Iterator[tuple[bool, bytes]]:
    """Yield whether each message of a corpus is spam, and the message."""
    with tarfile.open(SHARED / "corpora" / f"{name}.tar.xz") as files:
        for member in files:
            label = _LABELS.get(Path(member.name).parent.name)
            content = files.extractfile(member) if member.name.endswith(".eml") else None
            if content is not None and label is not None:
                yield label, with_crlf(content.read())


async def judged_corpus(pipeline: Pipeline, name: str) -> list[Seen]:
    """Return every message of a corpus as it is judged."""
    seen: list[Seen] = []
    ids = TxnId("BENCH0000001"), SessionId("BENCH0000001")
    for spam, data in labelled(name):
        judged = await judge(pipeline, data, Envelope(), *ids)
        verdict = judged.outcome.verdict
        findings = (*judged.judgement.evidence.findings, *verdict.found)
        symbols = frozenset(finding.symbol for finding in findings)
        seen.append(Seen(spam, verdict.action, verdict.score, symbols, verdict.kind))
    return seen


def row(name: str, seen: Sequence[Seen]) -> tuple[str, ...]:
    """Return the row of one corpus."""
    spam = [each for each in seen if each.spam]
    ham = [each for each in seen if not each.spam]
    caught = sum(each.action >= Action.TAG for each in spam)
    wrong = sum(each.action >= Action.TAG for each in ham)
    refused = sum(each.action.refuses for each in ham)
    return (
        *(name, str(len(spam)), _percent(caught, spam), str(len(ham)), _percent(wrong, ham)),
        *(str(wrong), str(refused), _limit(name, 100 * wrong / max(len(ham), 1), refused)),
    )


def _percent(count: int, of: Sequence[object]) -> str:
    return f"{100 * count / len(of):.2f}" if of else "-"


def _limit(name: str, wrong: float, refused: int) -> str:
    if name not in LIMITS:
        return "-"
    return f"0 refused {OVER}" if refused else limit_words(wrong, LIMITS[name])


def main() -> int:
    """Print the table, write it where asked, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--corpus", action="append", choices=CORPORA)
    arguments = parser.parse_args()
    if not (SHARED / "corpora").is_dir():
        sys.stderr.write(f"no corpora at {SHARED}; set GATEPOST_SHARED\n")
        return 0
    pipeline = prepared()
    rows = []
    for name in arguments.corpus or CORPORA:
        begun = time.process_time()
        seen = asyncio.run(judged_corpus(pipeline, name))
        spent = (time.process_time() - begun) / max(len(seen), 1)
        rows.append((*row(name, seen), f"{spent * 1e6:.0f}"))
    head = (*HEAD, "CPU us")
    print_table(Console(width=140), head, rows)
    if arguments.write:
        text = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]
        arguments.write.write_text(
            "# Spam caught and ham wrongly marked, offline and untrained\n\n"
            f"`python -m bench.caught --write {arguments.write}`, {machine()}\n\n"
            f"{text}\n{markdown(head, rows)}",
            "utf-8",
        )
    return int(any(OVER in cell for each in rows for cell in each))


if __name__ == "__main__":
    sys.exit(main())
