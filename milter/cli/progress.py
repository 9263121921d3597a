"""The progress of long work: on a terminal, and nowhere else."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn


def progress_bar() -> Progress:
    """Return a counter of what is done; silent in a pipe."""
    return _counter(shown=sys.stderr.isatty())


def progress_beside_lines() -> Progress:
    """Return a counter for work that prints lines meanwhile.

    Silent where they go to the terminal: beside lines that scroll it would only flicker.
    """
    return _counter(shown=sys.stderr.isatty() and not sys.stdout.isatty())


def _counter(*, shown: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:.0f} {task.description}"),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )
