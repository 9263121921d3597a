"""What reading and judging a message costs, beside the standard library's parse of the same one.

    python -m bench.content [--write bench/results/content.md] [--rounds 5]

For each corpus (see tests/support/third_party.py; skipped where it is missing) every message of a
sample is judged as `gatepost scan --offline` does it, with the preset `balanced`: checks that ask
nobody, policy and verdict. Beside it, in the same round, email.message_from_bytes with compat32
parses the same messages, all parts walked and decoded. CPU time of the process; the median round.
Patterns are compiled before, as the daemon does at its start.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import statistics
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.measure import machine
from bench.tables import limit_words, markdown, print_table
from milter.app.pattern_cache import arm_in_background
from milter.checks.catalogue import Means, build_checks
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.loader import FileSource, load_policies
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

# At most so many times the parse of the standard library.
LIMITS: Final = {"spamassassin": 4.0, "phishing_pot": 2.0, "lists_modern": 2.0}
HEAD: Final = ("corpus", "messages", "compat32 us", "ours us", "least-most", "ratio", "limit")
_EVERY: Final = {"spamassassin": 20, "phishing_pot": 6, "lists_modern": 20}
_BUDGET_S: Final = 20.0
# Kept from run to run, for compiling takes long.
_COMPILED: Final = Path("build/patterns")


def sample(archive: Path, every: int) -> list[bytes]:
    """Return every `every`th message of the archive."""
    mails = []
    with tarfile.open(archive) as files:
        members = (member for member in files if member.name.endswith(".eml"))
        for place, member in enumerate(members):
            content = files.extractfile(member) if place % every == 0 else None
            if content is not None:
                mails.append(with_crlf(content.read()))
    return mails


def a_pipeline() -> Pipeline:
    """Return what `gatepost scan --offline` judges with."""
    policies = load_policies(FileSource(), None)
    if compiling := arm_in_background(policies.plan.patterns, _COMPILED):
        compiling.join()
    checks = without_network(build_checks(policies.plan, Means("mx.example.org", time.time)))
    return Pipeline(
        checks=checks,
        policies=policies,
        resolver=FakeResolver({}),
        identity=Identity("mx.example.org", "mx.example.org"),
        budget_s=_BUDGET_S,
    )


async def judge_all(pipeline: Pipeline, mails: Sequence[bytes]) -> None:
    """Judge every message."""
    envelope = Envelope()
    txn_id, session_id = TxnId("BENCH0000001"), SessionId("BENCH0000001")
    for mail in mails:
        await judge(pipeline, mail, envelope, txn_id, session_id)


def parse_all(mails: Sequence[bytes]) -> None:
    """Parse every message with the standard library, and decode its parts."""
    for mail in mails:
        for part in email.message_from_bytes(mail).walk():
            if not part.is_multipart():
                part.get_payload(decode=True)


def measure(pipeline: Pipeline, mails: Sequence[bytes], rounds: int) -> list[tuple[float, float]]:
    """Return microseconds of CPU a message for compat32 and for us, round by round."""
    figures = []
    asyncio.run(judge_all(pipeline, mails))
    for _ in range(rounds):
        begun = time.process_time()
        parse_all(mails)
        parsed = time.process_time()
        asyncio.run(judge_all(pipeline, mails))
        judged = time.process_time()
        scale = 1e6 / len(mails)
        figures.append(((parsed - begun) * scale, (judged - parsed) * scale))
    return figures


def row(name: str, count: int, figures: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    """Return the row of one corpus."""
    theirs = statistics.median(parse for parse, _ in figures)
    ours = statistics.median(judged for _, judged in figures)
    ratio = statistics.median(judged / parse for parse, judged in figures)
    span = f"{min(each[1] for each in figures):.0f}-{max(each[1] for each in figures):.0f}"
    return (
        *(name, str(count), f"{theirs:.0f}", f"{ours:.0f}", span, f"{ratio:.2f}"),
        limit_words(ratio, LIMITS[name]),
    )


def main() -> None:
    """Measure, print, and write the results file where one is named."""
    parser = argparse.ArgumentParser(description="What reading and judging a message costs")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    console = Console()
    pipeline = a_pipeline()
    rows = []
    for name in LIMITS:
        archive = SHARED / "corpora" / f"{name}.tar.xz"
        if not archive.exists():
            console.print(f"{name}: skipped, for {archive} is not there")
            continue
        mails = sample(archive, _EVERY[name])
        rows.append(row(name, len(mails), measure(pipeline, mails, arguments.rounds)))
    print_table(console, HEAD, rows)
    if arguments.write and rows:
        arguments.write.write_text(
            "# What reading and judging a message costs\n\n"
            f"Made by `python -m bench.content --write {arguments.write}`, "
            f"median of {arguments.rounds} rounds.\nMachine: {machine()}.\n"
            "How it is measured: the head of `bench/content.py`.\n\n" + markdown(HEAD, rows),
            "utf-8",
        )


if __name__ == "__main__":
    main()
