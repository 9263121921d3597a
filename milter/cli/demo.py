"""`gatepost demo`: sends sample messages through a real daemon and shows what became of each.

Nothing is made up on the way: the daemon is the one that `serve` runs, the messages come over SMTP
from the addresses that the index gives (XCLIENT), and each verdict is read from what happened.
"""

from __future__ import annotations

import smtplib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from milter.cli.demo_daemon import Daemon, DemoError, NextHop, running_daemon, running_next_hop
from milter.cli.demo_samples import Outcome, Sample, read_samples, send

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOURS = {
    "pass": "green",
    "tag": "yellow",
    "quarantine": "magenta",
    "defer": "cyan",
    "reject": "red",
}
# A table in a pipe or a log is as wide as its words need; a terminal says its own width.
_PIPE_WIDTH = 160


@click.command()
@click.argument(
    "samples", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER"
)
@click.option("--once", is_flag=True, help="End after the table; 0 if every verdict was expected.")
def demo(samples: Path, *, once: bool) -> int:
    """Send the sample messages of FOLDER through a daemon of its own and print the verdicts."""
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    folder = samples.absolute()
    index = read_samples(folder)
    with (
        tempfile.TemporaryDirectory(prefix="gatepost-demo-") as name,
        running_next_hop() as hop,
        running_daemon(folder, hop.port, Path(name)) as daemon,
    ):
        outcomes = [_send(sample, folder, daemon, hop) for sample in index]
        console.print(verdict_table(index, outcomes))
        wrong = surprises(index, outcomes)
        console.print(_summary(index, wrong), highlight=False)
        if not once:
            _keep_running(console, daemon)
    return 1 if wrong else 0


def surprises(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the files of the samples whose verdict is not the expected one."""
    pairs = zip(samples, outcomes, strict=True)
    return [sample.file for sample, outcome in pairs if outcome.action != sample.expect]


def verdict_table(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> Table:
    """Return the table: what was sent, what became of it and why, what was expected."""
    table = Table("sample", "what it is", "verdict", "score", "reason", "expected")
    for sample, outcome in zip(samples, outcomes, strict=True):
        colour = _COLOURS.get(outcome.action, "bold")
        table.add_row(
            sample.file,
            sample.words,
            f"[{colour}]{outcome.action}[/]",
            outcome.score,
            outcome.reason.replace("[", r"\["),
            "as expected" if outcome.action == sample.expect else f"[bold red]{sample.expect}[/]",
        )
    return table


def _send(sample: Sample, folder: Path, daemon: Daemon, hop: NextHop) -> Outcome:
    try:
        return send(sample, folder, daemon.port, hop.taken, daemon.logged)
    except (OSError, smtplib.SMTPException) as err:
        raise DemoError(f"{sample.file}: {err}\n{daemon.last_words()}") from err


def _summary(samples: Sequence[Sample], wrong: Sequence[str]) -> str:
    if wrong:
        return f"Not as expected: {', '.join(wrong)}"
    return f"All {len(samples)} samples got the verdict that was expected."


def _keep_running(console: Console, daemon: Daemon) -> None:
    console.print(f"Page: {daemon.page}", highlight=False)
    console.print(f"Mail is taken on 127.0.0.1:{daemon.port}. Ctrl-C ends it.", highlight=False)
    try:
        daemon.process.wait()
    except KeyboardInterrupt:
        console.print("Ending.")
